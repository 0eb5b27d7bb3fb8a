"""Own ranks, stretches, resume, compression and tokens on a live connection, against the real stack."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import PerMessageDeflate

from realtime.core import closing
from realtime.core.messages import SUBPROTOCOL
from tests.harness import PATIENCE, Node
from tests.integration.held import HeldStack, HeldWatcher, put_board, rank_all, submit

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes(shared: HeldStack) -> AsyncIterator[list[Node]]:
    settings = {"check_every": 0.3, "tick_ms": 20}
    async with shared.worker(), shared.node(**settings) as one, shared.node(**settings) as other:
        yield [one, other]


@pytest.fixture
def node(nodes: list[Node]) -> Node:
    return nodes[0]


async def first(watcher: HeldWatcher, board: str, **view: Any) -> dict[str, Any]:
    """Subscribe; the answer and the state behind it."""
    await watcher.say(op="subscribe", id=1, board=board, **view)
    answer = await watcher.told()
    assert answer["type"] == "subscribed", answer
    return {**await watcher.told(), "mode": answer["mode"]}


async def until(watcher: HeldWatcher, kind: str) -> dict[str, Any]:
    """The next frame of a type."""
    while (frame := await watcher.told())["type"] != kind:
        pass
    return frame


async def test_a_player_is_told_its_own_rank_and_who_passed(node: Node, board: str) -> None:
    await put_board(node, board)
    await rank_all(node, board, {f"p{number}": number * 10 for number in range(20)})
    async with HeldWatcher.talking(node.live_url) as watcher:
        held = await first(watcher, board, view="player", player="p5")
        assert (held["rank"], held["position"], held["of"], held["from"]) == (15, 14, 20, held["version"])
        await submit(node, board, "p5", 95)
        own = await until(watcher, "rank")
        assert (own["rank"], own["moved"], own["score"], own["passed_by"]) == (11, 4, 95, [])
        await submit(node, board, "p2", 99)
        passed = await until(watcher, "rank")
        assert (passed["rank"], passed["moved"], passed["passed_by"]) == (12, -1, ["p2"])
        assert passed["from"] == own["version"]


async def test_me_is_whoever_the_token_names_and_hears_of_its_first_rank(
    shared: HeldStack, node: Node, board: str
) -> None:
    await put_board(node, board)
    await rank_all(node, board, {"ann": 10})
    async with HeldWatcher.talking(node.live_url) as watcher:
        await watcher.say(op="subscribe", id=1, board=board, view="player")
        assert (await watcher.told())["code"] == "unauthenticated"
        await watcher.say(op="auth", token=shared.issuer.token("player", "eve"))
        assert (await watcher.told())["type"] == "authenticated"
        held = await first(watcher, board, view="player", player="me")
        assert (held["topic"], held["rank"], held["of"]) == (f"{board}/player/eve", None, 1)
        await submit(node, board, "eve", 50)
        frame = await until(watcher, "rank")
        assert (frame["rank"], frame["of"], frame["moved"]) == (1, 2, 0)


async def test_the_stretch_around_a_player_moves_with_it(node: Node, board: str) -> None:
    await put_board(node, board)
    await rank_all(node, board, {f"p{number}": number * 10 for number in range(20)})
    async with HeldWatcher.talking(node.live_url) as watcher:
        held = await first(watcher, board, view="around", player="p10", radius=2)
        assert [entry["player"] for entry in held["entries"]] == ["p12", "p11", "p10", "p9", "p8"]
        assert (held["position"], held["entries"][0]["rank"]) == (7, 8)
        # Somebody passes by, far above: the same rows, one further down.
        await submit(node, board, "top", 1000)
        shifted = await until(watcher, "delta")
        assert (shifted["ops"], shifted["position"], shifted["rank"]) == ([], 8, 9)
        await submit(node, board, "p10", 185)
        moved = await until(watcher, "delta")
        assert (moved["position"], moved["rank"]) == (0, 1)


async def test_whoever_comes_back_to_another_node_is_led_on_from_what_it_holds(nodes: list[Node], board: str) -> None:
    one, other = nodes
    await put_board(one, board)
    await rank_all(one, board, {f"p{number}": number * 10 for number in range(20)})
    async with HeldWatcher.talking(one.live_url) as watcher:
        top = await first(watcher, board, view="top", limit=10)
        rank = await first(watcher, board, view="player", player="p5")
    for number in range(5):
        await submit(one, board, "p5", 1000 + number)
    last = await submit(one, board, "p0", 2000)
    await one.http.get(f"/v1/boards/{board}/top", params={"after": f"p0:{last['seq']}"})
    async with HeldWatcher.talking(other.live_url) as watcher:
        back = {"epoch": top["epoch"], "version": top["version"]}
        delta = await first(watcher, board, view="top", limit=10, resume=back)
        assert (delta["mode"], delta["type"], delta["from"]) == ("resumed", "delta", top["version"])
        back = {"epoch": rank["epoch"], "version": rank["version"]}
        led = await first(watcher, board, view="player", player="p5", resume=back)
        assert (led["mode"], led["from"]) == ("resumed", rank["version"])
        assert (led["rank"], led["moved"], led["passed_by"]) == (2, rank["rank"] - 2, ["p0"])


async def test_an_epoch_that_is_over_cannot_be_resumed(node: Node, board: str) -> None:
    await put_board(node, board)
    await rank_all(node, board, {"ann": 10})
    async with HeldWatcher.talking(node.live_url) as watcher:
        held = await first(watcher, board, view="top", limit=10, resume={"epoch": 1, "version": 1})
        assert (held["mode"], held["type"]) == ("snapshot", "snapshot")


async def test_frames_are_compressed_once_for_all_and_without_context(node: Node, board: str) -> None:
    await put_board(node, board)
    await rank_all(node, board, {f"player-{number}": number for number in range(20)})
    async with connect(node.live_url, subprotocols=[SUBPROTOCOL], proxy=None) as socket:
        (extension,) = socket.protocol.extensions
        assert isinstance(extension, PerMessageDeflate)
        assert (extension.remote_no_context_takeover, extension.local_no_context_takeover) == (True, True)
        assert orjson.loads(await socket.recv())["type"] == "welcome"
        # What the client compresses is read, too: 2 KB of it.
        text = orjson.dumps({"op": "subscribe", "id": 1, "board": board, "view": "top", "more": "x" * 2000})
        await socket.send(text.decode())
        assert orjson.loads(await socket.recv())["type"] == "subscribed"
        assert len(orjson.loads(await socket.recv())["entries"]) == 10


async def test_the_end_of_a_token_is_announced_and_it_is_renewed_in_place(shared: HeldStack, node: Node) -> None:
    async with HeldWatcher.talking(node.live_url) as watcher:
        await watcher.say(op="auth", token=shared.issuer.token("player", "ann", lifetime=20))
        assert (await watcher.told())["type"] == "authenticated"
        assert (await watcher.told())["code"] == "token_expiring"
        await watcher.say(op="auth", token=shared.issuer.token("player", "ann", lifetime=3600))
        assert (await watcher.told())["type"] == "authenticated"
        await watcher.say(op="ping")
        assert (await watcher.told())["type"] == "pong"


async def test_with_its_token_a_connection_ends_and_says_that_it_may_come_back(shared: HeldStack, node: Node) -> None:
    async with HeldWatcher.talking(node.live_url) as watcher:
        # Within the leeway: taken, and over at once.
        await watcher.say(op="auth", token=shared.issuer.token("player", "ann", lifetime=1))
        async with asyncio.timeout(PATIENCE):
            await watcher.socket.wait_closed()
        assert watcher.socket.close_code == closing.TOKEN_EXPIRED.code
    assert closing.TOKEN_EXPIRED.come_back
