"""Passes over many connections, in slices between which the event loop is free for everything else."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from realtime.gateway.members import SendFrames

T = TypeVar("T")

SLICE: Final = 100
"""Connections served at one go."""
SHORT: Final = 8
"""As many while a request is being answered: a durable one needs some fifteen turns of the event loop."""
TURN: Final = 0.0015
"""Seconds of one turn of the event loop that may go to slices."""


class Fanout:
    """Runs what comes in slices: in each turn of the event loop as many as fit into `turn` seconds, one at the least.

    While requests are being answered a turn takes one short slice: an answer waits for many turns, a pass does not mind.
    """

    def __init__(self, send_frames: SendFrames, turn: float = TURN) -> None:
        self.send_frames = send_frames
        self._seconds = turn
        self.requests = 0
        """Requests that are being answered."""
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

    def answering(self, change: int) -> None:
        """So many requests more, or fewer, are being answered."""
        self.requests += change

    @property
    def slice(self) -> int:
        """Connections that the next slice may serve."""
        return SHORT if self.requests else SLICE

    def run(self, work: Iterator[None]) -> None:
        """Do the first slices at once, the others later. A step of `work` is a slice."""
        if self._is_done(work):
            return
        self._works.append(work)
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._next)

    def parts(self, whole: Sequence[T]) -> Iterator[Sequence[T] | None]:
        """A slice of `whole` after the other, None between two: there a work steps."""
        start = 0
        while start < len(whole):
            if start:
                yield None
            stop = start + self.slice
            yield whole[start:stop]
            start = stop

    def _is_done(self, work: Iterator[None]) -> bool:
        """Whether a work ends within a turn."""
        until = 0.0 if self.requests else perf_counter() + self._seconds
        while next(work, self) is not self:
            if perf_counter() >= until:
                return False
        return True

    def _next(self) -> None:
        self._turn = None
        work = self._works.popleft()
        if not self._is_done(work):
            self._works.append(work)
        if self._works and self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._next)
