"""Which answers have no end: they are frames themselves, not requests that somebody waits for."""

from __future__ import annotations

import re
from typing import Final

# A board, or a player, may be called live.
_EVENTS: Final = re.compile(r"/v1/boards/[^/]+/live")


def is_endless(path: str) -> bool:
    """Whether the path is one of server-sent events."""
    return _EVENTS.fullmatch(path) is not None
