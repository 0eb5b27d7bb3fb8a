"""The ranking in memory: the boards of `realtime/core/board.py` under the rules of the scripts in `infra/lua`.

Nothing outlives the process. It keeps no cached top, and a rebuild's mark has no time limit: both exist in Redis for what
cannot happen here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field, replace
from struct import Struct
from typing import TYPE_CHECKING, Final

from realtime.core import announcement, record, sortkey
from realtime.core.announcement import Moved, TopChanged
from realtime.core.board import BoardState
from realtime.core.errors import BoardChanged, RankingRefused
from realtime.core.model import MAX_COLUMNS, WINDOW, Column, Standing
from realtime.core.ports import Page, Places, Standings, Stretch, Stretches
from realtime.core.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.bus_memory import MemoryBus
    from realtime.core.announcement import Origin, Past
    from realtime.core.model import BoardKey, Change, Row
    from realtime.core.outbox import Packed

STREAM_ENTRIES: Final = 512
_HEADER: Final = Struct(">QQBH")
_PLAIN: Final = {
    sortkey.width(columns): columns
    for columns in (tuple(Column(f"c{n}") for n in range(1, width + 1)) for width in range(MAX_COLUMNS + 1))
}
"""A ranking knows how long a board's keys are, not what they mean: columns by the length of their keys."""


@dataclass(frozen=True, slots=True)
class Announced:
    """One entry of a board's stream: `id` is epoch-version, then come the two announcements, packed.

    `before` is what `Past` needs besides; the first entry of an epoch has none.
    """

    id: str
    top: bytes
    moves: bytes
    before: bytes | None = None


@dataclass(slots=True)
class _Held:
    """A board. `counts` is how many members and records there should be: where they differ, somebody else was at it."""

    state: BoardState
    counts: tuple[int, int]
    stream: deque[Announced] = field(default_factory=lambda: deque(maxlen=STREAM_ENTRIES))


