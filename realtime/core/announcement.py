"""What the ranking says when a batch was applied: the two announcements that both name every version.

The board's stream keeps both, with what it takes to step back: see `Past`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from realtime.core import record
from realtime.core.errors import HistoryGone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from realtime.core.model import Change, Column, Row
    from realtime.core.record import PackedRow


@dataclass(frozen=True, slots=True)
class TopChanged:
    """Rows of the window that changed or moved in, and players that left it. `reset` starts an epoch."""

    epoch: int
    version: int
    total: int
    rows: tuple[Row, ...] = ()
    gone: tuple[str, ...] = ()
    reset: bool = False


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
    return record.pack_array([change.epoch, change.version, change.total, rows, change.gone, int(change.reset)])


def decode_top(columns: Sequence[Column], packed: bytes) -> TopChanged:
    """The announcement on a board's `top` channel. Raises BoardChanged where it is of other columns."""
    return _top(packed, partial(record.rows, columns))


def _top(packed: bytes, rows: Callable[[Sequence[PackedRow]], tuple[Row, ...]]) -> TopChanged:
    epoch, version, total, changed, gone, reset = record.unpack_array(packed)
    return TopChanged(epoch, version, total, rows(changed), tuple([player.decode() for player in gone]), bool(reset))


def encode_moves(moved: Moved) -> bytes:
    """`moved` as the script would have written it."""
    return record.pack_array([moved.epoch, moved.version, moved.total, moved.moves, int(moved.reset)])


def decode_moves(packed: bytes) -> Moved:
    """The announcement on a board's `moves` channel."""
    epoch, version, total, moves, reset = record.unpack_array(packed)
    # Not Move(…): a batch has hundreds, and its arguments would be taken apart and put together once more.
    made = [_move((player.decode(), old, new, position, rank)) for player, old, new, position, rank in moves]
    return Moved(epoch, version, total, tuple(made), bool(reset))


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
