"""A failover of PostgreSQL, as whoever connects first finds it: another timeline than the one that was noted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from infra import timeline_postgres
from infra.boards_postgres import PostgresBoards
from infra.outbox_postgres import CHANNEL
from infra.postgres import open_pool
from infra.timeline_postgres import follow_timeline
from realtime.core import outbox
from realtime.core.model import BoardSpec, Column

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ANOTHER = "UPDATE timeline SET id = '00000000'"


@pytest.fixture
async def pool(emptied_database: str) -> AsyncIterator[Any]:
    pool = await open_pool(emptied_database, size=4, seconds=10, writer=True)
    yield pool
    await pool.close()


async def followed(pool: Any) -> bool:
    async with pool.acquire() as connection:
        return await follow_timeline(connection)


async def boards(pool: Any, *names: str) -> list[int]:
    made = [await PostgresBoards(pool).put(name, BoardSpec(title="", columns=(Column("c"),))) for name in names]
    await pool.execute("DELETE FROM outbox")
    return [board.key.board for board, _ in made]


async def noticed(pool: Any) -> list[list[int]]:
    """The boards of each row."""
    rows = await pool.fetch("SELECT payload FROM outbox ORDER BY id")
    return [[key.board for key, changes in outbox.decode(row["payload"]) if not changes] for row in rows]


async def numbers(pool: Any) -> list[int]:
    return [await pool.fetchval("SELECT nextval($1::regclass)", name) for name in ("change_seq", "epoch_seq")]


async def test_on_the_same_timeline_nothing_is_done(pool: Any) -> None:
    await boards(pool, "b")
    before = await numbers(pool)
    assert not await followed(pool)
    assert await numbers(pool) == [number + 1 for number in before]
    assert await noticed(pool) == []


async def test_no_number_is_given_out_twice_whatever_the_standby_had_not_heard_of(pool: Any) -> None:
    before = await numbers(pool)
    await pool.execute(ANOTHER)
    assert await followed(pool)
    assert min(after - number for number, after in zip(before, await numbers(pool), strict=True)) > 1_000_000


async def test_of_many_who_connect_at_once_one_does_it(pool: Any) -> None:
    made = await boards(pool, "b")
    await pool.execute(ANOTHER)
    assert sorted(await asyncio.gather(*(followed(pool) for _ in range(4)))) == [False, False, False, True]
    assert await noticed(pool) == [made]


async def test_every_living_board_gets_a_notice_a_bounded_number_of_them_in_a_row(
    pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await boards(pool, "a", "b", "c", "dead")
    await PostgresBoards(pool).delete("dead")
    await pool.execute("DELETE FROM outbox")
    monkeypatch.setattr(timeline_postgres, "_NOTICES", 2)
    await pool.execute(ANOTHER)
    await followed(pool)
    assert await noticed(pool) == [made[:2], made[2:3]]


async def test_who_listens_for_the_outbox_is_woken(pool: Any, emptied_database: str) -> None:
    await boards(pool, "b")
    await pool.execute(ANOTHER)
    rung = asyncio.Event()
    listening = await asyncpg.connect(emptied_database, timeout=10)
    try:
        await listening.add_listener(CHANNEL, lambda *_: rung.set())
        await followed(pool)
        async with asyncio.timeout(5):
            await rung.wait()
    finally:
        await listening.close(timeout=10)