class MemoryRanking:
    """The port `Ranking`; announces on `bus`."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self._boards: dict[BoardKey, _Held] = {}
        self._shadows: dict[BoardKey, BoardState] = {}

    async def apply(self, key: BoardKey, epoch: int, changes: Sequence[Packed], origin: Origin | None = None) -> int:
        """See the port."""
        held = self._whole(key)
        if held.state.epoch != epoch:
            raise RankingRefused("epoch")
        taken = _unpack(changes, sortkey.width(held.state.columns))
        if taken is None:
            raise RankingRefused("invalid")
        if key in self._shadows:
            self._shadows[key].load(taken)
        before = held.state.total
        announced = held.state.apply(taken)
        held.counts = _counts(held.state)
        if announced is not None:
            top, moved, left = announced
            self._announce(
                key,
                replace(top, origin=origin),
                replace(moved, origin=origin),
                announcement.encode_before(before, left),
            )
        return held.state.version

    async def mark(self, key: BoardKey, epoch: int) -> bool:
        """See the port."""
        if key in self._shadows and self._shadows[key].epoch > epoch:
            return False
        self._shadows[key] = BoardState((), epoch)
        return True

    async def load(self, key: BoardKey, epoch: int, width: int, changes: Sequence[Packed]) -> bool:
        """See the port."""
        shadow = self._shadows.get(key)
        if shadow is None or shadow.epoch != epoch:
            return False
        taken = _unpack(changes, width)
        if taken is None:
            raise RankingRefused("invalid")
        shadow.load(taken)
        return True

    async def swap(self, key: BoardKey, epoch: int, width: int) -> bool:
        """See the port."""
        shadow = self._shadows.get(key)
        if shadow is None or shadow.epoch != epoch:
            return False
        if key in self._boards and self._boards[key].state.epoch >= epoch:
            return False
        del self._shadows[key]
        state = BoardState(_PLAIN[width], epoch, records=shadow.records, members=shadow.members)
        self._boards[key] = _Held(state, _counts(state))
        self._announce(key, TopChanged(epoch, 1, state.total, reset=True), Moved(epoch, 1, state.total, reset=True))
        return True

    async def drop(self, key: BoardKey) -> None:
        """See the port."""
        self._boards.pop(key, None)
        self._shadows.pop(key, None)

    async def holds(self, key: BoardKey, epoch: int) -> bool:
        """See the port."""
        try:
            return self._whole(key).state.epoch == epoch
        except RankingRefused:
            return False

    async def position(self, key: BoardKey) -> tuple[int, int]:
        """See the port."""
        state = self._whole(key).state
        return state.epoch, state.version

    async def ping(self) -> None:
        """See the port."""

    async def top(self, key: BoardKey, columns: Sequence[Column]) -> Window:
        """See the port."""
        state = self._whole(key).state
        return Window(state.epoch, state.version, state.total, _rows(state, columns, 0, WINDOW))

    async def page(self, key: BoardKey, columns: Sequence[Column], offset: int, limit: int) -> Page:
        """See the port."""
        return _page(self._whole(key).state, columns, offset, limit)

    async def around(self, key: BoardKey, columns: Sequence[Column], player: str, radius: int) -> Page | None:
        """See the port."""
        state = self._whole(key).state
        standing = state.standing(player)
        if standing is None:
            return None
        start = max(0, standing.position - radius)
        return _page(state, columns, start, standing.position + radius + 1 - start)

    async def standings(self, key: BoardKey, columns: Sequence[Column], players: Sequence[str]) -> Standings:
        """See the port."""
        state = self._whole(key).state
        found = tuple(_standing(state, columns, player) for player in players)
        return Standings(state.epoch, state.version, state.total, found)

    async def stretches(self, key: BoardKey, columns: Sequence[Column], asked: Sequence[tuple[str, int]]) -> Stretches:
        """See the port."""
        pages = [await self.around(key, columns, player, radius) for player, radius in asked]
        state = self._whole(key).state
        found = [None if page is None else Stretch(page.position, page.rank, page.rows) for page in pages]
        return Stretches(state.epoch, state.version, state.total, tuple(found))

    async def places(self, key: BoardKey, keys: Sequence[bytes]) -> Places:
        """See the port."""
        state = self._whole(key).state
        width = sortkey.width(state.columns)
        if any(len(one) != width for one in keys):
            raise BoardChanged(f"the ranking has keys of {width} bytes")
        places = tuple(
            (bisect_left(state.members, one), bisect_left(state.members, sortkey.columns_of(one)) + 1) for one in keys
        )
        return Places(state.epoch, state.version, state.total, places)

    async def history(self, key: BoardKey, columns: Sequence[Column], epoch: int, since: int) -> list[Past]:
        """See the port."""
        entries = [
            (one.id, {b"t": one.top, b"m": one.moves, b"b": one.before or b""})
            for one in self.announced(key)
            if tuple(map(int, one.id.split("-"))) >= (epoch, since)
        ]
        return announcement.decode_history(columns, epoch, since, entries)

    async def seq(self, key: BoardKey, player: str) -> int:
        """See the port."""
        change = self._boards[key].state.records.get(player) if key in self._boards else None
        return 0 if change is None else change.seq

    def announced(self, key: BoardKey) -> list[Announced]:
        """What a board's stream holds, the oldest first."""
        return list(self._boards[key].stream) if key in self._boards else []

    def _whole(self, key: BoardKey) -> _Held:
        held = self._boards.get(key)
        if held is None:
            raise RankingRefused("missing")
        if held.counts != _counts(held.state):
            raise RankingRefused("count")
        return held

    def _announce(self, key: BoardKey, top: TopChanged, moved: Moved, before: bytes | None = None) -> None:
        held = self._boards[key]
        packed = announcement.encode_top(top, [held.state.records[row.player].display for row in top.rows])
        moves = announcement.encode_moves(moved)
        held.stream.append(Announced(f"{top.epoch}-{top.version}", packed, moves, before))
        self._bus.publish(key, "top", packed)
        self._bus.publish(key, "moves", moves)


def _counts(state: BoardState) -> tuple[int, int]:
    return len(state.members), len(state.records)


def _unpack(changes: Sequence[Packed], width: int) -> list[Change] | None:
    """The changes of a batch; None if one is no record of a board with such keys."""
    if all(_is_record(player, packed, width) for player, packed in changes):
        return [record.unpack(player.decode(), packed) for player, packed in changes]
    return None


def _is_record(player: bytes, packed: bytes, width: int) -> bool:
    if not player or len(packed) < _HEADER.size:
        return False
    _, _, key_length, display_length = _HEADER.unpack_from(packed)
    return key_length in {0, width} and len(packed) >= _HEADER.size + key_length + display_length


def _rows(state: BoardState, columns: Sequence[Column], offset: int, limit: int) -> tuple[Row, ...]:
    """Rows of a stretch, with scores as the caller's columns mean them."""
    found = [state.records[row.player] for row in state.stretch(offset, limit)]
    return tuple(record.row(columns, change.player, change.key, change.display) for change in found)


def _page(state: BoardState, columns: Sequence[Column], offset: int, limit: int) -> Page:
    rows = _rows(state, columns, offset, limit)
    first = state.standing(rows[0].player) if rows else None
    return Page(state.epoch, state.version, state.total, offset, first.rank if first else 0, rows)


def _standing(state: BoardState, columns: Sequence[Column], player: str) -> Standing | None:
    standing = state.standing(player)
    if standing is None:
        return None
    change = state.records[player]
    row = record.row(columns, player, change.key, change.display)
    return Standing(row, standing.position, standing.rank, change.metadata)
