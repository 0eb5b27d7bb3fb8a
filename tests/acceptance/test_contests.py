"""Both real contests through the real stack, with everything a queue may do to messages, against the official standings."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import AsyncExitStack
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from redis.asyncio import Redis

from infra.outbox_postgres import PostgresOutbox
from infra.ranking_redis import name
from infra.resources import worker_resources
from realtime.core import sortkey
from realtime.core.letters import Letter
from realtime.core.model import BoardKey, Column, Direction
from tests.harness import PATIENCE, Watcher, without_rank
from workers.refreshing import Refresh

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.harness import Node, Stack

DATA = Path(__file__).parent.parent / "data"
COLUMNS = (Column("solved", Direction.DESC), Column("penalty", Direction.ASC))
DOCUMENT = {
    "columns": [{"name": "solved", "direction": "desc"}, {"name": "penalty", "direction": "asc"}],
    "operator": "best",
}
GHOSTS = 20


class UnkindOutbox:
    """Delivers as a queue may: out of order, one in ten twice, and now and then a copy from long ago."""

    def __init__(self, outbox: PostgresOutbox, chance: random.Random) -> None:
        self.outbox = outbox
        self.chance = chance
        self.old: list[bytes] = []
        self.twice = 0
        self.late = 0

    async def claim(self, limit: int) -> list[Letter]:
        letters = await self.outbox.claim(limit)
        delivered = list(letters)
        for letter in letters:
            # And one of each at the least: how many rows there are depends on how many scores came at one go.
            if not self.twice or self.chance.random() < 0.1:
                delivered.append(Letter(-1, letter.payload))
                self.twice += 1
            if self.old and (not self.late or self.chance.random() < 0.1):
                delivered.append(Letter(-1, self.chance.choice(self.old)))
                self.late += 1
            self.old.append(letter.payload)
        self.chance.shuffle(delivered)
        return delivered

    async def settle(self, ids: Sequence[int]) -> None:
        await self.outbox.settle([one for one in ids if one >= 0])

    async def release(self, ids: Sequence[int], delay: float) -> None:
        await self.outbox.release([one for one in ids if one >= 0], delay)


def submissions(contest: str, chance: random.Random) -> list[dict[str, Any]]:
    """The contest's events, with scores mixed in that must not count and players who are not of the contest."""
    events = [json.loads(line) for line in (DATA / f"{contest}.events.ndjson").read_text().splitlines()]
    rows = []
    for event in events:
        rows.append({"player": event["player"], "score": [event["solved"], event["penalty"]], "name": event["name"]})
        if chance.random() < 0.15:
            worse = [event["solved"], event["penalty"] + 60] if chance.random() < 0.5 else [event["solved"] - 1, 0]
            rows.append({"player": event["player"], "score": worse})
    for number in range(GHOSTS):
        rows.insert(chance.randrange(len(rows)), {"player": f"ghost-{number}", "score": [99, number]})
    return rows


async def play(node: Node, board: str, rows: list[dict[str, Any]], chance: random.Random) -> None:
    """Send all of it: single submissions and batches, shuffled within a batch, from several connections at once."""
    gate = asyncio.Semaphore(8)

    async def send(some: list[dict[str, Any]]) -> None:
        async with gate:
            if len(some) == 1:
                answer = await node.http.post(f"/v1/boards/{board}/scores", json=some[0])
            else:
                answer = await node.http.post(f"/v1/boards/{board}/scores/batch", json=some)
                assert all("seq" in one for one in answer.json()["results"])
            assert answer.status_code == 200, answer.text

    async with asyncio.TaskGroup() as sending:
        at = 0
        while at < len(rows):
            size = chance.choice([1, 1, 2, 10, 60, 200])
            some = rows[at : at + size]
            chance.shuffle(some)
            sending.create_task(send(some))
            at += size


async def remove(node: Node, board: str, player: str) -> None:
    assert (await node.http.delete(f"/v1/boards/{board}/players/{player}")).status_code == 200


