"""Why a live connection is closed: one table. 4000 to 4099 come back (with back-off), 4100 to 4199 do not.

RFC 6455's own codes stand for what breaks its rules; who breaks them breaks them again, so those do not come back either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Close:
    """A WebSocket close code and its reason."""

    code: int
    reason: str

    @property
    def come_back(self) -> bool:
        """Whether a client should connect again."""
        return self.code < _DO_NOT and self.code not in _BROKEN


_DO_NOT: Final = 4100
_BROKEN: Final = (1002, 1007)

PROTOCOL: Final = Close(1002, "the WebSocket protocol was broken")
NOT_UTF8: Final = Close(1007, "text is UTF-8")
GOING_AWAY: Final = Close(4000, "this node leaves")
NOT_READING: Final = Close(4001, "nothing was read by the client")
SILENT: Final = Close(4002, "nothing was heard from the client")
INTERNAL: Final = Close(4003, "internal error")
TOKEN_EXPIRED: Final = Close(4004, "the token has expired: come back with a new one")
SUBPROTOCOL: Final = Close(4100, "the subprotocol is rankcast.v1.json")
NOT_TEXT: Final = Close(4101, "messages are JSON text")
MESSAGE_TOO_LARGE: Final = Close(4102, "the message is too large")
FLOOD: Final = Close(4103, "messages come far too fast")

ALL: Final = (
    PROTOCOL,
    NOT_UTF8,
    GOING_AWAY,
    NOT_READING,
    SILENT,
    INTERNAL,
    TOKEN_EXPIRED,
    SUBPROTOCOL,
    NOT_TEXT,
    MESSAGE_TOO_LARGE,
    FLOOD,
)
