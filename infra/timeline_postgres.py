"""A failover of PostgreSQL, followed before anything is numbered on the new primary.

A standby may be promoted with sequences behind numbers that were already given out: up to 32 of each are in no log yet. A
million is beyond all doubt. Whoever connects first does it; the others wait for the row and find it done. So whoever
rebuilds boards may learn of it from the outbox alone: every board gets a notice there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.outbox_postgres import CHANNEL
from realtime.core import outbox
from realtime.core.model import BoardKey

if TYPE_CHECKING:
    from infra.postgres import Connection

_BEYOND_DOUBT: Final = 1_000_000
_FOLLOW: Final = """
UPDATE timeline SET id = substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
WHERE id <> substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) RETURNING true
"""
_LIVING: Final = "SELECT id, season FROM board WHERE deleted_at IS NULL ORDER BY id"
_NOTICES: Final = 100
"""Boards of one outbox row: it goes when all of them are rebuilt."""


async def follow_timeline(connection: Connection) -> bool:
    """Advance the sequences, draw every board a new epoch and say so in the outbox if the server is on another timeline.

    Returns whether it was. Raises what the driver raises.
    """
    async with connection.transaction():
        changed = bool(await connection.fetchval(_FOLLOW))
        if changed:
            for sequence in ("change_seq", "epoch_seq"):
                await connection.execute(
                    "SELECT setval($1::regclass, nextval($1::regclass) + $2)", sequence, _BEYOND_DOUBT
                )
            await connection.execute("UPDATE season SET epoch = nextval('epoch_seq')")
            await _announce(connection)
        return changed


async def _announce(connection: Connection) -> None:
    keys = [BoardKey(row["id"], row["season"]) for row in await connection.fetch(_LIVING)]
    payloads = [
        outbox.encode({key: [] for key in keys[start : start + _NOTICES]}) for start in range(0, len(keys), _NOTICES)
    ]
    await connection.executemany("INSERT INTO outbox (payload) VALUES ($1)", [(payload,) for payload in payloads])
    await connection.execute(f"NOTIFY {CHANNEL}")
