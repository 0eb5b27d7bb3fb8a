from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from infra.boards_postgres import PostgresBoards
from infra.ledger_postgres import PostgresLedger
from infra.postgres import open_pool
from realtime.core.model import BoardSpec, Column

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from realtime.core.model import Board


@pytest.fixture
async def pool(emptied_database: str) -> AsyncIterator[Any]:
    pool = await open_pool(emptied_database, size=4, seconds=10, writer=True)
    yield pool
    await pool.close()


@pytest.fixture
def ledger(pool: Any) -> PostgresLedger:
    return PostgresLedger(pool)


@pytest.fixture
async def board(pool: Any) -> Board:
    board, _ = await PostgresBoards(pool).put("b", BoardSpec(title="", columns=(Column("c"),)))
    return board


async def test_a_board_is_noted_as_active_at_most_once_a_minute(
    pool: Any, ledger: PostgresLedger, board: Board
) -> None:
    async def active() -> object:
        return await pool.fetchval("SELECT active_at FROM season WHERE board_id = $1", board.key.board)

    fresh = await active()
    await ledger.touch([board.key])
    assert await active() == fresh
    await pool.execute("UPDATE season SET active_at = now() - interval '2 minutes'")
    old = await active()
    await ledger.touch([board.key])
    assert await active() != old


async def test_idempotency_keys_of_today_and_yesterday_stay_and_older_ones_go(
    pool: Any, ledger: PostgresLedger
) -> None:
    today = await pool.fetchval("SELECT extract(epoch FROM now())::bigint / 86400")
    for day in (today, today - 1, today - 2):
        await pool.execute("INSERT INTO idempotency (slot, day, id, body) VALUES ($1 % 3, $1, 'k', '')", day)
    await ledger.forget_idempotency()
    rows = await pool.fetch("SELECT day FROM idempotency ORDER BY day")
    assert [row["day"] for row in rows] == [today - 1, today]
    await ledger.forget_idempotency()
    assert await pool.fetchval("SELECT count(*) FROM idempotency") == 2


async def test_entries_of_boards_deleted_an_hour_ago_are_swept_so_many_at_a_time(
    pool: Any, ledger: PostgresLedger, board: Board
) -> None:
    kept, _ = await PostgresBoards(pool).put("kept", board.spec)
    for key in (board.key, kept.key):
        await pool.execute(
            "INSERT INTO entry (player, board_id, season, seq) SELECT 'p' || n, $1, 1, n FROM generate_series(1, 5) AS n",
            key.board,
        )
    await PostgresBoards(pool).delete("b")
    assert await ledger.sweep_deleted(3) == 0
    await pool.execute("UPDATE board SET deleted_at = now() - interval '2 hours' WHERE deleted_at IS NOT NULL")
    assert [await ledger.sweep_deleted(3) for _ in range(3)] == [3, 2, 0]
    assert await pool.fetchval("SELECT array_agg(DISTINCT board_id) FROM entry") == [kept.key.board]


async def test_many_who_refresh_the_view_at_once_refresh_it_once(ledger: PostgresLedger) -> None:
    refreshed = await asyncio.gather(*(ledger.refresh_view(30) for _ in range(4)))
    assert sorted(refreshed) == [False, False, False, True]


async def test_a_refresh_that_fails_does_not_keep_the_others_out(pool: Any, ledger: PostgresLedger) -> None:
    await pool.execute("ALTER MATERIALIZED VIEW leaderboard_ranking RENAME TO elsewhere")
    with pytest.raises(Exception, match="leaderboard_ranking"):
        await ledger.refresh_view(0)
    await pool.execute("ALTER MATERIALIZED VIEW elsewhere RENAME TO leaderboard_ranking")
    assert await ledger.refresh_view(0)
    assert await pool.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


async def test_the_view_keeps_a_thousand_rows_a_board_and_boards_of_the_last_day(
    pool: Any, ledger: PostgresLedger, board: Board
) -> None:
    quiet, _ = await PostgresBoards(pool).put("quiet", board.spec)
    for key in (board.key, quiet.key):
        await pool.execute(
            "INSERT INTO entry (player, board_id, season, seq, sort_key) "
            "SELECT 'p' || n, $1, 1, n, int8send(n) || int8send(n) FROM generate_series(1, 1005) AS n",
            key.board,
        )
    await pool.execute("UPDATE season SET active_at = now() - interval '25 hours' WHERE board_id = $1", quiet.key.board)
    assert await ledger.refresh_view(0)
    rows = await pool.fetch("SELECT board_id, max(seq) AS last, count(*) AS n FROM leaderboard_ranking GROUP BY 1")
    assert [tuple(row) for row in rows] == [(board.key.board, 1000, 1000)]
