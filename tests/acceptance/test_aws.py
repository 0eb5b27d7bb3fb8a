"""The whole way on AWS: a token of Cognito, REST, PostgreSQL, SQS, the packaged function, Valkey, a viewer on another node.

PostgreSQL and Valkey are real. SQS, Lambda, Cognito, CloudFormation and S3 are the emulator's: the layers of the queue and of identity
are made from the templates, the function is the zip that `rankcast deploy` packages, with wheels for this machine. The emulator runs
functions on its own Python, next to each other, and has no networks or rights: those are not proven here.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest

from infra.deploy.bundle import Bundle
from tests.acceptance.test_contests import (
    DATA,
    DOCUMENT,
    follow,
    in_postgres,
    in_redis,
    play,
    shown,
    submissions,
    whole_board,
)
from tests.cloud import Cloud, Layer, Stopped
from tests.emulators import make_ministack
from tests.harness import PATIENCE, Node, Stack, Watcher, eventually, ranked_top, without_rank
from tests.xray import XRay, joined, new_trace

# The package and the layers are made first, and take what pip takes.
pytestmark = pytest.mark.timeout(240, func_only=True)
CONTEST = "contest-online"
TOLD = (
    *("issuer", "jwks_url", "client_ids", "queue_url", "dead_letter_url", "aws_region", "aws_endpoint"),
    *("queue_timeout", "queue_tries", "sweep_every", "resend_after"),
)
"""What a node is told of the layer, besides where its stores are."""


@pytest.fixture(scope="module")
def cloud(functions: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An emulator of its own: one of these tests stops it."""
    with make_ministack(tmp_path_factory.mktemp("cloud")) as emulator:
        yield Cloud.make(emulator, functions)


@dataclass
class Way:
    """Two nodes, a layer, and clients with tokens of Cognito: `server` and `admin` on the first node."""

    stack: Stack
    layer: Layer
    first: Node
    second: Node
    server: httpx.AsyncClient
    admin: httpx.AsyncClient

    async def fetch(self, statement: str) -> list[Any]:
        connection = await asyncpg.connect(self.stack.settings.database_url, timeout=PATIENCE)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    async def board(self, board: str, document: dict[str, Any]) -> None:
        """Make a board and return when it is ranked: the function that is called for it starts first."""
        assert (await self.admin.put(f"/v1/boards/{board}", json=document)).status_code == 201

        async def ranked() -> bool:
            return await ranked_top(self.admin, board) is not None

        await eventually(ranked, 60)

    async def settled(self, seconds: float = 120, which: str = "true") -> None:
        """Return when everything that was committed is applied, or all of the outbox that is such."""

        async def none() -> bool:
            rows = await self.fetch(f"SELECT count(*) AS n FROM outbox WHERE {which}")  # noqa: S608 - our own words
            return bool(rows[0]["n"] == 0)

        try:
            await eventually(none, seconds)
        except TimeoutError:
            rows = await self.fetch("SELECT id, leased_until, reason FROM outbox ORDER BY id LIMIT 5")
            log = self.layer.emulator.log.read_text()[-3000:]
            raise AssertionError(f"{self.layer.waiting()} messages wait, of the outbox {rows}\n{log}") from None


@pytest.fixture
async def way(stack: Stack, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Way]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    layer = await asyncio.to_thread(cloud.layer, stack.settings)
    server, admin = (
        await asyncio.to_thread(cloud.cognito.server_token),
        await asyncio.to_thread(cloud.cognito.player, admin=True),
    )
    told = {name: getattr(layer.settings, name) for name in TOLD}
    async with AsyncExitStack() as opened:
        nodes = [await opened.enter_async_context(stack.node(**told)) for _ in range(2)]
        clients = [
            await opened.enter_async_context(
                httpx.AsyncClient(
                    base_url=nodes[0].url,
                    headers={"Authorization": f"Bearer {token}"},
                    timeout=PATIENCE,
                    trust_env=False,
                )
            )
            for token in (server, admin["access_token"])
        ]
        # What a test's helpers send goes with Cognito's tokens too.
        nodes[0].http.headers = clients[0].headers
        nodes[1].http.headers = clients[1].headers
        yield Way(stack, layer, nodes[0], nodes[1], clients[0], clients[1])


async def test_the_large_contest_goes_the_whole_way_and_ends_in_the_official_standings(way: Way) -> None:
    official = json.loads((DATA / f"{CONTEST}.standings.json").read_text())["standings"]
    chance = random.Random(CONTEST)
    board = "contest"
    await way.board(board, DOCUMENT)
    async with Watcher.on(way.second.live_url, board) as watcher:
        following = asyncio.create_task(follow(watcher))
        await play(way.first, board, submissions(CONTEST, chance), chance)
        for number in range(20):
            gone = await way.admin.delete(f"/v1/boards/{board}/players/ghost-{number}")
            assert gone.status_code == 200
        await way.settled()
        top = (await way.admin.get(f"/v1/boards/{board}/top", params={"limit": 100})).json()
        last = top["entries"][0]
        entries = await whole_board(way.second, board, f"{last['player']}:{last['seq']}")
        assert {one["player"]: (one["rank"], one["score"]) for one in entries} == {
            one["player"]: (one["rank"], [one["solved"], one["penalty"]]) for one in official
        }
        order = [one["player"] for one in entries]
        assert order == await in_postgres(way.stack, board) == await in_redis(way.stack, board)
        await shown(watcher, following, without_rank(entries[:100]))
    assert way.layer.dead() == 0


