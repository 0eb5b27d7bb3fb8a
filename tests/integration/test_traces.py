"""The trace of one submission, from the request through SQS and the function to the frames, read back from X-Ray."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import time
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from infra.client_aws import AwsClient
from infra.pictures_folder import FolderPictures
from infra.resources import node_resources
from realtime.core.errors import SettingInvalid
from realtime.core.pictures import Upload
from tests.harness import Watcher, eventually
from tests.images import picture
from tests.queues import Context, Mapping, functions_on
from tests.xray import XRay, joined, new_trace
from workers import pictures

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.harness import Node, Stack
    from tests.queues import Queues

BOARD = {"columns": [{"name": "points"}]}
WAY = ("request", "commit", "send", "apply", "push")
PHOTO = picture("JPEG")


async def submitted(node: Node, header: str, player: str = "ada") -> None:
    answer = await node.http.post(
        "/v1/boards/race/scores", json={"player": player, "score": 5}, headers={"X-Amzn-Trace-Id": header}
    )
    assert answer.status_code == 200


@asynccontextmanager
async def watched(on_queue: Stack, queues: Queues) -> AsyncIterator[tuple[Node, Watcher]]:
    """A node, the function behind its queue, and a watcher who is shown ada on the board race."""
    async with on_queue.node() as node, Mapping(queues).running():
        await node.http.put("/v1/boards/race", json=BOARD)
        await on_queue.settled()
        async with Watcher.on(node.live_url, "race", limit=10) as watcher:
            await submitted(node, "")
            await watcher.until(lambda watcher: bool(watcher.entries))
            yield node, watcher


async def test_a_submission_is_one_trace_through_the_queue_and_the_function_to_the_frames(
    stack: Stack, queues: Queues, xray: XRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_queue = functions_on(stack, queues, monkeypatch, **xray.settings)
    trace, parent = new_trace(), secrets.token_hex(8)
    async with on_queue.node() as first, on_queue.node() as second, Mapping(queues).running():
        await first.http.put("/v1/boards/race", json=BOARD)
        await on_queue.settled()
        async with Watcher.on(second.live_url, "race", limit=10) as watcher:
            await submitted(first, f"Root={trace};Parent={parent};Sampled=1")
            await watcher.until(lambda watcher: bool(watcher.entries))
            segments = await xray.segments(trace, {"request", "commit", "send", "apply", "push"})
    assert len(segments) == 5
    request, commit, send, apply, push = (segments[name] for name in ("request", "commit", "send", "apply", "push"))
    assert request["parent_id"] == parent
    joined(segments, "request", "commit", "send", "apply", "push")
    assert [one["name"] for one in (request, send, apply, push)] == [
        *("rankcast-node", "rankcast-node", "rankcast-refresh", "rankcast-node")
    ]
    assert (commit["type"], commit["name"]) == ("subsegment", "commit")
    assert request["http"] == {
        "request": {"method": "POST", "url": "/v1/boards/race/scores"},
        "response": {"status": 200},
    }
    assert request["annotations"]["http_route"] == "/v1/boards/{board}/scores"
    assert apply["annotations"]["changes"] == 1


async def test_the_message_carries_the_trace_as_aws_reads_it(
    stack: Stack, queues: Queues, xray: XRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen where it is sent: the emulator forgets this attribute of messages that come ten at a time."""
    sent: asyncio.Queue[str] = asyncio.Queue()
    call = AwsClient.call

    async def noted(client: AwsClient, operation: str, **arguments: Any) -> dict[str, Any]:
        for entry in arguments.get("Entries", ()):
            if attribute := entry.get("MessageSystemAttributes", {}).get("AWSTraceHeader"):
                sent.put_nowait(attribute["StringValue"])
        return await call(client, operation, **arguments)

    monkeypatch.setattr(AwsClient, "call", noted)
    on_queue = functions_on(stack, queues, monkeypatch, **xray.settings)
    trace = new_trace()
    async with on_queue.node() as node:
        await node.http.put("/v1/boards/race", json=BOARD)
        await submitted(node, f"Root={trace};Sampled=1")
        header = await sent.get()
        segments = await xray.segments(trace, {"request", "send"})
    assert header == f"Root={trace};Parent={segments['send']['id']};Sampled=1"
    assert "parent_id" not in segments["request"], "a load balancer names the trace alone"


