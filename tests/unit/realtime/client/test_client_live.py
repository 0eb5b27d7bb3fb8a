from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from websockets.asyncio.server import ServerConnection, serve

from realtime.client.live import ConnectionRefused, Status, WatchRefused, connect, live_address
from realtime.core import messages
from realtime.core.model import RankMode, Row
from realtime.core.window import Window

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from realtime.client.reducer import State

TIMEOUT = 10.0
TOPIC = "b/top/10"


class Node:
    """A node that the test plays: it takes connections, and the test reads and writes their messages."""

    def __init__(self) -> None:
        self.connections: asyncio.Queue[ServerConnection] = asyncio.Queue()
        self.url = ""

    async def serve(self, connection: ServerConnection) -> None:
        self.connections.put_nowait(connection)
        await connection.wait_closed()

    async def accept(self, *, welcome: bool = True) -> ServerConnection:
        connection = await asyncio.wait_for(self.connections.get(), TIMEOUT)
        if welcome:
            await connection.send(messages.welcome(25, 50).decode())
        return connection


class Impatient(random.Random):
    """Comes back at once."""

    def random(self) -> float:
        return 0.0


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    node = Node()
    async with serve(node.serve, "127.0.0.1", 0, subprotocols=[messages.SUBPROTOCOL]) as server:
        node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield node


async def hear(connection: ServerConnection) -> dict[str, Any]:
    return orjson.loads(await asyncio.wait_for(connection.recv(), TIMEOUT))


async def say(connection: ServerConnection, *frames: bytes) -> None:
    for frame in frames:
        await connection.send(frame.decode())


async def following(states: AsyncIterator[State]) -> State:
    return await asyncio.wait_for(anext(states), TIMEOUT)


def window(version: int, *players: str, epoch: int = 1) -> Window:
    rows = tuple(Row(player, b"", (100 - place,), place + 1, player) for place, player in enumerate(players))
    return Window(epoch, version, len(players), rows)


def snapshot(state: Window) -> bytes:
    return messages.snapshot(TOPIC, state, 10, RankMode.COMPETITION)


async def answer(connection: ServerConnection, state: Window) -> dict[str, Any]:
    request = await hear(connection)
    assert request["op"] == "subscribe"
    await say(connection, messages.subscribed(request["id"], TOPIC, "snapshot"), snapshot(state))
    return request


async def test_a_watch_asks_for_the_board_and_hands_out_its_snapshot(node: Node) -> None:
    async with connect(node.url) as live, contextlib.aclosing(live.top("b", limit=25)) as states:
        first = asyncio.ensure_future(following(states))
        connection = await node.accept()
        assert connection.subprotocol == "rankcast.v1.json"
        assert connection.request.path == "/v1/live"
        request = await answer(connection, window(3, "ann"))
        assert (request["board"], request["view"], request["limit"]) == ("b", "top", 25)
        state = await first
        assert (state.version, [entry.player for entry in state.entries]) == (3, ["ann"])
        assert live.status is Status.OPEN


async def test_deltas_and_checks_are_followed(node: Node) -> None:
    async with connect(node.url) as live, contextlib.aclosing(live.top("b")) as states:
        first = asyncio.ensure_future(following(states))
        connection = await node.accept()
        await answer(connection, window(3, "ann"))
        await first
        await say(connection, messages.delta(TOPIC, window(4, "ann"), 3, [("set", 0, {"name": "Ann"})]))
        assert (await following(states)).entries[0].name == "Ann"


async def test_a_slow_reader_gets_the_newest_state_only(node: Node) -> None:
    async with connect(node.url) as live, contextlib.aclosing(live.top("b")) as states:
        first = asyncio.ensure_future(following(states))
        connection = await node.accept()
        await answer(connection, window(1, "ann"))
        await first
        for version in range(2, 6):
            await say(connection, messages.delta(TOPIC, window(version, "ann"), version - 1, []))
        # The answer to a second watch comes after the deltas on the same connection.
        other = live.top("b")
        second = asyncio.ensure_future(following(other))
        await answer(connection, window(6, "ann"))
        await second
        await other.aclose()
        assert (await following(states)).version == 6


async def test_the_token_goes_first(node: Node) -> None:
    async with connect(node.url, token="secret") as live, contextlib.aclosing(live.top("b")) as states:
        first = asyncio.ensure_future(following(states))
        connection = await node.accept()
        assert await hear(connection) == {"op": "auth", "token": "secret"}
        await answer(connection, window(1))
        await first


