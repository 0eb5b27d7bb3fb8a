"""What the ranking says when a batch was applied: the two announcements that both name every version.

The board's stream keeps both, with what it takes to step back: see `Past`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from realtime.core import record
from realtime.core.errors import HistoryGone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from realtime.core.model import Change, Column, Row
    from realtime.core.record import PackedRow


class Origin(NamedTuple):
    """Where a version comes from: when the oldest change in it was committed, in Unix microseconds by the store's clock, and the
    trace of who committed it (opaque).
    """  # noqa: D205 - one thought

    at: int
    trace: str | None = None

    def joined(self, other: Origin | None) -> Origin:
        """Where two versions that are told as one come from."""
        return self if other is None else Origin(min(self.at, other.at), self.trace or other.trace)


@dataclass(frozen=True, slots=True)
class TopChanged:
    """Rows of the window that changed or moved in, and players that left it. `reset` starts an epoch."""

    epoch: int
    version: int
    total: int
    rows: tuple[Row, ...] = ()
    gone: tuple[str, ...] = ()
    reset: bool = False
    origin: Origin | None = None


class Move(NamedTuple):
    """One player's net move in a batch. An absent key is empty; position is -1 and rank 0 for who left the board.

    Old and new are the same where only what is shown of the player has changed.
    """

    player: str
    old: bytes
    new: bytes
    position: int
    rank: int


@dataclass(frozen=True, slots=True)
class Moved:
    """All net moves of a batch, placed after the whole batch, and everybody ranked whose display changed."""

    epoch: int
    version: int
    total: int
    moves: tuple[Move, ...] = ()
    reset: bool = False
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """One version that a board's stream still holds.

    `before` are the rows of the window before it that changed in it or left, and `total` how many were ranked then: what it
    takes to step back.
    """

    top: TopChanged
    before: tuple[Row, ...]
    total: int
    moves: bytes
    """As announced: unpacked when asked for, since who steps back in a window does not need them."""

    @property
    def moved(self) -> Moved:
        """The version's moves, unpacked anew each time."""
        return decode_moves(self.moves)


_move = partial(tuple.__new__, Move)


def encode_top(change: TopChanged, displays: Sequence[bytes]) -> bytes:
    """`change` as the script would have written it; `displays` are the rows' display JSON."""
    rows = [(row.player, row.key, shown) for row, shown in zip(change.rows, displays, strict=True)]
    fields = [change.epoch, change.version, change.total, rows, change.gone, int(change.reset)]
    return record.pack_array(_with(change.origin, fields))


def decode_top(columns: Sequence[Column], packed: bytes) -> TopChanged:
    """The announcement on a board's `top` channel. Raises BoardChanged where it is of other columns."""
    return _top(packed, partial(record.rows, columns))


def _top(packed: bytes, rows: Callable[[Sequence[PackedRow]], tuple[Row, ...]]) -> TopChanged:
    epoch, version, total, changed, gone, reset, *origin = record.unpack_array(packed)
    left = tuple([player.decode() for player in gone])
    return TopChanged(epoch, version, total, rows(changed), left, bool(reset), _origin(*origin))


def encode_moves(moved: Moved) -> bytes:
    """`moved` as the script would have written it."""
    fields = [moved.epoch, moved.version, moved.total, moved.moves, int(moved.reset)]
    return record.pack_array(_with(moved.origin, fields))


def decode_moves(packed: bytes) -> Moved:
    """The announcement on a board's `moves` channel."""
    epoch, version, total, moves, reset, *origin = record.unpack_array(packed)
    # Not Move(…): a batch has hundreds, and its arguments would be taken apart and put together once more.
    made = [_move((player.decode(), old, new, position, rank)) for player, old, new, position, rank in moves]
    return Moved(epoch, version, total, tuple(made), bool(reset), _origin(*origin))


def encode_origin(origin: Origin | None) -> bytes:
    """An origin as the script takes it; nothing where none is known."""
    return b"" if origin is None else record.pack_array(_fields(origin))


def _with(origin: Origin | None, fields: list[Any]) -> list[Any]:
    """An announcement has an origin more than it needs to, or ends before it."""
    return fields if origin is None else [*fields, _fields(origin)]


def _fields(origin: Origin) -> tuple[int | str, ...]:
    # Lua knows no null in a table: an array ends before it.
    return origin[:1] if origin.trace is None else (origin.at, origin.trace)


def _origin(packed: Sequence[Any] | None = None, *_: Any) -> Origin | None:
    """What comes behind an announcement; of what comes behind that, nothing is known yet."""
    if packed is None:
        return None
    at, *trace = packed
    return Origin(at, trace[0].decode() if trace else None)


def encode_before(total: int, before: Sequence[Change]) -> bytes:
    """How many were ranked, and rows of the window, before a version, as the script would have written them."""
    return record.pack_array([total, [(change.player, change.key, change.display) for change in before]])


def decode_history(
    columns: Sequence[Column], epoch: int, since: int, entries: Sequence[tuple[str, Mapping[bytes, bytes]]]
) -> list[Past]:
    """The versions after `since` out of a stream's entries from `epoch`-`since` on, by id.

    Raises HistoryGone unless every one is there, up to the stream's end, and none of another epoch.
    """
    follows = entries[1:] if entries and entries[0][0] == f"{epoch}-{since}" else entries
    wanted = [f"{epoch}-{version}" for version in range(since + 1, since + 1 + len(follows))]
    # Nothing at all: the stream is gone, or it ends before `since`. Version 1 is the first of an epoch, nothing is before it.
    if not entries or since < 1 or [one for one, _ in follows] != wanted:
        raise HistoryGone(f"not every version after {epoch}/{since} is there")
    rows = record.Rows(columns)
    past = []
    for _, entry in follows:
        total, before = record.unpack_array(entry[b"b"])
        past.append(Past(_top(entry[b"t"], rows), rows(before), total, entry[b"m"]))
    return past
