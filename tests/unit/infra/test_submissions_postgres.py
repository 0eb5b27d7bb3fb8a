"""What the batch promises beyond the port: its locks, and idempotency over midnight."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from infra.boards_postgres import PostgresBoards
from infra.postgres import open_pool
from infra.submissions_postgres import PostgresSubmissions
from infra.warm_postgres import WarmConnections
from realtime.core.errors import BoardChanged, StoreUnavailable
from realtime.core.fold import Outcome
from realtime.core.model import Operator
from tests.contract.sending import spec, submission

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from realtime.core.fold import Submission
    from realtime.core.model import Board


@pytest.fixture
async def outside(emptied_database: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(emptied_database, timeout=10)
    yield connection
    await connection.close(timeout=10)


@pytest.fixture
async def board(emptied_database: str) -> Board:
    pool = await open_pool(emptied_database, size=1, seconds=10, writer=True)
    board, _ = await PostgresBoards(pool).put("b", spec(Operator.SUM))
    await pool.close()
    return board


@pytest.fixture
async def submissions(emptied_database: str) -> AsyncIterator[PostgresSubmissions]:
    warm = WarmConnections(emptied_database, size=2, seconds=10)
    yield PostgresSubmissions(warm)
    await warm.close()


async def test_a_batch_waits_for_an_edit_that_is_under_way_and_sees_it(
    submissions: PostgresSubmissions, board: Board, outside: Any
) -> None:
    async with outside.transaction():
        await outside.execute("SELECT pg_advisory_xact_lock(1, $1)", board.key.board)
        submitting = asyncio.create_task(submissions.submit([submission(board, "ada", 1, 0)]))
        async with asyncio.timeout(10):
            while not await outside.fetchval(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            ):
                await asyncio.sleep(0.005)
        await outside.execute("UPDATE board SET revision = revision + 1 WHERE id = $1", board.key.board)
        assert not submitting.done()
    (result,) = await submitting
    assert isinstance(result, BoardChanged)


LOCK_ENTRY = "SELECT FROM entry WHERE player = $1 FOR NO KEY UPDATE"
LOCK_PROFILE = "SELECT FROM player WHERE player = $1 FOR NO KEY UPDATE"
MAKE_PROFILE = "INSERT INTO player (player) VALUES ($1)"
CLAIM_KEY = """
INSERT INTO idempotency (slot, day, id, body)
SELECT d % 3, d, $1, '' FROM (SELECT (extract(epoch FROM clock_timestamp())::bigint / 86400)::integer AS d) AS today
"""
PLAYERS = "abcdefghijkl"


async def in_order_of_locking(
    submissions: PostgresSubmissions, batch: Sequence[Submission], outside: Any, lock: str, rows: list[Any]
) -> None:
    """Hold a row in the middle: the batch must come to wait for it with those before it locked, and none behind it."""
    middle = len(rows) // 2
    holding = outside.transaction()
    await holding.start()
    await outside.execute(lock, rows[middle])
    submitting = asyncio.create_task(submissions.submit(batch))
    async with asyncio.timeout(10):
        while not await outside.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.005)
    # All of it within a second: then PostgreSQL looks for whoever wait for each other, and here they do.
    await outside.execute("SET LOCAL lock_timeout = 5")
    free = [row for row in rows[:middle] + rows[middle + 1 :] if await is_free(outside, lock, row)]
    await holding.rollback()
    results = await submitting
    assert all(isinstance(result, Outcome) for result in results)
    assert free == rows[middle + 1 :]


async def is_free(outside: Any, lock: str, row: object) -> bool:
    trying = outside.transaction()
    await trying.start()
    try:
        await outside.execute(lock, row)
    except asyncpg.LockNotAvailableError:
        return False
    finally:
        await trying.rollback()
    return True


@pytest.mark.parametrize("lock", [LOCK_ENTRY, LOCK_PROFILE, MAKE_PROFILE, CLAIM_KEY])
async def test_rows_are_locked_in_the_order_of_their_keys_whatever_the_order_of_arrival(
    submissions: PostgresSubmissions, board: Board, outside: Any, lock: str
) -> None:
    """Else two nodes with the same players wait for each other in a ring."""
    named = "New" if lock == LOCK_PROFILE else None
    batch = [submission(board, player, 1, 0, name=named, key=player) for player in PLAYERS]
    random.Random(5).shuffle(batch)
    if lock != MAKE_PROFILE:
        await submissions.submit([submission(board, player, 1, 0) for player in PLAYERS])
    rows: list[Any] = sorted(one.key for one in batch) if lock == CLAIM_KEY else list(PLAYERS)
    await in_order_of_locking(submissions, batch, outside, lock, rows)


async def age(outside: Any, days: int) -> None:
    """Make every idempotency key so many days older."""
    rows = await outside.fetch("DELETE FROM idempotency RETURNING day, id, body, result")
    for row in rows:
        day = row["day"] - days
        insert = "INSERT INTO idempotency (slot, day, id, body, result) VALUES ($1 % 3, $1, $2, $3, $4)"
        await outside.execute(insert, day, row["id"], row["body"], row["result"])


async def test_a_key_of_yesterday_is_answered_as_it_was_and_an_older_one_is_free(
    submissions: PostgresSubmissions, board: Board, outside: Any
) -> None:
    (first,) = await submissions.submit([submission(board, "ada", 1, 0, key="k")])
    await age(outside, 1)
    assert await submissions.submit([submission(board, "ada", 1, 0, key="k")]) == [first]
    await outside.execute("DELETE FROM idempotency WHERE result IS NULL")
    await age(outside, 1)
    (again,) = await submissions.submit([submission(board, "ada", 1, 0, key="k")])
    assert isinstance(again, Outcome)
    assert again.best == (2, 0)


async def test_what_is_only_looked_up_leaves_no_key_without_an_answer(
    submissions: PostgresSubmissions, board: Board, outside: Any
) -> None:
    await submissions.submit([submission(board, "ada", 1, 0, key="k")])
    await age(outside, 1)
    await submissions.submit([submission(board, "ada", 1, 0, key="k")])
    assert await outside.fetchval("SELECT count(*) FROM idempotency WHERE result IS NULL") == 0


async def test_a_batch_leaves_no_placeholders(submissions: PostgresSubmissions, board: Board, outside: Any) -> None:
    await submissions.submit([submission(board, "ada", 2**63 - 1, 0)])
    results = await submissions.submit([submission(board, "ada", 1, 0), submission(board, "bob", 1, 0)])
    assert isinstance(results[1], Outcome)
    rows = await outside.fetch("SELECT player, seq FROM entry ORDER BY player")
    assert [row["player"] for row in rows] == ["ada", "bob"]
    assert all(row["seq"] for row in rows)


async def test_a_store_that_is_away_takes_nothing(board: Board, tmp_path: Path) -> None:
    warm = WarmConnections(f"postgresql://nobody@/none?host={tmp_path}", size=1, seconds=1)
    with pytest.raises(StoreUnavailable):
        await PostgresSubmissions(warm).submit([submission(board, "ada", 1, 0)])
    await warm.close()
