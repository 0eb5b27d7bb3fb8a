"""The live connection, message by message, against the real stack; every frame is held against asyncapi.json."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from realtime.client.reducer import State, apply_check, apply_delta, from_snapshot
from realtime.core import closing
from realtime.core.messages import SUBPROTOCOL
from tests import documents
from tests.harness import PATIENCE, Node, eventually, without_rank
from tests.integration.held import HeldStack, HeldWatcher, problem, put_board, rank_all, submit, submit_all

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHECK_EVERY = 0.2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(shared: HeldStack) -> AsyncIterator[Node]:
    async with shared.worker(), shared.node(check_every=CHECK_EVERY, tick_ms=20, heartbeat=7) as node:
        yield node


async def top(node: Node, board: str, limit: int = 10, **params: Any) -> dict[str, Any]:
    answer = await node.http.get(f"/v1/boards/{board}/top", params={"limit": limit, **params})
    body: dict[str, Any] = answer.json()
    return body


async def closed(socket: Any) -> tuple[int, str]:
    """How the node closes the connection; what it says before is let go."""
    async with asyncio.timeout(PATIENCE):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as error:
            return (error.rcvd.code, error.rcvd.reason) if error.rcvd is not None else (1006, "")


# -- watching ------------------------------------------------------------------------------------------------------------


async def test_the_first_message_says_how_the_node_works(node: Node) -> None:
    async with HeldWatcher.talking(node.live_url) as watcher:
        assert watcher.seen == [{"type": "welcome", "heartbeat": 7, "tick": 20}]


async def test_whoever_asks_without_an_upgrade_is_told_how_to_come_in(node: Node) -> None:
    answer = await node.http.get("/v1/live")
    assert (answer.status_code, answer.json()["code"]) == (426, "upgrade_required")
    assert answer.headers["upgrade"] == "websocket"


async def test_a_subscription_is_answered_by_its_topic_and_what_rest_says(node: Node, board: str) -> None:
    await put_board(node, board, ranks="ordinal")
    await rank_all(node, board, {f"p{number}": number for number in range(30)})
    for limit in (10, 25, 50, 100):
        async with HeldWatcher.talking(node.live_url) as watcher:
            rest = await top(node, board, limit)
            await watcher.say(op="subscribe", id="mine", board=board, view="top", limit=limit)
            answer = await watcher.step("subscribed")
            assert answer == {"type": "subscribed", "id": "mine", "topic": answer["topic"], "mode": "snapshot"}
            snapshot = await watcher.step("snapshot")
            expected = {field: rest[field] for field in ("epoch", "version", "total", "ranks", "entries")}
            assert snapshot == {"type": "snapshot", "topic": answer["topic"], "limit": limit, **expected}


async def test_ten_rows_are_watched_unless_said_otherwise(node: Node, board: str) -> None:
    await put_board(node, board)
    async with HeldWatcher.talking(node.live_url) as watcher:
        await watcher.ask("subscribed", op="subscribe", id=1, board=board, view="top")
        assert (await watcher.step("snapshot"))["limit"] == 10


async def test_scores_names_and_removals_arrive_as_deltas(node: Node, board: str) -> None:
    player = board.split(".", maxsplit=1)[0]
    await put_board(node, board)
    async with HeldWatcher.talking(node.live_url) as watcher:
        await watcher.watch(board)
        for act in (
            lambda: submit(node, board, player, 5),
            lambda: submit(node, board, "bob", 7),
            lambda: submit(node, board, player, 9),
            lambda: node.http.put(f"/v1/players/{player}", json={"name": "Ada 🎈", "country": "GB"}),
            lambda: node.http.delete(f"/v1/boards/{board}/players/bob"),
        ):
            await act()
            await watcher.next("delta")
            assert watcher.entries == without_rank((await top(node, board))["entries"])
        kinds = [op[0] for frame in watcher.seen if frame["type"] == "delta" for op in frame["ops"]]
        assert kinds == ["in", "in", "move", "set", "out"]


async def test_a_check_carries_version_and_total_forward_where_the_list_stays(node: Node, board: str) -> None:
    await put_board(node, board)
    await rank_all(node, board, {f"p{number}": 100 + number for number in range(10)})
    async with HeldWatcher.talking(node.live_url) as watcher:
        await watcher.watch(board)
        seq = (await submit(node, board, "late", 1))["seq"]
        behind = await top(node, board, after=f"late:{seq}")
        # One may have come from before.
        while (check := await watcher.next("check"))["version"] < behind["version"]:
            pass
        assert (check["version"], check["total"]) == (behind["version"], 11)
        assert not [frame for frame in watcher.seen if frame["type"] == "delta"]


async def test_a_client_of_many_topics_keeps_each_by_its_name(node: Node, board: str) -> None:
    boards = [board, f"{board}.2"]
    for name in boards:
        await put_board(node, name)
    async with HeldWatcher.talking(node.live_url) as watcher:
        topics: dict[str, State] = {}

        async def take() -> None:
            frame = await watcher.raw()
            match frame["type"]:
                case "snapshot":
                    topics[frame["topic"]] = from_snapshot(frame)
                case "delta":
                    topics[frame["topic"]] = apply_delta(topics[frame["topic"]], frame)
                case "check":
                    topics[frame["topic"]] = apply_check(topics[frame["topic"]], frame)

        for number, (name, limit) in enumerate((name, limit) for name in boards for limit in (10, 25)):
            await watcher.say(op="subscribe", id=number, board=name, view="top", limit=limit)
        while len(topics) < 4:
            await take()
        for name in boards:
            await submit_all(node, name, {f"p{number}": number for number in range(20)})
        while not all(len(state.rows) == (10 if topic.endswith("10") else 20) for topic, state in topics.items()):
            await take()
        for name in boards:
            shown = without_rank((await top(node, name, 25))["entries"])
            assert [dict(row) for row in without_rank(topics[f"{name}/top/25"].rows)] == shown
            assert [dict(row) for row in without_rank(topics[f"{name}/top/10"].rows)] == shown[:10]


async def test_subscribing_again_sends_a_new_snapshot_and_does_not_double_the_frames(node: Node, board: str) -> None:
    await put_board(node, board)
    async with HeldWatcher.talking(node.live_url) as watcher:
        for _ in range(3):
            await watcher.watch(board)
        for number in range(1, 4):
            await submit(node, board, "ada", number)
            await watcher.next("delta")
            await watcher.ask("pong", op="ping")
        deltas = [frame for frame in watcher.seen if frame["type"] == "delta"]
        assert [one["to"] - one["from"] for one in deltas] == [1, 1, 1]


async def test_nothing_of_a_topic_follows_its_unsubscription(node: Node, board: str) -> None:
    await put_board(node, board)
    async with HeldWatcher.talking(node.live_url) as watcher, HeldWatcher.talking(node.live_url) as other:
        await watcher.watch(board)
        await other.watch(board)
        gone = await watcher.ask("unsubscribed", op="unsubscribe", id=9, topic=f"{board}/top/10")
        assert gone == {"type": "unsubscribed", "id": 9, "topic": f"{board}/top/10"}
        await submit(node, board, "ada", 1)
        await other.next("delta")
        await other.next("check")
        await watcher.say(op="ping")
        assert (await watcher.step())["type"] == "pong"
        again = await watcher.ask("error", op="unsubscribe", id=10, topic=f"{board}/top/10")
        assert (again["id"], again["code"]) == (10, "topic_unknown")


async def test_a_burst_of_scores_makes_few_frames(held: HeldStack) -> None:
    async with held.worker(), held.node(tick_ms=1000) as node:
        await put_board(node, "points")
        async with HeldWatcher.talking(node.live_url) as watcher:
            await watcher.watch("points")
            began = time.monotonic()
            for number in range(1, 21):
                seq = (await submit(node, "points", f"p{number % 10}", number))["seq"]
                # A version of its own: what waits for the worker, it takes together.
                await top(node, "points", after=f"p{number % 10}:{seq}")
            await watcher.until(lambda watcher: len(watcher.entries) == 10 and watcher.entries[0]["score"] == 20)
            ticks = time.monotonic() - began
            frames = [frame for frame in watcher.seen if frame["type"] == "delta"]
            # The first at once, then one a tick.
            assert 2 <= len(frames) <= ticks + 2
            assert frames[-1]["to"] - frames[0]["from"] == 20


async def test_a_connection_that_is_gone_is_forgotten(node: Node, board: str) -> None:
    await put_board(node, board)
    async with HeldWatcher.talking(node.live_url) as watcher:
        await watcher.watch(board)
        assert node.service.hub.connections

    async def left() -> bool:
        return not node.service.hub.connections

    await eventually(left)
    assert "\nrankcast_connections 0.0\n" in (await node.http.get("/metrics")).text


# -- who may watch -------------------------------------------------------------------------------------------------------


async def test_a_token_is_taken_and_says_how_long_it_holds(shared: HeldStack, node: Node) -> None:
    async with HeldWatcher.talking(node.live_url) as watcher:
        before = int(time.time())
        answer = await watcher.ask("authenticated", op="auth", token=shared.issuer.token("player", "ada", 600))
        assert before + 600 <= answer["expires_at"] <= time.time() + 600
        for token in ("", "x", shared.issuer.token("player", "ada", -600)):
            refused = await watcher.ask("error", op="auth", token=token)
            assert refused["code"] == "unauthenticated"
        await watcher.ask("pong", op="ping")


async def test_a_private_board_is_watched_with_a_token_only(shared: HeldStack, node: Node, board: str) -> None:
    await put_board(node, board, public=False)
    async with HeldWatcher.talking(node.live_url) as watcher:
        refused = await watcher.ask("error", op="subscribe", id=1, board=board, view="top")
        assert (refused["id"], refused["code"]) == (1, "forbidden")
        await watcher.ask("authenticated", op="auth", token=shared.issuer.token("player", "ada"))
        await watcher.watch(board)
        await submit(node, board, "ada", 1)
        await watcher.next("delta")


async def test_a_board_that_becomes_private_is_not_shown_on(shared: HeldStack, node: Node, board: str) -> None:
    await put_board(node, board)
    async with HeldWatcher.talking(node.live_url) as nobody, HeldWatcher.talking(node.live_url) as player:
        await nobody.watch(board)
        await player.ask("authenticated", op="auth", token=shared.issuer.token("player", "ada"))
        await player.watch(board)
        await put_board(node, board, public=False)
        ended = await nobody.next("error")
        assert (ended["code"], ended["topic"]) == ("forbidden", f"{board}/top/10")
        await submit(node, board, "ada", 1)
        await player.until(lambda watcher: len(watcher.entries) == 1)
        await nobody.ask("pong", op="ping")
        assert nobody.entries == []


# -- boards that change --------------------------------------------------------------------------------------------------


async def test_an_edited_board_is_a_new_snapshot_under_a_new_epoch(node: Node, board: str) -> None:
    await put_board(node, board)
    await submit_all(node, board, {"ada": 5, "bob": 5})
    async with HeldWatcher.talking(node.live_url) as watcher:
        await watcher.watch(board)
        await watcher.until(lambda watcher: len(watcher.entries) == 2)
        epoch = watcher.epoch
        await put_board(node, board, ranks="ordinal")
        edited = await watcher.next("snapshot")
        assert edited["epoch"] > epoch
        # Under one epoch there is one order of ranks.
        assert (edited["ranks"], [one["rank"] for one in edited["entries"]]) == ("ordinal", [1, 2])
        await submit(node, board, "bob", 6)
        await watcher.next("delta")
        assert [one["player"] for one in watcher.entries] == ["bob", "ada"]


async def test_a_board_that_is_deleted_ends_its_topics_and_not_the_connection(node: Node, board: str) -> None:
    await put_board(node, board)
    async with HeldWatcher.talking(node.live_url) as watcher:
        await watcher.watch(board)
        await node.http.delete(f"/v1/boards/{board}")
        ended = await watcher.next("error")
        assert (ended["code"], ended["topic"]) == ("board_unknown", f"{board}/top/10")
        refused = await watcher.ask("error", op="subscribe", id=2, board=board, view="top")
        assert (refused["id"], refused["code"]) == (2, "board_unknown")
        await put_board(node, board)
        await submit(node, board, "bob", 1)
        await watcher.watch(board)
        await watcher.until(lambda watcher: [one["player"] for one in watcher.entries] == ["bob"])


# -- what is refused -----------------------------------------------------------------------------------------------------


async def test_a_message_that_is_refused_is_answered_and_the_connection_stays(node: Node) -> None:
    async with HeldWatcher.talking(node.live_url) as watcher:
        for one in documents.vectors("client")["refused"]["refused"]:
            await watcher.socket.send(one["text"])
            error = await watcher.step("error")
            assert (error.get("id"), error["code"]) == (one["id"], one["code"]), one["text"]
        await watcher.ask("pong", op="ping")


async def test_a_board_that_is_not_there_cannot_be_watched(node: Node) -> None:
    async with HeldWatcher.talking(node.live_url) as watcher:
        refused = await watcher.ask("error", op="subscribe", id="a", board="nowhere", view="top")
        assert (refused["id"], refused["code"]) == ("a", "board_unknown")


async def test_a_connection_has_a_bounded_number_of_topics(shared: HeldStack, node: Node, board: str) -> None:
    await put_board(node, board)
    async with shared.node(max_topics=2) as small, HeldWatcher.talking(small.live_url) as watcher:
        for limit in (10, 25):
            await watcher.watch(board, limit)
        refused = await watcher.ask("error", op="subscribe", id=3, board=board, view="top", limit=50)
        assert (refused["id"], refused["code"]) == (3, "topics_exceeded")
        # One that it has already is not one more.
        await watcher.watch(board, 25)
        await watcher.ask("unsubscribed", op="unsubscribe", topic=f"{board}/top/10")
        await watcher.watch(board, 50)


@pytest.mark.parametrize("offered", [["rankcast.v2.json"], ["chat", "rankcast.v1.msgpack"]])
async def test_another_subprotocol_is_told_not_to_come_back(node: Node, offered: list[Any]) -> None:
    async with connect(node.live_url, subprotocols=offered, proxy=None) as socket:
        assert await closed(socket) == (closing.SUBPROTOCOL.code, closing.SUBPROTOCOL.reason)
        assert socket.subprotocol is None


async def test_our_subprotocol_is_chosen_among_others_and_none_is_taken_for_it(node: Node) -> None:
    async with connect(node.live_url, subprotocols=["chat", SUBPROTOCOL], proxy=None) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == SUBPROTOCOL
    async with connect(node.live_url, proxy=None) as socket:
        assert socket.subprotocol is None
        assert b"welcome" in (await socket.recv(decode=False))


@pytest.mark.parametrize(
    ("message", "close"),
    [
        (b'{"op": "ping"}', closing.NOT_TEXT),
        ('{"op": "ping", "padding": "' + "x" * 16_384 + '"}', closing.MESSAGE_TOO_LARGE),
        ('{"op": "ping", "padding": "' + "🎈" * 4_100 + '"}', closing.MESSAGE_TOO_LARGE),
    ],
)
async def test_what_is_no_message_at_all_closes_the_connection(
    node: Node, message: bytes | str, close: closing.Close
) -> None:
    async with connect(node.live_url, subprotocols=[SUBPROTOCOL], proxy=None) as socket:  # type: ignore[list-item]
        await socket.send(message)
        assert await closed(socket) == (close.code, close.reason)


async def test_a_node_that_is_full_refuses_the_handshake_with_a_problem(shared: HeldStack) -> None:
    async with shared.node(max_connections=1) as full, HeldWatcher.talking(full.live_url):
        with pytest.raises(InvalidStatus) as raised:
            await connect(full.live_url, proxy=None)
        answer = raised.value.response
        response = httpx.Response(
            answer.status_code, headers=list(answer.headers.raw_items()), content=bytes(answer.body)
        )
        assert problem(response) == (503, "overloaded")
