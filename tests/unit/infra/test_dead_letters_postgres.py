from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from infra.dead_letters_postgres import PostgresDeadLetters
from infra.postgres import open_pool
from realtime.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def pool(emptied_database: str) -> AsyncIterator[Any]:
    pool = await open_pool(emptied_database, size=2, seconds=10, writer=True)
    yield pool
    await pool.close()


async def test_a_row_is_as_old_as_its_commit(pool: Any) -> None:
    await pool.execute(
        "INSERT INTO outbox (payload, leased_until, reason, created_at) "
        "VALUES ('abc', 'infinity', 'why', now() - interval '1 hour'), ('x', now() + interval '1 day', NULL, now())"
    )
    (row,) = await PostgresDeadLetters(pool).oldest(10)
    assert (row.reason, row.size) == ("why", 3)
    assert time.time() - row.at == pytest.approx(3600, abs=60)


async def test_rows_are_set_free_by_id_or_all_that_are_held(pool: Any) -> None:
    ids = [
        row["id"]
        for row in await pool.fetch(
            "INSERT INTO outbox (payload, leased_until) "
            "VALUES ('a', 'infinity'), ('b', 'infinity'), ('c', now() + interval '1 day'), ('d', now() + interval '1 day') "
            "RETURNING id"
        )
    ]
    letters = PostgresDeadLetters(pool)
    assert await letters.free([ids[0], ids[2], -1]) == {ids[0], ids[2]}
    assert await letters.free(None) == {ids[1]}
    free = await pool.fetch("SELECT id FROM outbox WHERE leased_until < now() AND reason IS NULL ORDER BY id")
    assert [row["id"] for row in free] == ids[:3]


async def test_a_store_that_is_away_is_unavailable(pool: Any) -> None:
    letters = PostgresDeadLetters(pool)
    await pool.close()
    for call in (letters.oldest(1), letters.redrive()):
        with pytest.raises(StoreUnavailable):
            await call
