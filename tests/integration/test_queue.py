"""The way of a score where a queue carries it: node, PostgreSQL, SQS, the functions, Valkey, another node."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from infra.resources import node_resources
from realtime.core.errors import SettingInvalid
from realtime.core.letters import Letter, pack
from tests.harness import PATIENCE, Watcher, eventually
from tests.integration.held import HeldStack
from tests.queues import Context, Mapping, functions_on
from workers import schedule
from workers.function import KEPT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness import Node, Stack
    from tests.queues import Queues


@pytest.fixture
def queued(held: HeldStack, queues: Queues, monkeypatch: pytest.MonkeyPatch) -> Stack:
    return functions_on(held, queues, monkeypatch, resend_after=60.0)


@pytest.fixture
async def node(queued: Stack) -> AsyncIterator[Node]:
    async with queued.node() as node:
        await node.http.put("/v1/boards/arcade", json={"columns": [{"name": "score"}]})
        yield node


@contextlib.asynccontextmanager
async def database(stack: Stack) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(stack.settings.database_url, timeout=PATIENCE)
    try:
        yield connection
    finally:
        await connection.close()


async def minute() -> dict[str, Any]:
    """The schedule, called as AWS calls it; a sandbox of its own."""

    def call() -> dict[str, Any]:
        try:
            return schedule.handler({}, Context())
        finally:
            KEPT.close()

    return await asyncio.get_running_loop().run_in_executor(None, call)


async def test_a_score_goes_by_the_queue_to_a_watcher_on_another_node(
    queued: Stack, queues: Queues, node: Node
) -> None:
    async with queued.node() as other, Mapping(queues).running() as mapping:
        async with Watcher.on(other.live_url, "arcade") as watcher:
            for score in (5, 9):
                await node.http.post("/v1/boards/arcade/scores", json={"player": "ada", "score": score})
            await watcher.until(lambda watcher: [one["score"] for one in watcher.entries] == [9])
        await queued.settled()
        assert mapping.calls
        assert mapping.failed == 0
    assert queues.count() == 0


async def test_what_is_not_a_score_goes_by_the_queue_too(queued: Stack, queues: Queues, node: Node) -> None:
    async with Mapping(queues).running():
        await node.http.post("/v1/boards/arcade/scores", json={"player": "ada", "score": 5})
        await node.http.put("/v1/players/ada", json={"name": "Ada"})
        await node.http.post("/v1/boards/arcade/scores", json={"player": "bob", "score": 7})
        await node.http.delete("/v1/boards/arcade/players/bob")
        await queued.settled()
        top = (await node.http.get("/v1/boards/arcade/top")).json()
        assert [(one["player"], one["name"]) for one in top["entries"]] == [("ada", "Ada")]
        await node.http.delete("/v1/boards/arcade")
        await queued.settled()
    assert (await node.http.get("/v1/boards/arcade/top")).status_code == 404


async def test_a_batch_larger_than_a_message_arrives(queued: Stack, queues: Queues, node: Node) -> None:
    metadata = {"note": "x" * 900}
    rows = [{"player": f"p{n}", "score": n, "metadata": metadata} for n in range(1000)]
    async with Mapping(queues).running():
        assert (await node.http.post("/v1/boards/arcade/scores/batch", json=rows)).status_code == 200
        await queued.settled()
        top = (await node.http.get("/v1/boards/arcade/top")).json()
        assert (top["total"], top["entries"][0]["player"]) == (1000, "p999")


async def test_the_minute_sends_what_no_node_sent_and_refreshes_the_view(
    queued: Stack, queues: Queues, held: HeldStack
) -> None:
    """A node of before, that knew of no queue, or one that stopped between commit and sending."""
    async with held.node() as old:
        await old.http.put("/v1/boards/arcade", json={"columns": [{"name": "score"}]})
        await old.http.post("/v1/boards/arcade/scores", json={"player": "ada", "score": 5})
    assert (await minute())["relayed"] == 2
    async with Mapping(queues).running():
        await queued.settled()
    done = await minute()
    assert (done["relayed"], done["whole"]) == (0, True)
    async with database(queued) as connection:
        assert await connection.fetchval("SELECT count(*) FROM leaderboard_ranking") in (0, 1)
        await connection.execute("UPDATE view_refresh SET refreshed_at = '-infinity'")
        assert (await minute())["view"] is True
        assert await connection.fetchval("SELECT count(*) FROM leaderboard_ranking") == 1


async def test_the_minute_rebuilds_what_redis_lost(queued: Stack, queues: Queues, node: Node) -> None:
    async with Mapping(queues).running():
        await node.http.post("/v1/boards/arcade/scores", json={"player": "ada", "score": 5})
        await queued.settled()
    await node.service.ranking._redis.flushall()
    await minute()
    top = (await node.http.get("/v1/boards/arcade/top")).json()
    assert (top["total"], top.get("stale", False)) == (1, False)


# -- dead letters -----------------------------------------------------------------------------------------------------------


async def test_a_poison_message_lands_in_the_dead_letter_queue_and_a_redrive_heals_it(
    queued: Stack, queues: Queues, node: Node
) -> None:
    """One message is noise, another names a row of ours with bytes that are no changes."""
    async with database(queued) as connection:
        row = await connection.fetchval(
            "INSERT INTO outbox (payload, leased_until) SELECT payload, now() + interval '1 hour' FROM outbox LIMIT 1 "
            "RETURNING id"
        )
    assert row
    queues.put("noise")
    queues.put(pack([Letter(row, b"\xc1")], 1000)[0].body)
    async with Mapping(queues).running() as mapping:

        async def both_are_listed() -> list[dict[str, Any]] | None:
            listed: list[dict[str, Any]] = (await node.http.get("/v1/dead-letters")).json().get("dead_letters", [])
            return listed if len(listed) == 3 else None

        listed = await eventually(both_are_listed)
        assert [(one["rows"], one["reason"]) for one in listed if one["id"] == f"row:{row}"] == [
            ([row], "no changes: FormatError")
        ]
        assert {tuple(one["rows"]) for one in listed if one["id"].startswith("message:")} == {(), (row,)}
        assert mapping.failed == 0

        answer = (await node.http.post("/v1/dead-letters/redrive")).json()
        assert answer == {"rows": 1, "moved": 1, "dropped": 1}
        # The row is applied from the truth; the noise comes back, still with its reason.
        await queued.settled()

        async def noise_is_back() -> bool:
            listed = (await node.http.get("/v1/dead-letters")).json().get("dead_letters", [])
            return [(one["rows"], one["reason"]) for one in listed] == [([], "unknown format 'noise'")]

        await eventually(noise_is_back)


async def test_dead_letters_are_for_admins(queued: Stack, node: Node) -> None:
    for role in ("server", "player"):
        headers = queued.headers(role, "ada" if role == "player" else None)
        assert (await node.http.get("/v1/dead-letters", headers=headers)).status_code == 403
        assert (await node.http.post("/v1/dead-letters/redrive", headers=headers)).status_code == 403
    refused = await node.http.get("/v1/dead-letters", headers={"Authorization": ""})
    assert refused.status_code == 401
    assert (await node.http.get("/v1/dead-letters?limit=0")).json()["code"] == "query_invalid"
    assert (await node.http.get("/v1/dead-letters?limit=1001")).json()["code"] == "query_invalid"


async def test_without_a_queue_a_held_row_is_listed_and_a_redrive_lets_the_worker_try_again(held: HeldStack) -> None:
    async with held.running() as (node,), database(held) as connection:
        await node.http.put("/v1/boards/arcade", json={"columns": [{"name": "score"}]})
        await held.settled()
        payload = await connection.fetchval("INSERT INTO outbox (payload) VALUES ('\\xc1') RETURNING id")

        async def listed() -> list[dict[str, Any]]:
            return list((await node.http.get("/v1/dead-letters")).json().get("dead_letters", []))

        assert [one["id"] for one in await eventually(listed)] == [f"row:{payload}"]
        await connection.execute("UPDATE outbox SET payload = '\\x90' WHERE id = $1", payload)
        assert (await node.http.post("/v1/dead-letters/redrive")).json() == {"rows": 1, "moved": 0, "dropped": 0}
        await held.settled()
        assert await listed() == []


async def test_while_sqs_is_away_dead_letters_say_so_and_scores_are_taken(queued: Stack) -> None:
    away = dataclasses.replace(queued.settings, aws_endpoint="http://127.0.0.1:9", queue_tries=1)
    async with dataclasses.replace(queued, settings=away).node() as node:
        await node.http.put("/v1/boards/arcade", json={"columns": [{"name": "score"}]})
        taken = await node.http.post("/v1/boards/arcade/scores", json={"player": "ada", "score": 5})
        assert taken.status_code == 200
        answer = await node.http.get("/v1/dead-letters")
        assert (answer.status_code, answer.json()["code"]) == (503, "queue_unavailable")


async def test_a_short_time_out_of_the_queue_is_no_obstacle_to_looking_at_dead_letters(queued: Stack) -> None:
    """A look waits for a second on purpose, which is not the queue's being slow."""
    short = dataclasses.replace(queued.settings, queue_timeout=0.9, queue_tries=1)
    async with dataclasses.replace(queued, settings=short).node() as node:
        answer = await node.http.get("/v1/dead-letters")
        assert (answer.status_code, answer.json()) == (200, {"dead_letters": []})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("queue_timeout", 0.0), ("queue_timeout", float("nan")), ("queue_tries", 0), ("queue_in_flight", 0)],
        *[("queue_claim", 0), ("queue_message", 262_145), ("queue_pause", -1.0), ("resend_after", 0.0)],
    ],
)
async def test_a_queue_that_could_not_work_as_it_is_set_is_refused_by_name_at_the_start(
    held: HeldStack, name: str, value: float
) -> None:
    with pytest.raises(SettingInvalid, match=f"RANKCAST_{name.upper()} must be from"):
        async with node_resources(dataclasses.replace(held.settings, **{name: value})):
            pass
