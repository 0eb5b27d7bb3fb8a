from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx

from tests.harness import PATIENCE, eventually, free_port, ranked_top, ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.harness import Stack


async def query(stack: Stack, ask: Callable[[Any], Awaitable[Any]]) -> Any:
    connection = await asyncpg.connect(stack.settings.database_url, timeout=PATIENCE)
    try:
        return await ask(connection)
    finally:
        await connection.close()


async def test_a_worker_killed_in_mid_batch_loses_nothing(stack: Stack) -> None:
    async with stack.node() as node:
        await node.http.put("/v1/boards/arcade", json={"columns": [{"name": "score"}]})
        sent = 0

        async def send_more() -> None:
            nonlocal sent
            rows = [{"player": f"p{number}", "score": number} for number in range(sent, sent + 1000)]
            assert (await node.http.post("/v1/boards/arcade/scores/batch", json=rows)).status_code == 200
            sent += len(rows)

        while sent < 40_000:
            await send_more()
        left = "SELECT count(*) FROM outbox"
        # A batch that was just over when its worker was killed is no example: then another one is.
        await kill_in_mid_batch(stack, send_more)
        while not await query(stack, lambda c: c.fetchval(left)):
            await send_more()
            await kill_in_mid_batch(stack, send_more)
        async with stack.process("workers", lease=2.0):

            async def all_are_ranked() -> bool:
                held = await ranked_top(node.http, "arcade", limit=1000)
                return held is not None and held["total"] == sent

            await eventually(all_are_ranked)
            await eventually(lambda: query(stack, lambda c: c.fetchval("SELECT count(*) = 0 FROM outbox")))
        page = (await node.http.get("/v1/boards/arcade/top", params={"limit": 1000, "offset": sent - 1000})).json()
        assert [one["player"] for one in page["entries"]] == [f"p{number}" for number in range(999, -1, -1)]


async def kill_in_mid_batch(stack: Stack, send_more: Callable[[], Awaitable[None]]) -> None:
    """Kill a worker that has claimed rows."""
    claimed, waiting = "SELECT count(*) FROM outbox WHERE leased_until > now()", "SELECT count(*) FROM outbox"
    async with stack.process("workers", lease=2.0) as worker:

        async def stopped() -> bool:
            worker.send_signal(signal.SIGSTOP)
            if await query(stack, lambda c: c.fetchval(claimed)):
                return True
            if not await query(stack, lambda c: c.fetchval(waiting)):
                # It did all of it before it was looked at.
                await send_more()
            worker.send_signal(signal.SIGCONT)
            return False

        await eventually(stopped)
        worker.send_signal(signal.SIGKILL)
        await worker.wait()


@asynccontextmanager
async def commits_held(stack: Stack) -> AsyncIterator[None]:
    """Commits are written, and then wait for a standby that there is none of: nobody hears of them."""
    probe = "SELECT pg_logical_emit_message(true, 'probe', '')"
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '%probe%'"
    probing: list[asyncio.Task[Any]] = []

    async def held() -> int:
        # The server reads its settings when it comes to it: until then each commit goes through.
        if not probing or probing[-1].done():
            probing.append(asyncio.create_task(query(stack, lambda c: c.execute(probe))))
        return int(await query(stack, lambda c: c.fetchval(waits)))

    await configure(stack, "SET synchronous_standby_names = 'nobody'")
    try:
        await eventually(held)
        yield
    finally:
        await configure(stack, "RESET synchronous_standby_names")
        await asyncio.gather(*probing)


async def configure(stack: Stack, setting: str) -> None:
    await query(stack, lambda c: c.execute(f"ALTER SYSTEM {setting}"))
    await query(stack, lambda c: c.execute("SELECT pg_reload_conf()"))


async def test_a_node_killed_between_commit_and_answer_loses_and_doubles_nothing(stack: Stack) -> None:
    """Clients repeat what was not answered, under its key; every coin is counted exactly once."""
    port = free_port()
    async with stack.running() as (other,):
        await other.http.put("/v1/boards/coins", json={"columns": [{"name": "coins"}], "operator": "sum"})
        async with stack.process("api", port=port) as node:
            await ready(f"http://127.0.0.1:{port}")
            answered = {key: await pay(stack, port, key) for key in ("a", "b")}
            async with commits_held(stack):
                paying = {key: asyncio.create_task(pay(stack, port, key)) for key in map(str, range(20))}
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE 'COMMIT%'"
                await eventually(lambda: query(stack, lambda c: c.fetchval(waiting)))
                node.send_signal(signal.SIGKILL)
                await node.wait()
        assert not any([await task for task in paying.values()])
        before = await eventually(lambda: committed_more_than(stack, len(answered)))
        assert before > len(answered), "something was committed and never answered"
        for key, answer in (answered | dict.fromkeys(paying)).items():
            repeated = await other.http.post(
                "/v1/boards/coins/scores",
                json={"player": key, "score": 1},
                headers=stack.headers() | {"Idempotency-Key": key},
            )
            assert repeated.status_code == 200, repeated.text
            assert answer is None or repeated.json() == answer
        assert await coins(stack) == len(answered) + len(paying)


async def committed_more_than(stack: Stack, number: int) -> int:
    counted = await coins(stack)
    return counted if counted > number else 0


async def coins(stack: Stack) -> int:
    return int(await query(stack, lambda c: c.fetchval("SELECT coalesce(sum(c1), 0) FROM entry")))


async def pay(stack: Stack, port: int, key: str) -> Any:
    """The answer, or None where the node died first."""
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        try:
            answer = await http.post(
                f"http://127.0.0.1:{port}/v1/boards/coins/scores",
                json={"player": key, "score": 1},
                headers=stack.headers() | {"Idempotency-Key": key},
            )
        except httpx.TransportError:
            return None
    assert answer.status_code == 200, answer.text
    return answer.json()