async def whole_board(node: Node, board: str, after: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    while True:
        query = {"limit": 1000, "offset": len(entries), "after": after}
        answer = await node.http.get(f"/v1/boards/{board}/top", params=query)
        assert answer.status_code == 200, answer.text
        entries += answer.json()["entries"]
        if len(entries) >= answer.json()["total"]:
            return entries


# The large one is half a minute of work where nobody else works.
@pytest.mark.timeout(180)
@pytest.mark.parametrize("contest", ["contest-harbin", "contest-online"])
async def test_the_final_board_equals_the_official_standings(
    stack: Stack, contest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A merged delta that is larger than the list would go out as a snapshot; this client is to live on deltas alone.
    monkeypatch.setattr("realtime.gateway.top.WORTH_COMPARING", 10**9)
    official = json.loads((DATA / f"{contest}.standings.json").read_text())["standings"]
    chance = random.Random(contest)
    async with AsyncExitStack() as opened:
        first = await opened.enter_async_context(stack.node())
        second = await opened.enter_async_context(stack.node())
        resources = await opened.enter_async_context(worker_resources(stack.settings))
        outbox = UnkindOutbox(resources.outbox, chance)
        refresh = Refresh(outbox, resources.ledger, resources.boards, resources.ranking)

        async def work() -> None:
            while True:
                if not await refresh.step():
                    await resources.listener.wait(0.2)

        worker = asyncio.create_task(work())
        try:
            for mode in ("competition", "ordinal"):
                board = f"{contest}-{mode}"
                created = await first.http.put(f"/v1/boards/{board}", json=DOCUMENT | {"ranks": mode})
                assert created.status_code == 201
                async with Watcher.on(second.live_url, board) as watcher:
                    await one_contest(stack, (first, second), watcher, board, mode, official, contest, chance)
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            await refresh.close()
        assert outbox.twice
        assert outbox.late


async def one_contest(
    stack: Stack,
    nodes: tuple[Node, Node],
    watcher: Watcher,
    board: str,
    mode: str,
    official: list[dict[str, Any]],
    contest: str,
    chance: random.Random,
) -> None:
    first, second = nodes
    rows = submissions(contest, chance)
    playing = asyncio.create_task(play(first, board, rows, chance))
    following = asyncio.create_task(follow(watcher))
    await playing
    # Some leave and come back with what they had reached; the ghosts leave for good.
    leavers = chance.sample([one["player"] for one in official], 10)
    for player in leavers + [f"ghost-{number}" for number in range(GHOSTS)]:
        await remove(first, board, player)
    reached = {one["player"]: [one["solved"], one["penalty"]] for one in official}
    seq = 0
    for player in leavers:
        answer = await first.http.post(f"/v1/boards/{board}/scores", json={"player": player, "score": reached[player]})
        assert answer.json()["improved"]
        seq = answer.json()["seq"]
    after = f"{leavers[-1]}:{seq}"
    await stack.settled()

    in_rest = await whole_board(second, board, after)
    assert [one["player"] for one in in_rest] == await in_postgres(stack, board)
    assert [one["player"] for one in in_rest] == await in_redis(stack, board)
    assert {one["player"]: one["score"] for one in in_rest} == {
        one["player"]: [one["solved"], one["penalty"]] for one in official
    }
    if mode == "competition":
        assert {one["player"]: one["rank"] for one in in_rest} == {one["player"]: one["rank"] for one in official}
    else:
        assert [one["rank"] for one in in_rest] == list(range(1, len(in_rest) + 1))
        official_rank = {one["player"]: one["rank"] for one in official}
        assert [official_rank[one["player"]] for one in in_rest] == sorted(official_rank.values())
        for _, tied in groupby(in_rest, key=lambda one: tuple(one["score"])):
            seqs = [one["seq"] for one in tied]
            assert seqs == sorted(seqs)

    top = (await second.http.get(f"/v1/boards/{board}/top", params={"limit": 100, "after": after})).json()
    await shown(watcher, following, without_rank(top["entries"]))
    kinds = [message["type"] for message in watcher.seen]
    assert kinds.count("snapshot") == 1, "this client applied deltas only"


async def follow(watcher: Watcher) -> None:
    while True:
        await watcher.step()


async def shown(watcher: Watcher, following: asyncio.Task[None], entries: list[dict[str, Any]]) -> None:
    """Return once the follower shows these, and end it."""
    async with asyncio.timeout(PATIENCE):
        while watcher.entries != entries:
            assert not following.done(), following.exception()
            await asyncio.sleep(0.01)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def in_postgres(stack: Stack, board: str) -> list[str]:
    connection = await asyncpg.connect(stack.settings.database_url, timeout=PATIENCE)
    try:
        rows = await connection.fetch(
            "SELECT e.player FROM entry AS e JOIN board AS b ON b.id = e.board_id AND b.season = e.season "
            "WHERE b.name = $1 AND e.sort_key IS NOT NULL ORDER BY e.sort_key",
            board,
        )
    finally:
        await connection.close()
    return [row["player"] for row in rows]


async def in_redis(stack: Stack, board: str) -> list[str]:
    connection = await asyncpg.connect(stack.settings.database_url, timeout=PATIENCE)
    try:
        row = await connection.fetchrow("SELECT id, season FROM board WHERE name = $1", board)
    finally:
        await connection.close()
    async with Redis.from_url(stack.settings.redis_url) as redis:
        members = await redis.zrange(name(BoardKey(row["id"], row["season"]), "zset"), 0, -1)
    return [member[sortkey.width(COLUMNS) :].decode() for member in members]
