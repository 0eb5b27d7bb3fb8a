"""A failover of PostgreSQL, followed before anything is numbered on the new primary.

A standby may be promoted with sequences behind numbers that were already given out: up to 32 of each are in no log yet. A
million is beyond all doubt. Whoever connects first does it; the others wait for the row and find it done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from infra.postgres import Connection

_BEYOND_DOUBT: Final = 1_000_000
_FOLLOW: Final = """
UPDATE timeline SET id = substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
WHERE id <> substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) RETURNING true
"""


async def follow_timeline(connection: Connection) -> bool:
    """Advance the sequences and draw every board a new epoch if the server is on another timeline; whether it was.

    Raises what the driver raises.
    """
    async with connection.transaction():
        changed = bool(await connection.fetchval(_FOLLOW))
        if changed:
            for sequence in ("change_seq", "epoch_seq"):
                await connection.execute(
                    "SELECT setval($1::regclass, nextval($1::regclass) + $2)", sequence, _BEYOND_DOUBT
                )
            await connection.execute("UPDATE season SET epoch = nextval('epoch_seq')")
        return changed
