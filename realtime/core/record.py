"""How a player's state on a board is written in Redis, in the outbox and in announcements.

A record is a header of 19 bytes (entry seq, profile seq, key length, display length; big-endian), then the sort key, the
display JSON and the metadata JSON. `infra/lua/record.lua` reads the same layout.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

import msgpack
import orjson

from realtime.core import sortkey
from realtime.core.model import Change, Profile, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realtime.core.model import Column, Score

_HEADER: Final = Struct(">QQBH")
NO_DISPLAY: Final = b"{}"
UNPACK_ERRORS: Final = (msgpack.UnpackException, msgpack.exceptions.FormatError, ValueError)
"""What `unpack_array` raises for bytes that are no MessagePack."""

PackedRow = tuple[bytes, bytes, bytes]
"""A row as scripts write it: player, key, display."""


def pack(change: Change) -> bytes:
    """The record of a change."""
    return header(change.seq, change.profile_seq, change.key, change.display) + change.metadata


def header(seq: int, profile_seq: int, key: bytes, shown: bytes) -> bytes:
    """A record up to its metadata."""
    return _HEADER.pack(seq, profile_seq, len(key), len(shown)) + key + shown


def unpack(player: str, record: bytes) -> Change:
    """The change in a record. Inverse of `pack`."""
    seq, profile_seq, key_length, display_length = _HEADER.unpack_from(record)
    key_end = _HEADER.size + key_length
    display_end = key_end + display_length
    return Change(
        player, seq, record[_HEADER.size : key_end], profile_seq, record[key_end:display_end], record[display_end:]
    )


def merge(old: Change, new: Change) -> Change:
    """The newer entry part with the newer profile part. Commutative, associative, idempotent."""
    entry = new if new.seq > old.seq else old
    profile = new if new.profile_seq > old.profile_seq else old
    return Change(old.player, entry.seq, entry.key, profile.profile_seq, profile.display, entry.metadata)


def display(profile: Profile) -> bytes:
    """A profile's display JSON, without what was never set."""
    named = {"name": profile.name, "country": profile.country, "picture": profile.picture}
    return orjson.dumps({field: value for field, value in named.items() if value is not None})


def row(columns: Sequence[Column], player: str, key: bytes, shown: bytes) -> Row:
    """The ranked row of a player. A player without a name is shown by id."""
    return _row(player, key, shown, *sortkey.decode(columns, key))


def rows(columns: Sequence[Column], packed: Sequence[PackedRow]) -> tuple[Row, ...]:
    """Rows as scripts write them."""
    if not packed:
        return ()
    decode = sortkey.decoder(columns)
    return tuple([_row(player.decode(), key, shown, *decode(key)) for player, key, shown in packed])


class Rows:
    """`rows` where the same ones come again and again: each is made once."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._decode = sortkey.decoder(columns)
        self._made: dict[PackedRow, Row] = {}

    def __call__(self, packed: Sequence[PackedRow]) -> tuple[Row, ...]:
        """Rows as scripts write them."""
        return tuple([self._made.get(one) or self._make(one) for one in packed])

    def _make(self, packed: PackedRow) -> Row:
        player, key, shown = packed
        made = self._made[packed] = _row(player.decode(), key, shown, *self._decode(key))
        return made


def _row(player: str, key: bytes, shown: bytes, score: Score, seq: int) -> Row:
    if shown == NO_DISPLAY:
        return Row(player, key, score, seq, player)
    fields = orjson.loads(shown).get
    return Row(player, key, score, seq, fields("name", player), fields("country"), fields("picture"))


def pack_array(value: Sequence[Any]) -> bytes:
    """MessagePack as the script reads it: text and bytes are the same kind."""
    packed: bytes = msgpack.packb(value, use_bin_type=False)
    return packed


def unpack_array(packed: bytes) -> tuple[Any, ...]:
    """MessagePack as the script writes it: every string is bytes, every array a tuple."""
    value: tuple[Any, ...] = msgpack.unpackb(packed, raw=True, use_list=False)
    return value
