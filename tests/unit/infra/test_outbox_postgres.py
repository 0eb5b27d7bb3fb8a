from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from infra.outbox_postgres import CHANNEL, OutboxBell, OutboxListener, PostgresOutbox
from infra.postgres import open_pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE = 10.0


@pytest.fixture
async def pool(emptied_database: str) -> AsyncIterator[Any]:
    pool = await open_pool(emptied_database, size=3, seconds=PATIENCE, writer=True)
    yield pool
    await pool.close()


@pytest.fixture
async def listener(emptied_database: str) -> AsyncIterator[OutboxListener]:
    """Connected, and waited until what may have rung before is over."""
    listener = OutboxListener(emptied_database, PATIENCE)
    await listener.wait(PATIENCE)
    yield listener
    await listener.close()


class Pool:
    """Counts what is executed, and fails where told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.fail = 0
        self.rung = asyncio.Event()

    async def execute(self, statement: str) -> None:
        self.said.append(statement)
        self.rung.set()
        if self.fail:
            self.fail -= 1
            raise asyncpg.InterfaceError("away")


async def test_a_ring_is_heard_by_who_waits(pool: Any, listener: OutboxListener) -> None:
    bell = OutboxBell(pool)
    ringing = asyncio.create_task(bell.run())
    waiting = asyncio.create_task(listener.wait(PATIENCE))
    bell.ring()
    async with asyncio.timeout(PATIENCE / 2):
        await waiting
    ringing.cancel()
    await asyncio.gather(ringing, return_exceptions=True)


async def test_rings_that_come_together_are_one() -> None:
    pool = Pool()
    bell = OutboxBell(pool)
    for _ in range(100):
        bell.ring()
    ringing = asyncio.create_task(bell.run())
    await pool.rung.wait()
    await asyncio.sleep(0)
    assert pool.said == [f"NOTIFY {CHANNEL}"]
    ringing.cancel()
    await asyncio.gather(ringing, return_exceptions=True)


async def test_a_bell_that_cannot_ring_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.outbox_postgres._PAUSE", 0.0)
    pool = Pool()
    pool.fail = 1
    bell = OutboxBell(pool)
    ringing = asyncio.create_task(bell.run())
    for rings in (1, 2):
        pool.rung.clear()
        bell.ring()
        await pool.rung.wait()
        assert len(pool.said) == rings
    ringing.cancel()
    await asyncio.gather(ringing, return_exceptions=True)


async def test_who_waits_is_back_after_its_time_without_a_ring(listener: OutboxListener) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    await listener.wait(0.05)
    assert 0.05 <= loop.time() - start < PATIENCE / 2


async def test_a_new_listener_looks_at_once(emptied_database: str) -> None:
    """What was committed before it listened rang for nobody."""
    listener = OutboxListener(emptied_database, PATIENCE)
    async with asyncio.timeout(PATIENCE / 2):
        await listener.wait(PATIENCE)
    await listener.close()


async def test_a_listener_whose_connection_was_cut_listens_again(pool: Any, listener: OutboxListener) -> None:
    cut = asyncio.Event()
    listener._connection.add_termination_listener(lambda _: cut.set())
    await pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()"
    )
    await cut.wait()
    # Reconnected, it looks at once.
    async with asyncio.timeout(PATIENCE / 2):
        await listener.wait(PATIENCE)
    waiting = asyncio.create_task(listener.wait(PATIENCE))
    await pool.execute(f"NOTIFY {CHANNEL}")
    async with asyncio.timeout(PATIENCE / 2):
        await waiting


async def test_without_a_server_a_listener_waits_its_time_and_polling_goes_on(tmp_path: Path) -> None:
    listener = OutboxListener(f"postgresql://nobody@/none?host={tmp_path}", 0.2)
    await listener.wait(0.01)
    await listener.close()


async def test_who_is_cancelled_while_the_bell_rings_is_cancelled(listener: OutboxListener) -> None:
    waiting = asyncio.create_task(listener.wait(PATIENCE))
    await asyncio.sleep(0)
    listener._hear()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_the_backlog_counts_rows_and_the_age_of_the_oldest(pool: Any) -> None:
    outbox = PostgresOutbox(pool, 10)
    assert await outbox.backlog() == (0, 0.0)
    await pool.execute("INSERT INTO outbox (payload, created_at) VALUES ('', now() - interval '90 s'), ('', now())")
    rows, age = await outbox.backlog()
    assert rows == 2
    assert 90 <= age < 90 + PATIENCE


async def lease(pool: Any) -> float:
    """Seconds for which the only row is still claimed."""
    return float(await pool.fetchval("SELECT extract(epoch FROM leased_until - clock_timestamp())::float8 FROM outbox"))


async def test_each_claim_that_was_not_released_holds_twice_as_long_up_to_a_bound(pool: Any) -> None:
    outbox = PostgresOutbox(pool, 60, doublings=2)
    await pool.execute("INSERT INTO outbox (payload) VALUES ('x')")
    for seconds in (60, 120, 240, 240, 240):
        (row,) = await outbox.claim(10)
        assert seconds - PATIENCE < await lease(pool) <= seconds
        await pool.execute("UPDATE outbox SET leased_until = '-infinity'")
    await outbox.claim(10)
    await outbox.release([row.id], -1)
    await outbox.claim(10)
    assert await lease(pool) <= 60


async def test_however_often_it_was_claimed_it_can_be_claimed(pool: Any) -> None:
    await pool.execute("INSERT INTO outbox (payload, claims) VALUES ('x', 32767)")
    assert len(await PostgresOutbox(pool, 10).claim(10)) == 1
    assert await lease(pool) <= 10


async def test_a_letter_says_to_the_microsecond_when_its_row_was_written(pool: Any) -> None:
    outbox = PostgresOutbox(pool, 10)
    await pool.execute("INSERT INTO outbox (payload, created_at) VALUES ('x', '2026-01-31 12:00:00.123457+00')")
    (letter,) = await outbox.claim(10)
    assert letter.at == 1_769_860_800_123_457
    assert await outbox.read([letter.id]) == [letter]


async def test_a_row_is_as_old_as_its_writing_not_as_its_transaction(pool: Any) -> None:
    """Transactions are begun ahead of time (decision 0005)."""
    async with pool.acquire() as connection, connection.transaction():
        begun = await connection.fetchval("SELECT now()")
        await asyncio.sleep(0.01)
        await connection.execute("INSERT INTO outbox (payload) VALUES ('x')")
    (letter,) = await PostgresOutbox(pool, 10).claim(10)
    assert letter.at >= round(begun.timestamp() * 1_000_000) + 10_000