async def test_without_a_queue_the_worker_goes_on_with_the_trace(stack: Stack, xray: XRay) -> None:
    trace = new_trace()
    async with stack.worker(**xray.settings), stack.node(**xray.settings) as node:
        await node.http.put("/v1/boards/race", json=BOARD)
        await stack.settled()
        async with Watcher.on(node.live_url, "race", limit=10) as watcher:
            await submitted(node, f"Root={trace};Sampled=1")
            await watcher.until(lambda watcher: bool(watcher.entries))
            segments = await xray.segments(trace, {"request", "commit", "apply", "push"})
    joined(segments, "request", "commit", "apply", "push")
    assert segments["apply"]["name"] == "rankcast-worker"


async def test_a_profile_and_a_removal_are_traced_as_a_score_is(
    stack: Stack, queues: Queues, xray: XRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_queue = functions_on(stack, queues, monkeypatch, **xray.settings)
    renamed, removed = new_trace(), new_trace()
    async with watched(on_queue, queues) as (node, watcher):
        for trace, method, path, body in (
            (renamed, "PUT", "/v1/players/ada", {"name": "Ada"}),
            (removed, "DELETE", "/v1/boards/race/players/ada", None),
        ):
            header = {"X-Amzn-Trace-Id": f"Root={trace};Sampled=1"}
            version = watcher.version
            assert (await node.http.request(method, path, json=body, headers=header)).status_code == 200
            await watcher.until(lambda watcher, version=version: watcher.version > version)  # type: ignore[misc]
            segments = await xray.segments(trace, set(WAY))
            joined(segments, *WAY)
            assert segments["request"]["http"]["request"]["method"] == method


async def test_an_edit_of_a_board_is_one_trace_to_its_rebuild_and_no_fault(stack: Stack, xray: XRay) -> None:
    trace = new_trace()
    header = {"X-Amzn-Trace-Id": f"Root={trace};Sampled=1"}
    async with stack.worker(**xray.settings), stack.node(**xray.settings) as node:
        await node.http.put("/v1/boards/race", json=BOARD)
        await stack.settled()
        edited = await node.http.put("/v1/boards/race", json=BOARD | {"title": "Race"}, headers=header)
        assert edited.status_code == 200
        # The notice is applied once more after the rebuild.
        segments = await xray.segments(trace, {"request", "commit", "apply", "rebuild"}, several={"apply"})
    joined(segments, "request", "commit", "rebuild")
    assert not [one for one in segments.values() if "fault" in one or "cause" in one]


async def test_a_picture_is_traced_from_the_function_that_looks_at_it_to_the_frames(
    stack: Stack, queues: Queues, xray: XRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = queues.emulator.client("s3")
    bucket = f"traced-{queues.name}"
    s3.create_bucket(Bucket=bucket)
    on_queue = functions_on(stack, queues, monkeypatch, pictures_bucket=bucket, **xray.settings)
    trace, parent = new_trace(), secrets.token_hex(8)
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={trace};Parent={parent};Sampled=1;Lineage=1:a:0")
    upload = Upload("ada", sha256(PHOTO).hexdigest(), 1_764_100_000_123)
    s3.put_object(Bucket=bucket, Key=upload.key, Body=PHOTO)
    told = {"Records": [{"s3": {"object": {"key": upload.key}}}]}
    async with watched(on_queue, queues) as (_, watcher):
        try:
            assert await asyncio.to_thread(pictures.handler, told, Context()) == {"shown": 1}
        finally:
            await asyncio.to_thread(pictures.KEPT.close)
        await watcher.until(lambda watcher: "picture" in watcher.entries[0])
        segments = await xray.segments(trace, {"picture", "send", "apply", "push"})
    assert (segments["picture"]["parent_id"], segments["picture"]["name"]) == (parent, "rankcast-pictures")
    joined(segments, "picture", "send", "apply", "push")


async def test_on_one_machine_the_worker_traces_pictures_too(stack: Stack, xray: XRay, tmp_path: Path) -> None:
    folder = FolderPictures(tmp_path)
    upload = Upload("ada", sha256(PHOTO).hexdigest(), 1_764_100_000_123)
    await folder.keep(upload, PHOTO)
    before = await xray.all()
    async with stack.worker(**xray.settings, trace_share=1.0, pictures_folder=str(tmp_path)):

        async def begun() -> set[str]:
            return await xray.all() - before

        (trace,) = await eventually(begun)
    segments = await xray.segments(trace, {"picture"})
    assert (segments["picture"]["name"], segments["picture"]["annotations"]["player"]) == ("rankcast-worker", "ada")


async def test_several_requests_of_one_batch_are_each_applied_in_their_own_trace(stack: Stack, xray: XRay) -> None:
    """They are rows of their own here, since each is committed before the next one comes; the worker takes them together."""
    traces = [new_trace() for _ in range(3)]
    async with stack.node(**xray.settings) as node:
        await node.http.put("/v1/boards/race", json=BOARD)
        for n, trace in enumerate(traces):
            await submitted(node, f"Root={trace};Sampled=1", f"p{n}")
        async with stack.worker(**xray.settings):
            for trace in traces:
                joined(await xray.segments(trace, {"request", "commit", "apply"}), "request", "commit", "apply")


async def test_what_is_not_to_be_traced_is_not(stack: Stack, xray: XRay) -> None:
    told, chosen = new_trace(), new_trace()
    async with stack.worker(**xray.settings), stack.node(**xray.settings, trace_share=0.0) as node:
        await node.http.put("/v1/boards/race", json=BOARD)
        before = await xray.all()
        await submitted(node, f"Root={told};Sampled=0", "ada")
        await submitted(node, "", "bob")
        await submitted(node, "Root=nonsense;Sampled=1", "cid")
        await submitted(node, f"Root={chosen};Sampled=1", "dan")
        await xray.segments(chosen, {"request", "commit", "apply"})
    assert await xray.all() - before == {chosen}


async def test_a_share_of_what_comes_without_a_decision_is_traced(stack: Stack, xray: XRay) -> None:
    async with stack.node(**xray.settings, trace_share=1.0) as node:
        await node.http.put("/v1/boards/race", json=BOARD)
        before = await xray.all()
        trace = new_trace()
        await submitted(node, f"Root={trace}")
        await xray.segments(trace, {"request", "commit"})

        async def begun() -> set[str]:
            await submitted(node, "")
            return await xray.all() - before - {trace}

        (ours,) = list(await eventually(begun))[:1]
        assert int(ours.split("-")[1], 16) == pytest.approx(time.time(), abs=60)


async def test_a_refused_request_and_a_crash_say_so(stack: Stack, xray: XRay) -> None:
    refused, crashed = new_trace(), new_trace()
    async with stack.node(**xray.settings) as node:
        for trace, path in ((refused, "/v1/boards/none"), (crashed, "/v1/status")):
            if trace == crashed:
                node.service.nodes._redis = None
            await node.http.get(path, headers={"X-Amzn-Trace-Id": f"Root={trace};Sampled=1"})
        error = (await xray.segments(refused, {"request"}))["request"]
        fault = (await xray.segments(crashed, {"request"}))["request"]
    assert (error["error"], error["http"]["response"]["status"]) == (True, 404)
    assert fault["fault"] is True
    assert fault["cause"]["exceptions"][0]["type"] == "AttributeError"


async def test_while_x_ray_is_away_scores_are_taken_and_a_node_ends_in_time(stack: Stack, xray: XRay) -> None:
    settings = xray.settings | {"traces_endpoint": "http://127.0.0.1:9"}
    began = time.monotonic()
    async with stack.node(**settings, trace_share=1.0, trace_rate=10_000) as node:
        await node.http.put("/v1/boards/race", json=BOARD)
        for n in range(100):
            await submitted(node, "", f"p{n}")
    assert time.monotonic() - began < 30


async def test_asked_for_elsewhere_than_at_x_ray_a_node_does_not_start(stack: Stack) -> None:
    with pytest.raises(SettingInvalid, match="RANKCAST_TRACES"):
        async with node_resources(dataclasses.replace(stack.settings, traces="elsewhere")):
            pass
