"""A board's ranking in memory: what the script in Redis does, as a value that tests can hold against it."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realtime.core import record, sortkey
from realtime.core.announcement import Move, Moved, TopChanged
from realtime.core.model import WINDOW, Change, Column, Row, Standing
from realtime.core.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(slots=True)
class BoardState:
    """Records by player and members (`sort key + player id`) in order. Tombstones have a record and no member."""

    columns: tuple[Column, ...]
    epoch: int
    version: int = 1
    records: dict[str, Change] = field(default_factory=dict)
    members: list[bytes] = field(default_factory=list)

    def apply(self, changes: Iterable[Change]) -> tuple[TopChanged, Moved, tuple[Change, ...]] | None:
        """Take what is newer. None if nothing that shows changed: there is then no version and no announcement.

        Besides the announcements: the records, as they were, of those in the window before who changed or left it.
        """
        before = self.members[:WINDOW]
        first: dict[str, Change] = {}
        shown: set[str] = set()
        for change in changes:
            self._take(change, first, shown)
        if not shown and all(old.key == self.records[player].key for player, old in first.items()):
            return None
        self.version += 1
        top = self._top_changed(before, shown)
        changed = {*top.gone, *(row.player for row in top.rows)}
        left = [player for member in before if (player := self._player(member)) in changed]
        return top, self._moved(first, shown), tuple([first.get(player) or self.records[player] for player in left])

    def load(self, changes: Iterable[Change]) -> None:
        """Take what is newer without a version and without a word: how a rebuild fills what nobody sees yet."""
        for change in changes:
            self._take(change, {}, set())

    def _take(self, change: Change, first: dict[str, Change], shown: set[str]) -> None:
        old = self.records.get(change.player) or Change(change.player, 0, b"", 0, record.NO_DISPLAY)
        new = record.merge(old, change)
        if (new.seq, new.profile_seq) == (old.seq, old.profile_seq):
            return
        self.records[change.player] = new
        first.setdefault(change.player, old)
        if new.display != old.display and new.key:
            shown.add(change.player)
        if new.key != old.key:
            player = change.player.encode()
            if old.key:
                del self.members[bisect_left(self.members, old.key + player)]
            if new.key:
                insort(self.members, new.key + player)

    def _top_changed(self, before: list[bytes], shown: set[str]) -> TopChanged:
        after = self.members[:WINDOW]
        had, has = set(before), set(after)
        rows = tuple(self._row(member) for member in after if member not in had or self._player(member) in shown)
        named = {row.player for row in rows}
        gone = tuple(player for member in before if member not in has and (player := self._player(member)) not in named)
        return TopChanged(self.epoch, self.version, self.total, rows, gone)

    def _moved(self, first: dict[str, Change], shown: set[str]) -> Moved:
        moves = [
            Move(player, old.key, new.key, *self._place(new))
            for player, old in first.items()
            if (new := self.records[player]).key != old.key or (new.key and player in shown)
        ]
        return Moved(self.epoch, self.version, self.total, tuple(moves))

    def _place(self, change: Change) -> tuple[int, int]:
        if not change.key:
            return -1, 0
        position = bisect_left(self.members, change.key + change.player.encode())
        return position, bisect_left(self.members, sortkey.columns_of(change.key)) + 1

    def _player(self, member: bytes) -> str:
        return member[sortkey.width(self.columns) :].decode()

    def _row(self, member: bytes) -> Row:
        change = self.records[self._player(member)]
        return record.row(self.columns, change.player, change.key, change.display)

    @property
    def total(self) -> int:
        """How many players are ranked."""
        return len(self.members)

    def window(self) -> Window:
        """The top at this version."""
        return Window(self.epoch, self.version, self.total, self.stretch(0, WINDOW))

    def stretch(self, offset: int, limit: int) -> tuple[Row, ...]:
        """Rows from position `offset` on, at most `limit`."""
        return tuple(self._row(member) for member in self.members[offset : offset + limit])

    def standing(self, player: str) -> Standing | None:
        """Where a player stands; None for who is not ranked."""
        change = self.records.get(player)
        if change is None or not change.key:
            return None
        position, rank = self._place(change)
        return Standing(self._row(self.members[position]), position, rank, change.metadata)
