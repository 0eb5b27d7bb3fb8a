"""The top of a board as a node holds it, carried forward by announcements."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from realtime.core.errors import VersionGap
from realtime.core.model import WINDOW, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realtime.core.announcement import Past, TopChanged


_FEW: Final = 8
"""Rows that are put into their places one by one; more of them are sorted with all the others."""


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
        return Window(change.epoch, change.version, change.total, self._without(change.gone, change.rows, change.rows))

    def back(self, past: Past) -> Window:
        """The window before `past`. Raises VersionGap unless `past` is this very version of the same epoch."""
        top = past.top
        if (top.epoch, top.version) != (self.epoch, self.version) or top.reset:
            raise VersionGap(f"holding {self.epoch}/{self.version}, stepping back over {top.epoch}/{top.version}")
        return Window(self.epoch, self.version - 1, past.total, self._without((), top.rows, past.before))

    def _without(self, gone: Sequence[str], changed: Sequence[Row], put: Sequence[Row]) -> tuple[Row, ...]:
        """Our rows less those who are gone or changed, and with `put`; the very same rows where nothing is to be done."""
        if not (gone or changed or put):
            return self.rows
        left = {row.player for row in changed}.union(gone)
        kept = [row for row in self.rows if row.player not in left]
        if len(put) > _FEW:
            return tuple(sorted([*kept, *put], key=_by_key)[:WINDOW])
        for row in put:
            insort(kept, row, key=_by_key)
        return tuple(kept[:WINDOW])


def _by_key(row: Row) -> bytes:
    # Keys end in seqs that are never drawn twice, but a sum and its replay may meet: the player settles it as in Redis.
    return row.key + row.player.encode()
