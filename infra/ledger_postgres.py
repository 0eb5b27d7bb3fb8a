"""What a rebuild needs of the store: the epoch that the ranking must carry, a snapshot, and who may rebuild."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from infra.postgres import wrapped
from infra.timeline_postgres import follow_timeline
from realtime.core import record
from realtime.core.model import BoardKey, Profile

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from infra.postgres import Pool
    from realtime.core.outbox import Packed

_SNAPSHOT: Final = """
SELECT e.player, e.seq, e.sort_key, e.metadata, p.name, p.country, p.picture, coalesce(p.seq, 0) AS profile_seq
FROM entry AS e LEFT JOIN player AS p ON p.player = e.player
WHERE e.board_id = $1 AND e.season = $2 AND e.seq > 0
"""
_REBUILD_LOCK: Final = 2
_VIEW_LOCK: Final = 0x52435657
_CHUNK: Final = 1000


class PostgresLedger:
    """The port `Ledger` on the primary. Every call raises StoreUnavailable where PostgreSQL does not answer."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def epochs(self, keys: Sequence[BoardKey] | None = None) -> dict[BoardKey, int]:
        """The expected epoch of each living board, or of those of `keys` that live."""
        with wrapped():
            rows = await self._pool.fetch(
                "SELECT s.board_id, s.season, s.epoch FROM season AS s "
                "JOIN board AS b ON b.id = s.board_id AND b.season = s.season AND b.deleted_at IS NULL "
                "WHERE $1::integer[] IS NULL OR s.board_id = ANY ($1)",
                None if keys is None else [key.board for key in keys],
            )
        epochs = {BoardKey(row["board_id"], row["season"]): row["epoch"] for row in rows}
        return epochs if keys is None else {key: epochs[key] for key in keys if key in epochs}

    async def new_epoch(self, key: BoardKey) -> int:
        """Draw an epoch: from now on the ranking must carry it."""
        with wrapped():
            epoch: int = await self._pool.fetchval(
                "UPDATE season SET epoch = nextval('epoch_seq') WHERE board_id = $1 AND season = $2 RETURNING epoch",
                key.board,
                key.season,
            )
        return epoch

    async def raise_epochs(self) -> None:
        """Draw an epoch for every board: none of what the ranking holds passes any more."""
        with wrapped():
            await self._pool.execute("UPDATE season SET epoch = nextval('epoch_seq')")

    async def follow_timeline(self) -> bool:
        """Whether the server was failed over: then the sequences are advanced and every board needs a new epoch."""
        with wrapped():
            async with self._pool.acquire() as connection:
                return await follow_timeline(connection)

    @asynccontextmanager
    async def rebuilding(self, key: BoardKey) -> AsyncIterator[bool]:
        """Whether this caller may rebuild the board: one at a time may."""
        with wrapped():
            async with self._pool.acquire() as connection:
                mine = await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _REBUILD_LOCK, key.board)
                try:
                    yield mine
                finally:
                    if mine:
                        await connection.execute("SELECT pg_advisory_unlock($1, $2)", _REBUILD_LOCK, key.board)

    async def snapshot(self, key: BoardKey) -> AsyncGenerator[list[Packed]]:
        """Every record of a board, tombstones too, as of one moment, in chunks."""
        with wrapped():
            async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
                await connection.execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_seqscan = on")
                cursor = await connection.cursor(_SNAPSHOT, key.board, key.season)
                while rows := await cursor.fetch(_CHUNK):
                    yield [_packed(row) for row in rows]

    async def touch(self, keys: Sequence[BoardKey]) -> None:
        """Note that these boards changed; to the minute, so that a busy board does not write a row a batch."""
        with wrapped():
            await self._pool.execute(
                "UPDATE season SET active_at = now() WHERE board_id = ANY ($1) AND active_at < now() - interval '1 minute'",
                [key.board for key in keys],
            )

    async def refresh_view(self, interval: float) -> bool:
        """Refresh `leaderboard_ranking` unless that was done within `interval` seconds or is being done."""
        with wrapped():
            async with self._pool.acquire() as connection:
                if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _VIEW_LOCK):
                    return False
                try:
                    due = await connection.fetchval(
                        "SELECT refreshed_at < now() - $1 * interval '1 second' FROM view_refresh", interval
                    )
                    if due:
                        await connection.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY leaderboard_ranking")
                        await connection.execute("UPDATE view_refresh SET refreshed_at = now()")
                    return bool(due)
                finally:
                    await connection.execute("SELECT pg_advisory_unlock($1)", _VIEW_LOCK)

    async def forget_idempotency(self) -> None:
        """Empty the partition of the day before yesterday, which tomorrow's keys will use."""
        with wrapped():
            day = await self._pool.fetchval("SELECT extract(epoch FROM now())::bigint / 86400")
            stale = await self._pool.fetchval(
                "SELECT EXISTS (SELECT FROM idempotency WHERE slot = $1 AND day < $2)", (day + 1) % 3, day
            )
            if stale:
                await self._pool.execute(f"TRUNCATE idempotency_{(day + 1) % 3}")

    async def sweep_deleted(self, limit: int) -> int:
        """Remove entries of deleted boards, at most `limit` a call; returns how many."""
        with wrapped():
            status: str = await self._pool.execute(
                "DELETE FROM entry WHERE (player, board_id, season) IN ("
                "SELECT e.player, e.board_id, e.season FROM entry AS e JOIN board AS b ON b.id = e.board_id "
                "WHERE b.deleted_at < now() - interval '1 hour' LIMIT $1)",
                limit,
            )
        return int(status.rsplit(" ", 1)[1])


def _packed(row: Any) -> Packed:
    profile = Profile(row["name"], row["country"], row["picture"], row["profile_seq"])
    shown = record.display(profile)
    header = record.header(row["seq"], profile.seq, row["sort_key"] or b"", shown)
    return row["player"].encode(), header + (row["metadata"] or b"")
