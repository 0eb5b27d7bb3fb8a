from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from infra.warm_postgres import WarmConnections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def warm(emptied_database: str) -> AsyncIterator[WarmConnections]:
    warm = WarmConnections(emptied_database, size=2, seconds=5)
    yield warm
    await warm.close()


@pytest.fixture
async def outside(emptied_database: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(emptied_database, timeout=10)
    yield connection
    await connection.close(timeout=10)


ROWS = "SELECT count(*) FROM view_refresh WHERE NOT only_row OR refreshed_at = '2000-01-01'"
WRITE = "UPDATE view_refresh SET refreshed_at = '2000-01-01'"


async def test_what_was_done_in_the_block_is_committed_when_it_ends(warm: WarmConnections, outside: Any) -> None:
    async with warm.transaction() as connection:
        await connection.execute(WRITE)
        assert await outside.fetchval(ROWS) == 0
    assert await outside.fetchval(ROWS) == 1


async def test_what_failed_is_rolled_back_and_the_next_one_works(warm: WarmConnections, outside: Any) -> None:
    async def fail() -> None:
        async with warm.transaction() as connection:
            await connection.execute(WRITE)
            raise ZeroDivisionError

    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            await fail()
    assert await outside.fetchval(ROWS) == 0
    async with warm.transaction() as connection:
        await connection.execute(WRITE)
    assert await outside.fetchval(ROWS) == 1


async def test_a_connection_stands_ready_without_a_snapshot_or_a_lock(warm: WarmConnections, outside: Any) -> None:
    async with warm.transaction() as connection:
        pid = connection.get_server_pid()
        await connection.execute(WRITE)
    await asyncio.gather(*warm._tasks)
    row = await outside.fetchrow("SELECT state, backend_xmin, backend_xid FROM pg_stat_activity WHERE pid = $1", pid)
    assert tuple(row) == ("idle in transaction", None, None)
    assert await outside.fetchval("SELECT count(*) FROM pg_locks WHERE pid = $1 AND locktype <> 'virtualxid'", pid) == 0


async def test_a_connection_that_was_cut_is_replaced(warm: WarmConnections, outside: Any) -> None:
    async with warm.transaction() as connection:
        pid = connection.get_server_pid()
    await asyncio.gather(*warm._tasks)
    await outside.execute("SELECT pg_terminate_backend($1, 5000)", pid)
    # The driver hears of it by its next turn at the socket; a batch in between fails and is answered as such.
    for _ in range(3):
        try:
            async with warm.transaction() as connection:
                await connection.execute(WRITE)
            break
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            continue
    assert await outside.fetchval(ROWS) == 1


async def test_who_comes_when_all_are_taken_waits_for_one(warm: WarmConnections) -> None:
    async def use() -> int:
        async with warm.transaction() as connection:
            return int(await connection.fetchval("SELECT 1"))

    async with warm.transaction():
        async with warm.transaction():
            third = asyncio.create_task(use())
            for _ in range(100):
                await asyncio.sleep(0)
            assert not third.done()
        assert await third == 1
    assert await asyncio.gather(*(use() for _ in range(20))) == [1] * 20


async def test_a_server_that_is_away_fails_who_comes_and_keeps_no_place(tmp_path: Path) -> None:
    warm = WarmConnections(f"postgresql://nobody@/none?host={tmp_path}", size=1, seconds=1)
    for _ in range(3):
        with pytest.raises(OSError, match=r"No such file|refused|not exist"):
            async with warm.transaction():
                pytest.fail("there is no server")
    await warm.close()
