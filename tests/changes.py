"""Changes as tests write them: short, with what a ranking or a board's state takes made of them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import orjson

from realtime.core import record, sortkey
from realtime.core.model import Change, Column, Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from realtime.core.outbox import Packed

COLUMNS = (Column("solved", Direction.DESC), Column("penalty", Direction.ASC))
WIDTH = sortkey.width(COLUMNS)


def ranked(
    player: str,
    solved: int,
    penalty: int = 0,
    *,
    seq: int,
    name: str | None = None,
    profile_seq: int = 0,
    metadata: bytes = b"",
) -> Change:
    return Change(player, seq, sortkey.encode(COLUMNS, (solved, penalty), seq), profile_seq, shown(name=name), metadata)


def gone(player: str, *, seq: int) -> Change:
    return Change(player, seq, b"", 0, record.NO_DISPLAY)


def renamed(player: str, *, profile_seq: int, name: str | None = None, country: str | None = None) -> Change:
    return Change(player, 0, b"", profile_seq, shown(name=name, country=country))


def shown(**fields: str | None) -> bytes:
    return orjson.dumps({field: value for field, value in fields.items() if value is not None})


def packed(changes: Iterable[Change]) -> list[Packed]:
    return [(change.player.encode(), record.pack(change)) for change in changes]


def random_batches(dice: random.Random, batches: int, players: int, largest: int = 8) -> list[list[Change]]:
    """Batches with new scores, ties, tombstones, renames, and late copies of what was sent before."""
    seq = 0
    sent: list[Change] = []
    made = []
    for _ in range(batches):
        batch: list[Change] = []
        for _ in range(dice.randint(1, largest)):
            player = f"p{dice.randrange(players)}"
            seq += 1
            kind = dice.random()
            if sent and kind < 0.15:
                batch.append(dice.choice(sent))
            elif kind < 0.25:
                batch.append(gone(player, seq=seq))
            elif kind < 0.35:
                batch.append(renamed(player, profile_seq=seq, name=f"n{seq}"))
            else:
                batch.append(ranked(player, dice.randint(0, 5), dice.randint(0, 3), seq=seq))
        sent.extend(batch)
        made.append(batch)
    return made


def later(change: Change) -> Change:
    """The same under seqs above a thousand."""
    seq = change.seq + 1000 if change.seq else 0
    key = change.key[:-8] + seq.to_bytes(8) if change.key else b""
    profile_seq = change.profile_seq + 1000 if change.profile_seq else 0
    return Change(change.player, seq, key, profile_seq, change.display, change.metadata)


def shuffled(dice: random.Random, changes: Sequence[Change]) -> list[Change]:
    mixed = list(changes)
    dice.shuffle(mixed)
    return mixed
