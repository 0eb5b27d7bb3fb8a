"""A connection as the hub sees it: what it watches, what waits to be written, and whether it can take more."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from realtime.core.identity import Principal
    from realtime.gateway.topic import Topic

FRAMES: Final = 2
"""Shared frames that may wait for the socket; past it the connection is skipped and merged forward later."""
REPLIES: Final = 256
"""Answers to its own messages that may wait; past it the peer does not read and is closed."""


class Subscription:
    """One topic on one connection, and what was last told of it."""

    __slots__ = ("connection", "epoch", "topic", "version")

    def __init__(self, connection: Connection, topic: Topic) -> None:
        self.connection = connection
        self.topic = topic
        self.epoch = 0
        self.version = 0


class Connection:
    """Frames go in by `write` and `reply`, both synchronous, and out by `next_frame`."""

    __slots__ = ("_frames", "_waiting", "_wake", "behind", "overrun", "principal", "subscriptions")

    def __init__(self) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self.principal: Principal | None = None
        self.behind = False
        """A shared frame was skipped: the hub merges it forward when the socket has room."""
        self.overrun = False
        self._frames: deque[tuple[bytes, bool]] = deque()
        self._waiting = 0
        self._wake = asyncio.Event()

    def write(self, frame: bytes) -> bool:
        """Hand over a shared frame; False (and not taken) where the socket is behind."""
        if self._waiting >= FRAMES:
            self.behind = True
            return False
        self._waiting += 1
        self._frames.append((frame, True))
        self._wake.set()
        return True

    def reply(self, frame: bytes) -> None:
        """Hand over an answer of this connection's own, in order with everything else."""
        if len(self._frames) >= REPLIES:
            self.overrun = True
        else:
            self._frames.append((frame, False))
        self._wake.set()

    async def next_frame(self) -> bytes:
        """The next frame for the socket."""
        while not self._frames:
            self._wake.clear()
            await self._wake.wait()
        frame, shared = self._frames.popleft()
        self._waiting -= shared
        return frame