async def test_a_gap_asks_for_a_fresh_snapshot(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = asyncio.ensure_future(following(states))
        connection = await node.accept()
        await answer(connection, window(3, "ann"))
        await first
        await say(connection, messages.delta(TOPIC, window(9, "ann"), 8, []))
        # What is said before the snapshot is of no use, even where it would fit.
        request = await hear(connection)
        assert request["op"] == "subscribe"
        await say(connection, messages.delta(TOPIC, window(4, "ann"), 3, []))
        await say(connection, messages.subscribed(request["id"], TOPIC, "snapshot"), snapshot(window(9, "bob")))
        assert [entry.player for entry in (await following(states)).entries] == ["bob"]


async def test_a_list_that_is_not_the_nodes_asks_for_a_fresh_snapshot(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = asyncio.ensure_future(following(states))
        connection = await node.accept()
        await answer(connection, window(3, "ann"))
        await first
        await say(connection, messages.check(TOPIC, window(3, "bob"), 10))
        await answer(connection, window(3, "bob"))
        assert [entry.player for entry in (await following(states)).entries] == ["bob"]


async def test_a_lost_connection_comes_back_with_the_watch(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = asyncio.ensure_future(following(states))
        connection = await node.accept()
        await answer(connection, window(3, "ann"))
        await first
        await connection.close(1012)
        connection = await node.accept()
        assert live.status is Status.RECONNECTING
        await answer(connection, window(1, "bob", epoch=2))
        assert (await following(states)).epoch == 2
        assert live.status is Status.OPEN


async def test_a_connection_that_is_told_to_leave_comes_back_at_its_time(node: Node) -> None:
    async with connect(node.url) as live, contextlib.aclosing(live.top("b")) as states:
        first = asyncio.ensure_future(following(states))
        connection = await node.accept()
        await answer(connection, window(3, "ann"))
        await first
        await connection.send(orjson.dumps({"type": "drain", "reconnect_in_ms": 20}).decode())
        await answer(await node.accept(), window(4, "ann"))
        assert (await following(states)).version == 4
        assert connection.close_code == 1000


async def test_what_cannot_be_read_drops_the_connection_and_comes_back(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = asyncio.ensure_future(following(states))
        await (await node.accept()).send("{")
        await answer(await node.accept(), window(3, "ann"))
        assert (await first).version == 3


async def test_a_refused_watch_says_why(node: Node) -> None:
    async with connect(node.url) as live, contextlib.aclosing(live.top("nowhere")) as states:
        first = asyncio.ensure_future(following(states))
        connection = await node.accept()
        request = await hear(connection)
        await say(connection, messages.error("board_unknown", "there is no board nowhere", request["id"]))
        with pytest.raises(WatchRefused, match="there is no board nowhere") as caught:
            await first
        assert caught.value.problem == "board_unknown"


async def test_a_refusal_that_passes_is_asked_again(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = asyncio.ensure_future(following(states))
        connection = await node.accept()
        request = await hear(connection)
        await say(connection, messages.error("ranking_unavailable", "", request["id"]))
        await answer(connection, window(3, "ann"))
        assert (await first).version == 3


async def test_a_refused_token_ends_every_watch(node: Node) -> None:
    async with connect(node.url, token="old") as live, contextlib.aclosing(live.top("b")) as states:
        first = asyncio.ensure_future(following(states))
        await say(await node.accept(), messages.error("unauthenticated", "the token has expired"))
        with pytest.raises(WatchRefused, match="expired"):
            await first
        with pytest.raises(WatchRefused, match="expired"):
            await anext(live.top("other"))


async def test_a_close_that_says_do_not_come_back_is_obeyed(node: Node) -> None:
    async with connect(node.url) as live, contextlib.aclosing(live.top("b")) as states:
        first = asyncio.ensure_future(following(states))
        await (await node.accept()).close(4101, "messages are JSON text")
        with pytest.raises(ConnectionRefused, match="4101: messages are JSON text"):
            await first
        assert live.status is Status.CLOSED


async def test_an_address_without_a_node_is_tried_until_there_is_one(node: Node) -> None:
    async with serve(node.serve, "127.0.0.1", 0) as gone:
        port = gone.sockets[0].getsockname()[1]
    async with (
        connect(f"http://127.0.0.1:{port}", chance=Impatient()) as live,
        contextlib.aclosing(live.top("b")) as states,
    ):
        first = asyncio.ensure_future(following(states))
        async with serve(node.serve, "127.0.0.1", port, subprotocols=[messages.SUBPROTOCOL]):
            await answer(await node.accept(), window(3, "ann"))
            assert (await first).version == 3


async def test_a_server_that_is_no_node_is_named() -> None:
    async def nothing_here(connection: ServerConnection, _request: object) -> Any:
        return connection.respond(404, "nothing here\n")

    async def never(connection: ServerConnection) -> None:
        raise AssertionError(connection)

    async with serve(never, "127.0.0.1", 0, process_request=nothing_here) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"http://127.0.0.1:{port}") as live:
            with pytest.raises(ConnectionRefused, match="answers 404"):
                await asyncio.wait_for(anext(live.top("b")), TIMEOUT)


async def test_a_reader_that_leaves_ends_the_subscription(node: Node) -> None:
    async with connect(node.url) as live:
        states = live.top("b")
        first = asyncio.ensure_future(following(states))
        connection = await node.accept()
        request = await answer(connection, window(3, "ann"))
        await first
        await states.aclose()
        assert await hear(connection) == {"op": "unsubscribe", "id": request["id"], "topic": TOPIC}


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/v1/live"),
        ("https://scores.example/", "wss://scores.example/v1/live"),
        ("https://scores.example/base", "wss://scores.example/base/v1/live"),
        ("ws://127.0.0.1:8080/v1/live", "ws://127.0.0.1:8080/v1/live"),
    ],
)
def test_the_address_of_the_socket_follows_from_the_nodes(url: str, address: str) -> None:
    assert live_address(url) == address
