"""The browser's client, in Node, on real nodes: by WebSocket and by server-sent events, told the same."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.harness import PATIENCE, Node, free_port
from tests.integration.held import HeldStack, put_board, rank_all, submit, submit_all
from tests.web_tools import node as node_executable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCRIPT = Path(__file__).with_name("web_client.mjs")
WAYS = ["websocket", "events"]


@dataclass(slots=True)
class Client:
    """What one client was told so far."""

    process: asyncio.subprocess.Process
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    statuses: dict[str, list[str]] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)

    @classmethod
    @contextlib.asynccontextmanager
    async def on(
        cls, url: str, board: str, player: str, way: str, tokens: str = "", executable: str | None = None
    ) -> AsyncIterator[Client]:
        process = await asyncio.create_subprocess_exec(
            executable or node_executable(),
            SCRIPT,
            url,
            board,
            player,
            way,
            env=os.environ | {"TOKENS": tokens},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**20,
        )
        try:
            yield cls(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            # Nothing of a closed client keeps its process alive.
            assert await asyncio.wait_for(process.wait(), PATIENCE) == 0

    async def until(self, done: Callable[[Client], bool]) -> None:
        """Take what it is told until `done`."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while not done(self):
                self._take(json.loads(await self.process.stdout.readline()))

    def _take(self, line: dict[str, Any]) -> None:
        self.quality = line["quality"]
        if "state" in line:
            name, state = line["name"], line["state"]
            at = (state["epoch"], state["version"])
            told = self.versions.setdefault(name, [])
            assert not told or told[-1] <= at
            told.append(at)
            self.states[name] = state
        else:
            status = line.get("live") or line["status"]
            self.statuses.setdefault(line.get("name", "live"), []).append(status)

    def at(self, version: int) -> bool:
        return len(self.states) == 3 and all(state["version"] >= version for state in self.states.values())


async def as_the_service_says(node: Node, board: str, player: str, client: Client) -> None:
    """Top, player and stretch are what REST answers."""
    path = f"/v1/boards/{board}"
    # Too long for the window, which a node has in its memory and which may be behind what Redis says of the others.
    top = (await node.http.get(f"{path}/top", params={"limit": 101})).json()
    own = (await node.http.get(f"{path}/players/{player}")).json()
    around = (await node.http.get(f"{path}/players/{player}/around", params={"radius": 2})).json()
    await client.until(lambda client: client.at(max(one["version"] for one in (top, own, around))))
    assert client.states["top"]["entries"] == top["entries"][:10]
    assert client.states["around"]["entries"] == around["entries"]
    told = client.states["player"]
    assert [told[name] for name in ("player", "rank", "score", "seq", "of")] == [
        own[name] for name in ("player", "rank", "score", "seq", "total")
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(shared: HeldStack) -> AsyncIterator[Node]:
    async with shared.worker(), shared.node(check_every=0.3, tick_ms=20) as node:
        yield node


@pytest.mark.parametrize("way", WAYS)
async def test_it_is_told_what_the_service_says(shared: HeldStack, node: Node, board: str, way: str) -> None:
    await put_board(node, board, ranks="competition")
    await rank_all(node, board, {f"p{number}": number // 2 for number in range(40)})
    async with Client.on(node.url, board, "p7", way) as client:
        await as_the_service_says(node, board, "p7", client)
        for turn in range(10):
            await submit_all(node, board, {f"p{(turn * 7 + step) % 40}": 20 + turn + step for step in range(5)})
        await submit(node, board, "p7", 21)
        await shared.settled()
        await as_the_service_says(node, board, "p7", client)
        assert client.quality["transport"] == way
        assert client.quality["outOfStep"] == 0
        assert client.quality["snapshots"] == 3


@pytest.mark.parametrize("way", WAYS)
async def test_a_node_that_stops_and_another_in_its_place_are_bridged(
    shared: HeldStack, node: Node, board: str, way: str
) -> None:
    await put_board(node, board)
    await rank_all(node, board, {f"p{number}": number for number in range(40)})
    port = free_port()
    async with contextlib.AsyncExitStack() as opened:
        first = contextlib.AsyncExitStack()
        await first.enter_async_context(shared.node(port=port, drain_window=0.2))
        client = await opened.enter_async_context(Client.on(f"http://127.0.0.1:{port}", board, "p7", way))
        await as_the_service_says(node, board, "p7", client)
        await first.aclose()
        await client.until(lambda client: client.statuses["live"][-1] == "offline")
        held = dict(client.states)
        await submit_all(node, board, {"p3": 100, "p8": 50})
        await shared.settled()
        await opened.enter_async_context(shared.node(port=port, check_every=0.3))
        await client.until(lambda client: client.statuses["top"][-1] == "live" and client.at(held["top"]["version"]))
        await as_the_service_says(node, board, "p7", client)
        assert client.quality["reconnects"] >= 1
        # Led on, not told afresh; of a stretch that has changed no node knows what it was.
        assert client.quality["resumed"] == 2
        assert client.quality["snapshots"] == 4
        assert client.quality["outOfStep"] == 0


@pytest.mark.parametrize("way", WAYS)
async def test_a_token_opens_a_private_board_and_says_who_one_is(
    shared: HeldStack, node: Node, board: str, way: str
) -> None:
    await put_board(node, board, public=False)
    await rank_all(node, board, {f"p{number}": number for number in range(20)})
    async with Client.on(node.url, board, "p7", way) as client:
        await client.until(lambda client: client.statuses.get("top", [""])[-1] == "closed")
        assert client.states == {}
    async with Client.on(node.url, board, "", way, shared.issuer.token("player", "p7")) as client:
        await as_the_service_says(node, board, "p7", client)


@pytest.mark.parametrize("way", WAYS)
async def test_a_board_that_is_not_there_closes_its_topics(node: Node, board: str, way: str) -> None:
    async with Client.on(node.url, board, "p7", way) as client:
        await client.until(lambda client: [*client.statuses.get("top", []), ""][-2:-1] == ["closed"])
        assert client.statuses["live"] == ["live"]


@pytest.fixture
def system_node() -> tuple[str, str]:
    """The machine's own Node, and how it goes: before version 22 it has no WebSocket."""
    executable = shutil.which("node")
    if executable is None:
        pytest.skip("node is missing")
    knows = subprocess.check_output([executable, "-p", "typeof WebSocket"], text=True, timeout=PATIENCE).strip()
    return executable, "websocket" if knows == "function" else "events"


async def test_the_machines_own_node_goes_the_way_it_can(node: Node, board: str, system_node: tuple[str, str]) -> None:
    executable, way = system_node
    await put_board(node, board)
    await rank_all(node, board, {f"p{number}": number for number in range(20)})
    async with Client.on(node.url, board, "p7", "auto", executable=executable) as client:
        await as_the_service_says(node, board, "p7", client)
        assert client.quality["transport"] == way
