"""Rows of the outbox that are held: no worker could read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.postgres import wrapped
from realtime.core.ports import Dead, DeadLetter, Redriven

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.postgres import Pool

_OLDEST: Final = """
SELECT id, reason, extract(epoch FROM created_at)::float8 AS at, length(payload) AS size
FROM outbox WHERE leased_until = 'infinity' ORDER BY id LIMIT $1
"""
_COUNT: Final = "SELECT count(*) FROM outbox WHERE leased_until = 'infinity'"
_FREE: Final = """
UPDATE outbox SET leased_until = '-infinity', reason = NULL, claims = 0
WHERE ($1::bigint[] IS NULL AND leased_until = 'infinity') OR id = ANY ($1)
RETURNING id
"""


class PostgresDeadLetters:
    """The port `DeadLetters` where there is no queue beside the outbox."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def oldest(self, limit: int) -> list[DeadLetter]:
        """At most `limit` of them, the oldest first."""
        with wrapped():
            rows = await self._pool.fetch(_OLDEST, limit)
        return [
            DeadLetter(f"row:{row['id']}", row["reason"] or "", row["at"], (row["id"],), row["size"]) for row in rows
        ]

    async def count(self) -> Dead:
        """How many are held."""
        with wrapped():
            return Dead(rows=await self._pool.fetchval(_COUNT))

    async def redrive(self) -> Redriven:
        """Let everything that is held be tried again."""
        return Redriven(rows=len(await self.free(None)))

    async def free(self, ids: Sequence[int] | None) -> set[int]:
        """Let these rows, or every one that is held, be claimed at once; those that there were."""
        with wrapped():
            rows = await self._pool.fetch(_FREE, None if ids is None else list(ids))
        return {row["id"] for row in rows}
