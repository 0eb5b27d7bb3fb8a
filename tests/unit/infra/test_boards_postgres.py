from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from infra.boards_postgres import PostgresBoards
from infra.postgres import open_pool
from realtime.core.errors import BoardHasEntries
from realtime.core.model import BoardSpec, Column, Operator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SPEC = BoardSpec(title="", columns=(Column("c"),))


@pytest.fixture
async def pool(emptied_database: str) -> AsyncIterator[Any]:
    pool = await open_pool(emptied_database, size=2, seconds=10, writer=True)
    yield pool
    await pool.close()


@pytest.fixture
async def batch(emptied_database: str) -> AsyncIterator[Any]:
    """The connection of a batch that is under way elsewhere."""
    connection = await asyncpg.connect(emptied_database, timeout=10)
    yield connection
    await connection.close(timeout=10)


async def waiting_for_a_lock(pool: Any) -> None:
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with asyncio.timeout(10):
        while not await pool.fetchval(query):
            await asyncio.sleep(0.005)


async def test_an_edit_waits_for_the_batches_that_were_checked_against_the_old_document(pool: Any, batch: Any) -> None:
    boards = PostgresBoards(pool)
    board, _ = await boards.put("b", SPEC)
    async with batch.transaction():
        await batch.execute("SELECT pg_advisory_xact_lock_shared(1, $1)", board.key.board)
        editing = asyncio.create_task(boards.put("b", BoardSpec(title="", columns=SPEC.columns, operator=Operator.SUM)))
        await waiting_for_a_lock(pool)
        await batch.execute("INSERT INTO entry (player, board_id, season, seq) VALUES ('p', $1, 1, 1)", board.key.board)
        assert not editing.done()
    with pytest.raises(BoardHasEntries):
        await editing


async def test_a_delete_waits_for_them_too(pool: Any, batch: Any) -> None:
    boards = PostgresBoards(pool)
    board, _ = await boards.put("b", SPEC)
    async with batch.transaction():
        await batch.execute("SELECT pg_advisory_xact_lock_shared(1, $1)", board.key.board)
        deleting = asyncio.create_task(boards.delete("b"))
        await waiting_for_a_lock(pool)
        assert not deleting.done()
    assert (await deleting).key == board.key
