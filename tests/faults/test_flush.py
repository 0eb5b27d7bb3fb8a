from __future__ import annotations

import asyncio
import dataclasses
import random
from typing import TYPE_CHECKING, Any

import asyncpg
from redis.asyncio import Redis

from tests.harness import PATIENCE, Watcher, eventually, ranked_top, without_rank

if TYPE_CHECKING:
    from infra.local.valkey import EmbeddedValkey
    from tests.harness import Node, Stack

PLAYERS = 3000


async def fill(node: Node) -> None:
    await node.http.put("/v1/boards/arcade", json={"columns": [{"name": "score"}]})
    for start in range(0, PLAYERS, 1000):
        rows = [{"player": f"p{number}", "score": number} for number in range(start, start + 1000)]
        answer = await node.http.post("/v1/boards/arcade/scores/batch", json=rows)
        assert answer.status_code == 200

    async def ranked() -> bool:
        top = await ranked_top(node.http, "arcade", limit=1000)
        return top is not None and top["total"] == PLAYERS

    await eventually(ranked)


class Reader:
    """Reads the top and some ranks over and over, and remembers what it was told."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.epochs: set[int] = set()
        self.stale = 0
        self.reads = 0

    async def run(self) -> None:
        last = (0, 0)
        while True:
            for path, cached in (("top?limit=100", True), ("top?limit=10&offset=2000", False), ("players/p5", False)):
                answer = (await self.node.http.get(f"/v1/boards/arcade/{path}")).json()
                self.reads += 1
                assert answer["total"] >= PLAYERS, f"a half board was shown: {answer}"
                if answer.get("stale"):
                    self.stale += 1
                    continue
                position = (answer["epoch"], answer["version"])
                if cached:
                    assert position >= last, "a node went back"
                    last = position
                self.epochs.add(answer["epoch"])

    async def until(self, epoch: int, reading: asyncio.Task[None]) -> None:
        """Return once it was told of this epoch, or of one that came after it."""

        async def told() -> bool:
            assert not reading.done(), reading.exception()
            return max(self.epochs, default=0) >= epoch

        await eventually(told)


async def test_a_flush_under_load_gives_a_new_epoch_and_the_right_board_and_never_half_of_it(
    stack: Stack, valkey: EmbeddedValkey
) -> None:
    chance = random.Random(5)
    # What the store cannot count in time is left out of an answer; here it is given the time, however slow the machine.
    stack = dataclasses.replace(stack, settings=dataclasses.replace(stack.settings, replica_timeout=PATIENCE))
    async with stack.running(nodes=2) as (first, second):
        await fill(first)
        reader = Reader(second)
        reading = asyncio.create_task(reader.run())
        stop = asyncio.Event()

        async def submit() -> None:
            while not stop.is_set():
                rows = [
                    {"player": f"p{chance.randrange(PLAYERS)}", "score": chance.randrange(10**6)} for _ in range(20)
                ]
                assert (await first.http.post("/v1/boards/arcade/scores/batch", json=rows)).status_code == 200

        sending = [asyncio.create_task(submit()) for _ in range(3)]
        async with Watcher.on(second.live_url, "arcade") as watcher, Redis.from_url(valkey.url) as redis:
            old = watcher.epoch
            for _ in range(2):
                before = watcher.epoch
                await reader.until(before, reading)
                await redis.flushall()
                await watcher.until(lambda watcher, before=before: watcher.epoch > before)  # type: ignore[misc]
                assert watcher.total == PLAYERS
            await reader.until(watcher.epoch, reading)
            stop.set()
            await asyncio.gather(*sending)
            answer = await first.http.post("/v1/boards/arcade/scores", json={"player": "last", "score": 10**7})
            await watcher.until(lambda watcher: any(one["player"] == "last" for one in watcher.entries))
            after = f"last:{answer.json()['seq']}"
            await stack.settled()
            shown: list[dict[str, Any]] = []
            while len(shown) < PLAYERS + 1:
                query = {"limit": 1000, "offset": len(shown), "after": after}
                shown += (await second.http.get("/v1/boards/arcade/top", params=query)).json()["entries"]
            await watcher.until(lambda watcher: watcher.entries == without_rank(shown[:100]))
            assert watcher.epoch > old
        assert not reading.done(), reading.exception()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert len(reader.epochs) >= 2
        connection = await asyncpg.connect(stack.settings.database_url, timeout=PATIENCE)
        try:
            truth = await connection.fetch("SELECT player, c1, seq FROM entry ORDER BY sort_key")
        finally:
            await connection.close()
        assert [(one["player"], one["score"], one["seq"]) for one in shown] == [tuple(row) for row in truth]