async def test_poison_lands_with_the_dead_letters_and_a_redrive_heals_it(way: Way) -> None:
    board = "poisoned"
    await way.board(board, {"columns": [{"name": "points"}]})
    assert (await way.server.post(f"/v1/boards/{board}/scores", json={"player": "ann", "score": 1})).status_code == 200
    await way.settled()
    # What one node writes and the function cannot read: as if a newer node had written it before the function was deployed.
    await way.fetch(
        "CREATE FUNCTION newer() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN NEW.payload := '\\xc1'::bytea || NEW.payload; RETURN NEW; END$$"
    )
    await way.fetch("CREATE TRIGGER newer BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION newer()")
    sent = await way.server.post(f"/v1/boards/{board}/scores", json={"player": "bob", "score": 2})
    assert sent.status_code == 200
    await eventually(lambda: asyncio.to_thread(way.layer.dead), 60)
    await way.fetch("DROP TRIGGER newer ON outbox")

    answer = await way.admin.get("/v1/dead-letters")
    assert answer.status_code == 200, answer.text
    listed = answer.json()["dead_letters"]
    assert listed
    assert all(one["reason"] for one in listed)
    (row,) = await way.fetch("SELECT reason FROM outbox")
    assert row["reason"]
    # It blocks nobody.
    after = await way.server.post(f"/v1/boards/{board}/scores", json={"player": "cid", "score": 3})
    # A function may take longer than a read waits.
    await way.settled(which="reason IS NULL")
    seen = await way.admin.get(f"/v1/boards/{board}/top", params={"after": f"cid:{after.json()['seq']}"})
    assert [one["player"] for one in seen.json()["entries"]] == ["cid", "ann"]

    # The function that can read it: here, what it says in words it knows.
    await way.fetch("UPDATE outbox SET payload = substring(payload FROM 2)")
    redriven = await way.admin.post("/v1/dead-letters/redrive")
    assert redriven.json()["rows"] == 1, redriven.text
    await way.settled()
    healed = await way.admin.get(f"/v1/boards/{board}/top", params={"after": f"bob:{sent.json()['seq']}"})
    assert [one["player"] for one in healed.json()["entries"]] == ["cid", "bob", "ann"]
    assert (await way.admin.get("/v1/dead-letters")).json()["dead_letters"] == []


async def test_while_the_queue_stands_still_scores_are_taken_and_afterwards_none_is_lost_or_counted_twice(
    way: Way,
) -> None:
    board, players, after = "sums", [f"p{number}" for number in range(40)], ""
    await way.board(board, {"columns": [{"name": "points"}], "operator": "sum"})
    chance, sums = random.Random(4), Counter[str]()

    async def send(rounds: int) -> None:
        nonlocal after
        for _ in range(rounds):
            rows = [{"player": chance.choice(players), "score": chance.randint(1, 9)} for _ in range(60)]
            answer = await way.server.post(f"/v1/boards/{board}/scores/batch", json=rows)
            assert all("seq" in one for one in answer.json()["results"])
            after = f"{rows[-1]['player']}:{answer.json()['results'][-1]['seq']}"
            for row in rows:
                sums[row["player"]] += row["score"]

    async with Watcher.on(way.second.live_url, board) as watcher:
        following = asyncio.create_task(follow(watcher))
        await send(20)
        # The user pool stands still with the rest; a node that has its keys needs it no more.
        assert (await way.second.http.get(f"/v1/boards/{board}")).status_code == 200
        with Stopped(way.layer.emulator):
            async with asyncio.timeout(30):
                await send(40)
            # Long enough for calls to time out, to be tried again and to be put off.
            await asyncio.sleep(6)
            await send(10)
            held = (await way.fetch("SELECT count(*) AS n FROM outbox"))[0]["n"]
            assert held > 0
            behind = (await way.second.http.get(f"/v1/boards/{board}/top", params={"limit": 100})).json()
            assert sum(one["score"] for one in behind["entries"]) < sums.total()
        await send(20)
        await way.settled()
        # Not from the memory of a node that may hear of the last of it in a moment.
        asked = {"limit": 100, "after": after}
        top = (await way.second.http.get(f"/v1/boards/{board}/top", params=asked)).json()
        assert {one["player"]: one["score"] for one in top["entries"]} == dict(sums)
        await shown(watcher, following, without_rank(top["entries"]))
    assert way.layer.dead() == 0


async def test_a_submission_is_one_trace_through_the_packaged_function(way: Way, xray: XRay) -> None:
    told = {name: getattr(way.layer.settings, name) for name in TOLD}
    way.layer.tell(dataclasses.replace(way.layer.settings, **xray.settings))
    trace = new_trace()
    await way.board("traced", {"columns": [{"name": "points"}]})
    async with way.stack.node(**told | xray.settings) as node, Watcher.on(node.live_url, "traced") as watcher:
        node.http.headers = way.server.headers
        header = {"X-Amzn-Trace-Id": f"Root={trace};Sampled=1"}
        sent = await node.http.post("/v1/boards/traced/scores", json={"player": "ann", "score": 1}, headers=header)
        assert sent.status_code == 200
        await watcher.until(lambda watcher: bool(watcher.entries))
        segments = await xray.segments(trace, {"request", "commit", "apply", "push"})
    # One of the nodes that trace nothing may have been the one to send it.
    joined(segments, "request", "commit", *(["send"] if "send" in segments else []), "apply", "push")
    assert segments["apply"]["name"] == "rankcast-refresh"
