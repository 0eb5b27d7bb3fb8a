"""Passes over many connections, in slices between which the event loop is free for everything else."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realtime.gateway.members import SendFrames

SLICE: Final = 250
"""Connections served at one go: about a millisecond."""


class Fanout:
    """Runs what comes in slices, one slice a turn of the event loop, each in its turn."""

    def __init__(self, send_frames: SendFrames) -> None:
        self.send_frames = send_frames
        self.deliveries = 0
        """Frames handed to connections."""
        self.skipped = 0
        """Frames not handed to connections that were held back."""
        self.checks = 0
        """Checks made, each for all members of a topic."""
        self.merged = 0
        """Frames that brought one of those forward from where it was."""
        self._works: deque[Iterator[None]] = deque()
        self._turn: asyncio.Handle | None = None

    def run(self, work: Iterator[None]) -> None:
        """Do the first slice at once, the others later. A step of `work` is a slice."""
        if next(work, self) is self:
            return
        self._works.append(work)
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._turn = None
        work = self._works.popleft()
        if next(work, self) is not self:
            self._works.append(work)
        if self._works and self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._next)
