"""The live topics as server-sent events, against the real stack; every event is held against asyncapi.json."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from realtime.client.reducer import apply_delta, from_snapshot
from tests import documents
from tests.harness import PATIENCE, UNENCRYPTED, Node, eventually
from tests.integration.held import HeldStack, problem, put_board, rank_all, submit

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(shared: HeldStack) -> AsyncIterator[Node]:
    async with shared.worker(), shared.node(check_every=0.3, tick_ms=20, max_per_address=3) as node:
        yield node


class Events:
    """The events of one response."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self) -> dict[str, Any]:
        """The next one; comments are passed over."""
        block: list[str] = []
        async with asyncio.timeout(PATIENCE):
            async for line in self._lines:
                if line and not line.startswith(":"):
                    block.append(line)
                elif block:
                    return documents.check_event("\n".join(block))
        raise AssertionError("the events ended")

    async def until(self, kind: str) -> dict[str, Any]:
        while (event := await self.next())["type"] != kind:
            pass
        return event


@contextlib.asynccontextmanager
async def events(node: Node, board: str, token: str | None = None, **asked: Any) -> AsyncIterator[Events]:
    """The next one of this address finds the room of the one before: the node has seen it go."""
    there = node.service.hub.connections
    headers = {"last-event-id": asked.pop("last")} if "last" in asked else {}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    # An address has so many, and the node may not have seen yet that the one before has gone.
    async with (
        httpx.AsyncClient(base_url=node.url, timeout=PATIENCE, verify=UNENCRYPTED) as http,
        http.stream("GET", f"/v1/boards/{board}/live", params=asked, headers=headers) as response,
    ):
        assert response.status_code == 200, await response.aread()
        yield Events(response)

    async def left() -> bool:
        return bool(node.service.hub.connections <= there)

    await eventually(left)


async def test_a_top_comes_as_a_snapshot_and_then_as_deltas(node: Node, board: str) -> None:
    await put_board(node, board)
    await rank_all(node, board, {f"p{number}": number for number in range(20)})
    async with events(node, board, view="top", limit=10) as stream:
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.response.headers["cache-control"] == "no-store"
        state = from_snapshot(await stream.until("snapshot"))
        await submit(node, board, "p3", 100)
        state = apply_delta(state, await stream.until("delta"))
        assert [entry.player for entry in state.entries[:2]] == ["p3", "p19"]


async def test_whoever_comes_back_is_led_on_from_the_last_event(node: Node, board: str) -> None:
    await put_board(node, board)
    await rank_all(node, board, {f"p{number}": number for number in range(20)})
    async with events(node, board) as stream:
        state = from_snapshot(await stream.until("snapshot"))
    last = await submit(node, board, "p3", 100)
    await node.http.get(f"/v1/boards/{board}/top", params={"after": f"p3:{last['seq']}"})
    async with events(node, board, last=f"{state.epoch}-{state.version}") as stream:
        assert (await stream.until("subscribed"))["mode"] == "resumed"
        state = apply_delta(state, await stream.until("delta"))
        assert state.entries[0].player == "p3"
    async with events(node, board, last="no mark of ours") as stream:
        assert (await stream.until("subscribed"))["mode"] == "snapshot"


async def test_ranks_and_stretches_come_too(shared: HeldStack, node: Node, board: str) -> None:
    await put_board(node, board, public=False)
    await rank_all(node, board, {f"p{number}": number for number in range(20)})
    token = shared.issuer.token("player", "p7")
    async with events(node, board, token, view="player") as stream:
        assert (await stream.until("rank"))["rank"] == 13
        await submit(node, board, "p7", 100)
        assert (await stream.until("rank"))["rank"] == 1
    async with events(node, board, token, view="around", radius=1) as stream:
        assert [entry["player"] for entry in (await stream.until("snapshot"))["entries"]] == ["p7", "p19"]


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ({"view": "bottom"}, (400, "field_invalid")),
        ({"limit": "7"}, (400, "field_invalid")),
        ({"limit": "ten"}, (400, "field_invalid")),
        ({"view": "around", "player": "a", "radius": "99"}, (400, "field_invalid")),
        ({"view": "player", "player": "a b"}, (400, "id_invalid")),
        ({"view": "player"}, (401, "unauthenticated")),
    ],
)
async def test_what_cannot_be_watched_is_refused_with_a_problem(
    node: Node, board: str, asked: dict[str, str], refused: tuple[int, str]
) -> None:
    await put_board(node, board)
    async with httpx.AsyncClient(base_url=node.url, timeout=PATIENCE) as http:
        assert problem(await http.get(f"/v1/boards/{board}/live", params=asked)) == refused
        assert problem(await http.get("/v1/boards/nothing/live")) == (404, "board_unknown")
    assert node.service.hub.connections == 0


async def test_an_address_has_so_many_and_whoever_leaves_makes_room(node: Node, board: str) -> None:
    await put_board(node, board)
    async with contextlib.AsyncExitStack() as opened:
        for _ in range(3):
            await opened.enter_async_context(events(node, board))
        async with httpx.AsyncClient(base_url=node.url, timeout=PATIENCE) as http:
            answer = await http.get(f"/v1/boards/{board}/live")
            assert problem(answer) == (429, "address_limit")
            assert int(answer.headers["retry-after"]) > 0
    async with events(node, board) as stream:
        await stream.until("snapshot")


async def test_a_node_that_leaves_says_when_to_come_back(shared: HeldStack, board: str) -> None:
    async with shared.node(drain_window=0.5) as leaving:
        await put_board(leaving, board)
        async with events(leaving, board) as stream:
            await stream.until("snapshot")
            gone = asyncio.Event()
            leaving.service.hub.watch.drain(gone.set)
            assert 0 <= (await stream.until("drain"))["reconnect_in_ms"] <= 500
            assert (await stream.until("closed"))["code"] == 4000
            async with asyncio.timeout(PATIENCE):
                await gone.wait()
