from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from infra.postgres import open_pool, wrapped
from realtime.core.errors import BoardUnknown, StoreUnavailable


@pytest.mark.parametrize(
    "error",
    [asyncpg.PostgresError("x"), asyncpg.InterfaceError("x"), OSError("x"), TimeoutError(), ConnectionResetError()],
)
def test_what_the_driver_raises_becomes_ours_and_keeps_its_cause(error: Exception) -> None:
    with pytest.raises(StoreUnavailable) as raised, wrapped():
        raise error
    assert raised.value.__cause__ is error
    assert type(error).__name__ in str(raised.value)


@pytest.mark.parametrize("error", [BoardUnknown("x"), ZeroDivisionError()])
def test_everything_else_passes(error: Exception) -> None:
    with pytest.raises(type(error)), wrapped():
        raise error


async def test_a_statement_that_takes_too_long_is_ended(emptied_database: str) -> None:
    pool = await open_pool(emptied_database, size=1, seconds=0.05, writer=False)
    try:
        with pytest.raises(StoreUnavailable), wrapped():
            await pool.execute("SELECT pg_sleep(50)")
        # The same connection, which is free again; how soon it answers is nothing to prove.
        assert await pool.fetchval("SELECT 1", timeout=20) == 1
    finally:
        await pool.close()


async def test_a_server_that_is_away_fails_a_pool_at_once_and_a_lazy_one_at_its_first_use(tmp_path: Path) -> None:
    url = f"postgresql://nobody@/none?host={tmp_path}"
    with pytest.raises(StoreUnavailable):
        await open_pool(url, size=1, seconds=1, writer=True)
    pool = await open_pool(url, size=1, seconds=1, writer=True, lazy=True)
    with pytest.raises(StoreUnavailable), wrapped():
        await pool.fetchval("SELECT 1")
    pool.terminate()
