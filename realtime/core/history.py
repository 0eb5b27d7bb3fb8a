"""The tops of a board at its recent versions, so that whoever comes back is told just what was missed."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from realtime.core.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realtime.core.announcement import Past
    from realtime.core.model import Row

STATES: Final = 512
"""Distinct tops kept, the oldest go first."""


class History:
    """Tops of one epoch without a hole: from version `first` on, each version's rows are known.

    Grows at the new end as versions are heard, and at the old end when somebody asks for what the board's stream still
    holds.
    """

    def __init__(self, window: Window) -> None:
        self.newest = window
        self._versions = [window.version]
        """Versions with which rows began to stand as they did."""
        self._rows = [window.rows]

    @property
    def first(self) -> int:
        """The oldest version whose rows are known."""
        return self._versions[0]

    def append(self, window: Window) -> None:
        """The next version."""
        if window.rows is not self.newest.rows:
            self._versions.append(window.version)
            self._rows.append(window.rows)
            if len(self._versions) > STATES:
                del self._versions[0], self._rows[0]
        self.newest = window

    def extend(self, past: Sequence[Past]) -> None:
        """Step back from the oldest known version: `past` are versions in their order, up to `first` or beyond it."""
        window = Window(self.newest.epoch, self.first, 0, self._rows[0])
        versions: list[int] = []
        rows: list[tuple[Row, ...]] = []
        for one in reversed(past):
            if one.top.version > window.version or len(self._versions) + len(versions) >= STATES:
                continue
            window = window.back(one)
            if rows and rows[-1] is window.rows:
                versions[-1] = window.version
            elif window.rows is self._rows[0]:
                self._versions[0] = window.version
            else:
                versions.append(window.version)
                rows.append(window.rows)
        self._versions[:0] = reversed(versions)
        self._rows[:0] = reversed(rows)

    def at(self, epoch: int, version: int) -> Window | None:
        """The top at that version; None where it is not known. Its total is not kept: it is the newest."""
        if epoch != self.newest.epoch or not self.first <= version <= self.newest.version:
            return None
        if version == self.newest.version:
            return self.newest
        return Window(epoch, version, self.newest.total, self._rows[bisect_right(self._versions, version) - 1])
