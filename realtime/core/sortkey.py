"""The order of a board as one byte string: smaller is better.

Each column is 8 big-endian bytes, its sign bit flipped and complemented where more is better; then `seq` as 8 bytes, so
that who got there first stands first. The same bytes order the index in PostgreSQL, the sorted set in Redis and the
node's memory.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812 - the standard library names its class in lower case
from typing import TYPE_CHECKING, Final

from realtime.core.errors import BoardChanged
from realtime.core.model import INT64_MAX, Direction, Score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from realtime.core.model import Column

_SIGN: Final = 2**63
_PACK: Final = tuple(Struct(f">{columns}Q") for columns in range(6))
SEQ_BYTES: Final = 8


def width(columns: Sequence[Column]) -> int:
    """Bytes of a whole key of such a board."""
    return 8 * len(columns) + SEQ_BYTES


def prefix(columns: Sequence[Column], score: Score) -> bytes:
    """The columns' part of the key: equal exactly for equal scores. Values are int64."""
    ordered = [
        INT64_MAX - value if column.direction is Direction.DESC else value + _SIGN
        for column, value in zip(columns, score, strict=True)
    ]
    return _PACK[len(ordered)].pack(*ordered)


def encode(columns: Sequence[Column], score: Score, seq: int) -> bytes:
    """The whole key of a score that was reached at `seq`."""
    return prefix(columns, score) + seq.to_bytes(SEQ_BYTES)


def decode(columns: Sequence[Column], key: bytes) -> tuple[Score, int]:
    """The score and seq in a key. Inverse of `encode`. Raises BoardChanged for a key of other columns."""
    return decoder(columns)(key)


def decoder(columns: Sequence[Column]) -> Callable[[bytes], tuple[Score, int]]:
    """`decode` for many keys of the same columns."""
    unpack = _PACK[len(columns) + 1].unpack
    # A value is what its place says, counted up from the least or down from the greatest.
    turns = [(INT64_MAX, -1) if column.direction is Direction.DESC else (-_SIGN, 1) for column in columns]

    def decode(key: bytes) -> tuple[Score, int]:
        try:
            values = unpack(key)
        except StructError as error:
            raise BoardChanged("the ranking has other columns than the board had when it was read") from error
        # The last value is the seq, to which no turn belongs.
        return tuple([start + sign * value for (start, sign), value in zip(turns, values, strict=False)]), values[-1]

    return decode


def columns_of(key: bytes) -> bytes:
    """The columns' part of a whole key."""
    return key[:-SEQ_BYTES]
