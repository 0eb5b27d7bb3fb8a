"""Why a live connection is closed: one table. 4000 to 4099 come back (with back-off), 4100 to 4199 do not."""

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
        return self.code < _DO_NOT


_DO_NOT: Final = 4100

GOING_AWAY: Final = Close(4000, "this node leaves")
OVERLOADED: Final = Close(4001, "replies are not read")
SILENT: Final = Close(4002, "nothing was heard from the client")
INTERNAL: Final = Close(4003, "internal error")
SUBPROTOCOL: Final = Close(4100, "the subprotocol is rankcast.v1.json")
NOT_TEXT: Final = Close(4101, "messages are JSON text")
MESSAGE_TOO_LARGE: Final = Close(4102, "the message is too large")

ALL: Final = (GOING_AWAY, OVERLOADED, SILENT, INTERNAL, SUBPROTOCOL, NOT_TEXT, MESSAGE_TOO_LARGE)
