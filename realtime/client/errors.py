"""What a watch ends with.

LiveError
├── WatchRefused         the node does not let this caller watch this
├── ConnectionRefused    the node does not want this client back, or is no Rankcast node
├── TokenFailed          the caller's own function gave no token
└── LiveClosed           the client was ended
"""

from __future__ import annotations

from typing import ClassVar

from realtime.core.errors import RankcastError


class LiveError(RankcastError):
    """The base of what a watch ends with."""

    code: ClassVar[str] = "live"


class WatchRefused(LiveError):
    """The node refuses this watch. `code` is the node's own and stable: `board_unknown`, `field_invalid`, `forbidden`, ….

    The message is what the node said, with the code behind it. `problem` is the code, too.
    """

    code: ClassVar[str] = "watch_refused"

    def __init__(self, problem: str, message: str) -> None:
        super().__init__(f"{message} ({problem})" if message else problem)
        self.problem = problem
        self.code = problem  # type: ignore[misc]  # each refusal has the code of what refused it


class ConnectionRefused(LiveError):
    """The node does not want this client back, or is no Rankcast node."""

    code: ClassVar[str] = "connection_refused"


class TokenFailed(LiveError):
    """The function that gives the token raised something that does not pass, or gave none."""

    code: ClassVar[str] = "token_failed"


class LiveClosed(LiveError):
    """The client was ended: `connect` is over."""

    code: ClassVar[str] = "live_closed"
