"""What the ranking says when a batch was applied: the two announcements that both name every version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from realtime.core import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realtime.core.model import Column, Row


@dataclass(frozen=True, slots=True)
class TopChanged:
    """Rows of the window that changed or moved in, and players that left it. `reset` starts an epoch."""

    epoch: int
    version: int
    total: int
    rows: tuple[Row, ...] = ()
    gone: tuple[str, ...] = ()
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """One player's net move in a batch. An absent key is empty; position is -1 and rank 0 for who left the board."""

    player: str
    old: bytes
    new: bytes
    position: int
    rank: int


@dataclass(frozen=True, slots=True)
class Moved:
    """All net moves of a batch, placed after the whole batch."""

    epoch: int
    version: int
    total: int
    moves: tuple[Move, ...] = ()
    reset: bool = False


def encode_top(change: TopChanged, displays: Sequence[bytes]) -> bytes:
    """`change` as the script would have written it; `displays` are the rows' display JSON."""
    rows = [(row.player, row.key, shown) for row, shown in zip(change.rows, displays, strict=True)]
    return record.pack_array([change.epoch, change.version, change.total, rows, change.gone, int(change.reset)])


def decode_top(columns: Sequence[Column], packed: bytes) -> TopChanged:
    """The announcement on a board's `top` channel."""
    epoch, version, total, rows, gone, reset = record.unpack_array(packed)
    return TopChanged(
        epoch,
        version,
        total,
        decode_rows(columns, rows),
        tuple(player.decode() for player in gone),
        bool(reset),
    )


def decode_rows(columns: Sequence[Column], rows: Sequence[Sequence[bytes]]) -> tuple[Row, ...]:
    """Rows as scripts write them: player, key, display."""
    return tuple(record.row(columns, player.decode(), key, shown) for player, key, shown in rows)


def encode_moves(moved: Moved) -> bytes:
    """`moved` as the script would have written it."""
    moves = [(move.player, move.old, move.new, move.position, move.rank) for move in moved.moves]
    return record.pack_array([moved.epoch, moved.version, moved.total, moves, int(moved.reset)])


def decode_moves(packed: bytes) -> Moved:
    """The announcement on a board's `moves` channel."""
    epoch, version, total, moves, reset = record.unpack_array(packed)
    return Moved(
        epoch,
        version,
        total,
        tuple(Move(player.decode(), old, new, position, rank) for player, old, new, position, rank in moves),
        bool(reset),
    )
