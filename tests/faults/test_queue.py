"""What may become of a queue, of who sends to it and of who takes from it, under load and on real parts."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from typing import TYPE_CHECKING

import asyncpg
import httpx
import pytest

from tests.emulators import make_ministack
from tests.harness import PATIENCE, Watcher, eventually, free_port, ranked_top, ready, without_rank
from tests.queues import Mapping, Queues, functions_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.local.valkey import EmbeddedValkey
    from tests.harness import Node, Stack

PLAYERS = 20


@pytest.fixture
def own_queues(tmp_path: Path) -> Iterator[Queues]:
    """On an emulator that the test may stop."""
    with make_ministack(tmp_path / "aws") as emulator:
        yield Queues(emulator, visibility=3).make()


class Load:
    """Players who collect coins, one after the other, and count what was acknowledged."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.coins: Counter[str] = Counter()
        self.refused = 0
        self.stop = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(PLAYERS):
                tasks.create_task(self._collect(f"p{number}", self.nodes[number % len(self.nodes)]))

    async def _collect(self, player: str, node: Node) -> None:
        while not self.stop.is_set():
            answer = await node.http.post("/v1/boards/coins/scores", json={"player": player, "score": 1})
            if answer.status_code == 200:
                self.coins[player] += 1
                assert answer.json()["best"] == self.coins[player]
            else:
                self.refused += 1
            # Each pays some ten a second: enough that no moment is without one.
            await asyncio.sleep(0.1)

    def shown(self, watcher: Watcher) -> bool:
        """Whether a client shows what was acknowledged."""
        return {one["player"]: one["score"] for one in watcher.entries} == self.coins

    async def reach(self, coins: int) -> None:
        """Return when so many more were acknowledged."""
        wanted = self.coins.total() + coins

        async def reached() -> bool:
            return self.coins.total() >= wanted

        await eventually(reached)


async def outbox(stack: Stack, which: str = "true") -> int:
    """How many rows wait there."""
    connection = await asyncpg.connect(stack.settings.database_url, timeout=PATIENCE)
    try:
        return int(await connection.fetchval(f"SELECT count(*) FROM outbox WHERE {which}"))  # noqa: S608 - our own words
    finally:
        await connection.close()


async def newest(stack: Stack) -> int:
    """The id of the row that was written last."""
    connection = await asyncpg.connect(stack.settings.database_url, timeout=PATIENCE)
    try:
        return int(
            await connection.fetchval("SELECT pg_sequence_last_value(pg_get_serial_sequence('outbox', 'id')::regclass)")
        )
    finally:
        await connection.close()


async def ranked(node: Node) -> dict[str, int]:
    """Once it is there to be read: Redis may be slow to answer a node that waits half a second for it."""

    top = await eventually(lambda: ranked_top(node.http, "coins", limit=1000))
    return {one["player"]: one["score"] for one in top["entries"]}


