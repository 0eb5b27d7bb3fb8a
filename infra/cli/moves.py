"""Who moved on a list, for as long as it is news."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realtime.client.reducer import Entry

NEWS: Final = 4.0
"""Seconds for which a movement is shown."""


@dataclass(slots=True)
class Moves:
    """Compares each list with the one before. Times are seconds on any one clock."""

    _ranks: dict[str, int] | None = None
    _moved: dict[str, tuple[int | None, float]] = field(default_factory=dict)

    def see(self, entries: Sequence[Entry], now: float) -> None:
        """Take the next list."""
        before, self._ranks = self._ranks, {entry.player: entry.rank for entry in entries}
        if before is None:
            return
        for player, rank in self._ranks.items():
            if player not in before:
                self._moved[player] = (None, now)
            elif before[player] != rank:
                self._moved[player] = (before[player] - rank, now)
        self._moved = {player: move for player, move in self._moved.items() if now - move[1] < NEWS}

    def recent(self, now: float) -> dict[str, int | None]:
        """Ranks gained (negative: lost) by player, None for who came onto the list."""
        return {player: move for player, (move, at) in self._moved.items() if now - at < NEWS}
