"""What a commit leaves in the outbox: the records of every player it touched, by board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from realtime.core import record
from realtime.core.errors import Unreadable
from realtime.core.model import BoardKey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from realtime.core.model import Change

_MOST: Final = 2**31 - 1
_ID: Final = 64

Packed = tuple[bytes, bytes]
"""A player's id and record, both as bytes, as the script takes them."""


def encode(changes: Mapping[BoardKey, Sequence[Change]]) -> bytes:
    """One outbox payload. A board without changes is only to be looked at: its epoch may have risen."""
    return record.pack_array(
        [
            (key.board, key.season, [(change.player, record.pack(change)) for change in group])
            for key, group in changes.items()
        ]
    )


def decode(payload: bytes) -> list[tuple[BoardKey, list[Packed]]]:
    """What `encode` packed; records stay packed. Raises Unreadable for anything else."""
    try:
        return [_changes(*group) for group in record.unpack_array(payload)]
    except (TypeError, *record.UNPACK_ERRORS) as error:
        raise Unreadable(f"no changes: {type(error).__name__} {error}".strip()) from error


def _changes(board: object, season: object, group: tuple[Packed, ...]) -> tuple[BoardKey, list[Packed]]:
    if not isinstance(board, int) or not isinstance(season, int) or not 0 < board <= _MOST or not 0 < season <= _MOST:
        raise TypeError("a board is named by two numbers")
    for player, packed in group:
        if not isinstance(player, bytes) or not isinstance(packed, bytes):
            raise TypeError("a change is two byte strings")
        if not 0 < len(player) <= _ID or not player.isascii():
            raise ValueError("a player has an id")
    return BoardKey(board, season), list(group)