async def test_sqs_stopped_for_a_while_under_load_loses_and_doubles_nothing(
    stack: Stack, own_queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes back empty, too: what it had taken and not delivered is sent again."""
    queued = functions_on(stack, own_queues, monkeypatch, resend_after=3.0, queue_timeout=1.0, queue_tries=1)
    async with queued.node() as one, queued.node() as two, Mapping(own_queues).running():
        board = {"columns": [{"name": "coins"}], "operator": "sum"}
        assert (await one.http.put("/v1/boards/coins", json=board)).status_code == 201
        load = Load([one, two])
        async with Watcher.on(two.live_url, "coins") as watcher:
            loading = asyncio.create_task(load.run())
            # It checks each frame against the one before: no version is missing, none comes twice.
            watching = asyncio.create_task(watcher.until(lambda watcher: load.stop.is_set() and load.shown(watcher)))
            await load.reach(100)
            await asyncio.to_thread(own_queues.emulator.stop)
            last = await newest(queued)
            await load.reach(200)
            assert load.refused == 0, "the API goes on accepting"
            assert await outbox(queued, f"id > {last}") > 0, "which waits: nobody can take it away"
            await asyncio.to_thread(own_queues.emulator.start)
            await asyncio.to_thread(own_queues.make)
            await load.reach(100)
            load.stop.set()
            await loading
            await queued.settled()
            assert await ranked(one) == load.coins
            await watching
            top = (await two.http.get("/v1/boards/coins/top", params={"limit": 100})).json()
            assert without_rank(top["entries"]) == watcher.entries
        assert load.refused == 0
        assert await eventually_empty(own_queues)


async def eventually_empty(queues: Queues) -> bool:
    async def empty() -> bool:
        return await asyncio.to_thread(queues.count) == 0

    return bool(await eventually(empty))


async def test_a_node_killed_between_commit_and_sending_leaves_its_rows_to_another(
    stack: Stack, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What it was just about to send when it was killed is free again after that time.
    queued = functions_on(stack, queues, monkeypatch, resend_after=3.0)
    port = free_port()
    # To this node the queue is away: it commits, and sends nothing.
    async with queued.process("api", port=port, aws_endpoint="http://127.0.0.1:9", queue_tries=1) as node:
        url = f"http://127.0.0.1:{port}"
        await ready(url)
        async with httpx.AsyncClient(base_url=url, headers=queued.headers("admin"), timeout=PATIENCE) as http:
            await http.put("/v1/boards/coins", json={"columns": [{"name": "coins"}]})
            for number in range(20):
                answer = await http.post("/v1/boards/coins/scores", json={"player": f"p{number}", "score": number})
                assert answer.status_code == 200
        node.send_signal(signal.SIGKILL)
        await node.wait()
    assert await outbox(queued) == 21
    async with queued.node() as other, Mapping(queues).running():
        await queued.settled()
        assert await ranked(other) == {f"p{number}": number for number in range(20)}


async def test_while_redis_is_away_messages_wait_and_then_all_of_them_are_applied(
    stack: Stack, valkey: EmbeddedValkey, own_queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are put off rather than tried in a circle, and none of them is buried."""
    queued = functions_on(stack, own_queues, monkeypatch, redis_timeout=0.5)
    async with queued.node() as node, Mapping(own_queues).running() as mapping:
        await node.http.put("/v1/boards/coins", json={"columns": [{"name": "coins"}]})
        await queued.settled()
        await asyncio.to_thread(valkey.stop)
        for number in range(20):
            answer = await node.http.post("/v1/boards/coins/scores", json={"player": f"p{number}", "score": number})
            assert answer.status_code == 200

        async def failed() -> bool:
            return mapping.failed > 0

        await eventually(failed)
        assert await outbox(queued) == 20
        await asyncio.to_thread(valkey.start)
        await queued.settled()
        assert await ranked(node) == {f"p{number}": number for number in range(20)}
        assert await eventually_empty(own_queues)
    assert own_queues.count(own_queues.dead_url) == 0


async def test_poison_in_the_outbox_of_one_machine_is_held_and_the_worker_goes_on(stack: Stack) -> None:
    async with stack.running() as (node,):
        await node.http.put("/v1/boards/coins", json={"columns": [{"name": "coins"}]})
        connection = await asyncpg.connect(stack.settings.database_url, timeout=PATIENCE)
        for payload in (b"", b"\xc1", b"\x91\x07", b"\x91\x93\x01\x01\x91\x07"):
            await connection.execute("INSERT INTO outbox (payload) VALUES ($1)", payload)
        await connection.close()
        await node.http.post("/v1/boards/coins/scores", json={"player": "ada", "score": 7})

        async def all_else_is_applied() -> bool:
            return await outbox(stack, "reason IS NULL") == 0

        await eventually(all_else_is_applied)
        assert await outbox(stack, "leased_until = 'infinity'") == 4
        assert await ranked(node) == {"ada": 7}
