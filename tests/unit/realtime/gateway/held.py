"""Passes that go on for as long as a test wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realtime.gateway.fanout import Fanout


class Passes:
    """Takes the place of a fan-out's turns: the first slice is done at once, each further one by `step`."""

    def __init__(self, fanout: Fanout) -> None:
        self._works: list[Iterator[None]] = []
        fanout.run = self.run  # type: ignore[method-assign]

    def run(self, work: Iterator[None]) -> None:
        if next(work, self) is not self:
            self._works.append(work)

    def step(self) -> None:
        """One more slice of each."""
        for work in list(self._works):
            if next(work, self) is self:
                self._works.remove(work)

    def finish(self) -> None:
        """All that is under way, and what it brings."""
        while self._works:
            self.step()
