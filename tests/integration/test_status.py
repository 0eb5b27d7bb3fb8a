"""What the service says of itself, on real parts."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from infra.readings import Reading
from tests import documents
from tests.harness import PATIENCE, Watcher, eventually, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.valkey import EmbeddedValkey
    from tests.harness import Node, Stack


async def told(node: Node, until: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The status, once it is as it should be."""

    async def asked() -> dict[str, Any] | None:
        answer = await node.http.get("/v1/status")
        await documents.check_answer(answer)
        document: dict[str, Any] = answer.json()
        return document if until(document) else None

    found: dict[str, Any] = await eventually(asked)
    return found


async def test_any_node_tells_of_all_nodes_and_workers_and_how_late_pushes_were(stack: Stack) -> None:
    async with stack.worker(beat=0.2), stack.node(beat=0.2) as one, stack.node(beat=0.2) as other:
        await one.http.put("/v1/boards/race", json={"columns": [{"name": "points"}]})
        # A beat has rates and lags of what came since the last one; so it goes on until it is read.
        async with Watcher.on(other.live_url, "race", limit=10) as watcher, asyncio.TaskGroup() as tasks:
            going = tasks.create_task(scores(one, watcher))
            document = await told(
                one,
                lambda document: (
                    len(document["nodes"]) == 2
                    and any(node["lag_p99"] for node in document["nodes"])
                    and any(node["accepted"] for node in document["nodes"])
                    and any(worker["lag_p99"] for worker in document["workers"])
                ),
            )
            going.cancel()
        assert document["node"] in {node["id"] for node in document["nodes"]}
        (watched,) = (node for node in document["nodes"] if node["connections"] == 1)
        (quiet,) = (node for node in document["nodes"] if node["connections"] == 0)
        (worker,) = document["workers"]
        assert quiet["accepted"] > 0, "scores came in there"
        assert watched["accepted"] == 0
        assert watched["deliveries"] > 0
        assert worker["applied"] > 0
        assert 0 < worker["lag_p50"] < 20
        assert 0 < watched["lag_p99"] < 20
        assert document["database"] == document["ranking"] == "ok"
        assert document["dead_letters"] == {"rows": 0, "messages": 0}


async def scores(node: Node, watcher: Watcher) -> None:
    for points in range(1, 100_000):
        await node.http.post("/v1/boards/race/scores", json={"player": "ada", "score": points})
        await shown(watcher, points)


async def shown(watcher: Watcher, points: int) -> None:
    await watcher.until(lambda watcher: bool(watcher.entries) and watcher.entries[0]["score"] >= points)


async def test_what_waits_is_counted_and_what_is_held_is_not(stack: Stack) -> None:
    async with stack.node(beat=0.2) as node:
        await node.http.put("/v1/boards/race", json={"columns": [{"name": "points"}]})
        document = await told(node, lambda document: document["outbox"] and document["outbox"]["rows"])
        assert document["outbox"]["rows"] == 1, "nobody works"
        text = (await eventually(lambda: queue_age(node))) or ""
        assert text > 0
        async with stack.worker():
            await told(node, lambda document: document["outbox"] == {"rows": 0, "age": 0})


async def queue_age(node: Node) -> float:
    lines = (await node.http.get("/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("rankcast_queue_age_seconds"))


async def test_while_redis_is_away_a_node_tells_of_itself(stack: Stack, valkey: EmbeddedValkey) -> None:
    async with stack.node(beat=0.2) as node, stack.node(beat=0.2):
        await told(node, lambda document: len(document["nodes"]) == 2)
        valkey.stop()
        document = await told(node, lambda document: document["ranking"] == "away")
        assert [one["id"] for one in document["nodes"]] == [document["node"]]
        assert document["database"] == "ok"


async def test_a_node_that_has_ended_is_not_listed(stack: Stack) -> None:
    async with stack.node() as node:
        async with stack.node() as other:
            await told(node, lambda document: len(document["nodes"]) == 2)
            assert other.url != node.url
        await told(node, lambda document: len(document["nodes"]) == 1)


async def test_the_lag_is_never_longer_than_a_client_sees_it(stack: Stack) -> None:
    """Committed before the answer, pushed before it was received: what is measured lies within what a client measures around it."""
    async with stack.running() as (node,):
        await node.http.put("/v1/boards/race", json={"columns": [{"name": "points"}]})
        async with Watcher.on(node.live_url, "race", limit=10) as watcher:
            loop = asyncio.get_running_loop()
            longest = 0.0
            for points in range(1, 21):
                began = loop.time()
                await node.http.post("/v1/boards/race/scores", json={"player": "ada", "score": points})
                await shown(watcher, points)
                longest = max(longest, loop.time() - began)
        reading = Reading.of(node.service.metrics.collect(node.service), 0.0)
        assert reading.values["rankcast_lag_seconds_count"] >= 20
        assert 0 < reading.values["rankcast_lag_seconds_sum"] / reading.values["rankcast_lag_seconds_count"] <= longest


async def test_the_status_is_for_admins(stack: Stack) -> None:
    async with stack.node() as node, httpx.AsyncClient(base_url=node.url, timeout=PATIENCE) as anonymous:
        assert (await anonymous.get("/v1/status")).status_code == 401
        for role in ("server", "player"):
            headers = stack.headers(role, "ada" if role == "player" else None)
            assert (await anonymous.get("/v1/status", headers=headers)).status_code == 403


async def test_the_dashboard_asks_for_what_a_node_tells(stack: Stack) -> None:
    dashboard = (Path(__file__).parent.parent.parent / "infra" / "grafana.json").read_text()
    asked = set(re.findall(r"\b(?:rankcast|process)_\w+(?={job)", dashboard))
    async with stack.node() as node:
        text = (await node.http.get("/metrics")).text
    assert len(asked) > 20
    assert asked <= set(re.findall(r"^\w+", text, re.MULTILINE))


@pytest.mark.parametrize(("module", "metric"), [("api", "Connections"), ("workers", "ChangesApplied")])
async def test_a_process_writes_its_numbers_for_cloudwatch_where_it_is_asked_to(
    stack: Stack, module: str, metric: str
) -> None:
    settings = dataclasses.replace(stack.settings, port=free_port(), beat=0.1, emf_every=0.2, group="nodes")
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        env=os.environ | settings.environ(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    async with asyncio.timeout(PATIENCE):
        lines = [json.loads(await child.stdout.readline()) for _ in range(2)]
    child.terminate()
    rest, said = await child.communicate()
    lines += [json.loads(line) for line in rest.splitlines()]
    assert (child.returncode, said) == (0, b"")
    assert len(lines) >= 3, "the last one is written at the end"
    for line in lines:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert (directive["Namespace"], directive["Dimensions"]) == ("Rankcast", [["AutoScalingGroupName"]])
        assert {one["Name"] for one in directive["Metrics"]} == line.keys() - {
            *("_aws", "AutoScalingGroupName", "Node", "Address")
        }
        assert (line["AutoScalingGroupName"], line[metric]) == ("nodes", 0)
