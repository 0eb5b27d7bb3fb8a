"""A node that hears nothing any more, and is told nothing of it: what it shows is found out and mended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis

from infra.ranking_redis import name
from realtime.client.live import connect
from realtime.client.player import PlayerState
from realtime.client.reducer import State
from tests.harness import PATIENCE, Node, Stack, eventually

if TYPE_CHECKING:
    from realtime.client.topic import Held
    from realtime.core.model import BoardKey

FOUND = 10.0
"""Seconds within which a node finds out."""
CHANNELS = ("top", "moves")
VIEWS = ("top", "player", "around")


class Shown:
    """The newest state of each view."""

    def __init__(self) -> None:
        self.states: dict[str, Held] = {}
        self._changed = asyncio.Event()

    async def follow(self, view: str, states: AsyncIterator[Any]) -> None:
        async for state in states:
            self.states[view] = state
            self._changed.set()

    async def until_all_show(self, score: int) -> None:
        """Return when each view shows that the leader has this score."""
        while not all(view in self.states and leads(self.states[view], score) for view in VIEWS):
            self._changed.clear()
            await self._changed.wait()


def leads(state: Held, score: int) -> bool:
    if isinstance(state, PlayerState):
        return (state.rank, state.score) == (1, (score,))
    assert isinstance(state, State)
    return [(one.rank, one.score) for one in state.entries[:1]] == [(1, (score,))]


@asynccontextmanager
async def watching(node: Node) -> AsyncIterator[Shown]:
    shown = Shown()
    async with connect(node.url) as live:
        views = zip(
            VIEWS, (live.top("arcade"), live.player("arcade", "ada"), live.around("arcade", "ada")), strict=True
        )
        following = [asyncio.create_task(shown.follow(view, states)) for view, states in views]
        try:
            yield shown
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)


async def silence(node: Node, redis: Redis, key: BoardKey) -> None:
    """The server forgets who listens to a board, and says so to nobody that would look."""
    channels = [name(key, channel).encode() for channel in CHANNELS]
    bus = node.service.hub.shell.bus
    for channel in channels:
        bus._connection.unsubscribe(channel)

    async def nobody_listens() -> bool:
        return [count for _, count in await redis.pubsub_numsub(*channels)] == [0, 0]

    await eventually(nobody_listens)


async def counted(node: Node, metric: str) -> int:
    lines = (await node.http.get("/metrics")).text.splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith(f"rankcast_{metric}_total "))


async def test_a_subscription_that_is_silently_lost_is_found_and_made_again(stack: Stack) -> None:
    redis = Redis.from_url(stack.settings.redis_url)

    async def score(points: int) -> None:
        rows = [{"player": "ada", "score": points}, {"player": "bob", "score": points - 1}]
        assert (await node.http.post("/v1/boards/arcade/scores/batch", json=rows)).status_code == 200

    async with stack.running() as (node,), redis:
        await node.http.put("/v1/boards/arcade", json={"columns": [{"name": "score"}]})
        await score(10)
        async with watching(node) as shown:
            await shown.until_all_show(10)
            await stack.settled()
            resyncs = await counted(node, "resyncs")
            board = await node.service.hub.directory.get("arcade")
            await silence(node, redis, board.key)
            await score(20)
            async with asyncio.timeout(FOUND):
                await shown.until_all_show(20)
            assert await counted(node, "drift") == 1
            assert await counted(node, "resyncs") - resyncs >= 2
            # From then on it hears again: what only a comparison found would count as drift.
            for points in range(30, 40):
                await score(points)
                async with asyncio.timeout(PATIENCE):
                    await shown.until_all_show(points)
            assert await counted(node, "drift") == 1
