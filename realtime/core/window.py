"""The top of a board as a node holds it, carried forward by announcements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from realtime.core.errors import VersionGap
from realtime.core.model import WINDOW, Row

if TYPE_CHECKING:
    from realtime.core.announcement import TopChanged


@dataclass(frozen=True, slots=True)
class Window:
    """The first rows of a board at one version, best first. `total` counts all ranked players."""

    epoch: int
    version: int
    total: int
    rows: tuple[Row, ...]

    def follow(self, change: TopChanged) -> Window:
        """The window after `change`. Raises VersionGap unless it is the next version of the same epoch."""
        if change.epoch != self.epoch or change.version != self.version + 1:
            raise VersionGap(f"holding {self.epoch}/{self.version}, heard {change.epoch}/{change.version}")
        rows = self.rows
        if change.rows or change.gone:
            left = {row.player for row in change.rows}.union(change.gone)
            kept = [row for row in rows if row.player not in left]
            rows = tuple(sorted([*kept, *change.rows], key=_by_key)[:WINDOW])
        return Window(change.epoch, change.version, change.total, rows)


def _by_key(row: Row) -> bytes:
    # Keys end in seqs that are never drawn twice, but a sum and its replay may meet: the player settles it as in Redis.
    return row.key + row.player.encode()
