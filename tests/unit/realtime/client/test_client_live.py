from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import orjson
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Response

from realtime.client import live as live_module
from realtime.client.live import ConnectionRefused, LiveClosed, Status, connect
from realtime.core import messages
from tests.unit.realtime.client.node import (
    AROUND,
    PLAYER,
    TIMEOUT,
    TOPIC,
    Impatient,
    Node,
    answer,
    following,
    hear,
    rank,
    renamed,
    say,
    snapshot,
    snapshot_around,
    stand,
    stretch,
    window,
)

# -- views ---------------------------------------------------------------------------------------------------------------


async def test_a_watch_asks_for_the_board_and_hands_out_its_snapshot(node: Node) -> None:
    async with connect(node.url) as live, contextlib.aclosing(live.top("b", limit=25)) as states:
        first = following(states)
        connection = await node.accept()
        assert connection.subprotocol == "rankcast.v1.json"
        assert connection.request is not None
        assert connection.request.path == "/v1/live"
        request = await answer(connection, snapshot(3, "ann"))
        assert request == {"op": "subscribe", "id": request["id"], "board": "b", "view": "top", "limit": 25}
        state = await first
        assert (state.version, [entry.player for entry in state.entries]) == (3, ["ann"])
        assert live.status is Status.OPEN


async def test_deltas_and_checks_are_followed(node: Node) -> None:
    async with connect(node.url) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, snapshot(3, "ann"))
        await first
        await say(connection, renamed(3, 4, "Ann"))
        assert (await following(states)).entries[0].name == "Ann"
        await say(connection, messages.check(TOPIC, window(3, "ann"), 10), renamed(4, 5, "ann"))
        assert (await following(states)).version == 5
        await say(connection, messages.check(TOPIC, window(9, "ann"), 10))
        assert (await following(states)).version == 9


async def test_where_a_player_stands_is_followed_from_before_the_first_rank(node: Node) -> None:
    async with connect(node.url) as live, contextlib.aclosing(live.player("b", "ann")) as states:
        first = following(states)
        connection = await node.accept()
        request = await answer(connection, rank(stand(3, None)), topic=PLAYER)
        assert request == {"op": "subscribe", "id": request["id"], "board": "b", "view": "player", "player": "ann"}
        state = await first
        assert (state.player, state.rank, state.score, state.of) == ("ann", None, None, 50)
        await say(connection, rank(stand(4, 12), stand(3, None)))
        state = await following(states)
        assert (state.rank, state.position, state.score, state.seq, state.moved) == (12, 11, (88,), 7, 0)
        await say(connection, rank(stand(9, 14), stand(4, 12), "bob", "cid"))
        state = await following(states)
        assert (state.version, state.rank, state.moved, state.passed_by) == (9, 14, -2, ("bob", "cid"))


async def test_me_is_the_player_whom_the_token_names(node: Node) -> None:
    async with connect(node.url, "secret") as live, contextlib.aclosing(live.player("b")) as states:
        first = following(states)
        connection = await node.accept()
        assert (await hear(connection))["op"] == "auth"
        assert (await answer(connection, rank(stand(3, 1)), topic=PLAYER))["player"] == "me"
        assert (await first).player == "ann"


async def test_a_stretch_around_a_player_is_followed_with_its_position(node: Node) -> None:
    async with connect(node.url) as live, contextlib.aclosing(live.around("b", "ann", radius=2)) as states:
        first = following(states)
        connection = await node.accept()
        request = await answer(connection, snapshot_around(stretch(3, 10, "bob", "ann")), topic=AROUND)
        assert (request["view"], request["player"], request["radius"]) == ("around", "ann", 2)
        state = await first
        assert (state.position, [entry.rank for entry in state.entries]) == (10, [11, 12])
        moved = messages.delta_around(AROUND, stretch(4, 20, "bob", "ann"), 3, [])
        await say(connection, moved)
        state = await following(states)
        assert (state.position, [entry.rank for entry in state.entries]) == (20, [21, 22])


# -- readers -------------------------------------------------------------------------------------------------------------


async def test_a_slow_reader_gets_the_newest_state_only(node: Node) -> None:
    async with connect(node.url) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, snapshot(1, "ann"))
        await first
        for version in range(2, 6):
            await say(connection, renamed(version - 1, version, f"Ann {version}"))
        # The answer to another watch comes after the deltas on the same connection.
        async with contextlib.aclosing(live.player("b", "ann")) as other:
            second = following(other)
            await answer(connection, rank(stand(5, 1)), topic=PLAYER)
            await second
        assert (await following(states)).entries[0].name == "Ann 5"


async def test_two_readers_of_one_view_share_a_subscription(node: Node) -> None:
    async with connect(node.url) as live:
        one, other = live.top("b"), live.top("b")
        first = following(one)
        connection = await node.accept()
        request = await answer(connection, snapshot(3, "ann"))
        await first
        assert (await following(other)).version == 3
        await one.aclose()
        await say(connection, renamed(3, 4, "Ann"))
        assert (await following(other)).version == 4
        await other.aclose()
        assert await hear(connection) == {"op": "unsubscribe", "id": request["id"], "topic": TOPIC}


async def test_a_reader_that_leaves_before_the_answer_leaves_the_one_who_came_after_untouched(node: Node) -> None:
    async with connect(node.url) as live:
        one, other = live.top("b"), live.top("b")
        first = following(one)
        connection = await node.accept()
        request = await hear(connection)
        first.cancel()
        await asyncio.wait([first])
        await one.aclose()
        second = following(other)
        await say(connection, messages.subscribed(request["id"], TOPIC, "snapshot"), snapshot(3, "ann"))
        assert (await second).version == 3
        await other.aclose()
        assert (await hear(connection))["op"] == "unsubscribe"


async def test_a_reader_that_leaves_before_the_answer_ends_the_subscription_when_that_has_come(node: Node) -> None:
    async with connect(node.url) as live:
        states = live.top("b")
        first = following(states)
        connection = await node.accept()
        request = await hear(connection)
        first.cancel()
        await asyncio.wait([first])
        await states.aclose()
        await say(connection, messages.subscribed(request["id"], TOPIC, "snapshot"), snapshot(3, "ann"))
        assert await hear(connection) == {"op": "unsubscribe", "id": request["id"], "topic": TOPIC}


# -- connections ---------------------------------------------------------------------------------------------------------


async def test_frames_may_be_compressed_without_taking_over_a_context(node: Node) -> None:
    deflate = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)
    async with (
        serve(
            node.serve,
            "127.0.0.1",
            0,
            compression=None,
            extensions=[deflate],
            subprotocols=[messages.SUBPROTOCOL],
        ) as server,
        connect(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as live,
        contextlib.aclosing(live.top("b")) as states,
    ):
        first = following(states)
        connection = await node.accept()
        assert [one.name for one in connection.protocol.extensions] == ["permessage-deflate"]
        await answer(connection, snapshot(3, "ann"))
        assert (await first).version == 3
        await say(connection, renamed(3, 4, "Ann"))
        assert (await following(states)).version == 4


async def test_what_cannot_be_read_drops_the_connection_and_comes_back(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        await (await node.accept()).send("{")
        broken = orjson.loads(snapshot(3, "ann"))
        del broken["total"]
        await answer(await node.accept(), orjson.dumps(broken))
        await answer(await node.accept(), snapshot(4, "ann"))
        assert (await first).version == 4


async def test_an_address_without_a_node_is_tried_until_there_is_one(node: Node) -> None:
    async with serve(node.serve, "127.0.0.1", 0) as gone:
        port = gone.sockets[0].getsockname()[1]
    async with (
        connect(f"http://127.0.0.1:{port}", chance=Impatient()) as live,
        contextlib.aclosing(live.top("b")) as states,
    ):
        first = following(states)
        assert live.status is Status.CONNECTING
        async with Node.running(port) as late:
            await answer(await late.accept(), snapshot(3, "ann"))
            assert (await first).version == 3


async def refusing(status: int, headers: dict[str, str]) -> Any:
    def refuse(connection: ServerConnection, _request: object) -> Response:
        response = connection.respond(status, "nothing here\n")
        response.headers.update(headers)
        return response

    async def never(connection: ServerConnection) -> None:
        raise AssertionError(connection)

    return await serve(never, "127.0.0.1", 0, process_request=refuse)


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_server_that_is_no_node_is_named(status: int) -> None:
    async with await refusing(status, {}) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"http://127.0.0.1:{port}") as live:
            with pytest.raises(ConnectionRefused, match=f"answers {status}"):
                await asyncio.wait_for(anext(live.top("b")), TIMEOUT)
            assert live.status is Status.CLOSED


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_a_node_that_is_full_is_asked_again(node: Node, status: int) -> None:
    async with await refusing(status, {"Retry-After": "0"}) as full:
        urls = [f"http://127.0.0.1:{full.sockets[0].getsockname()[1]}", node.url]
        async with connect(urls, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
            first = following(states)
            await answer(await node.accept(), snapshot(3, "ann"))
            assert (await first).version == 3


@pytest.mark.parametrize(
    ("header", "seconds"), [("3", 3.0), ("0", 0.0), ("86400", 60.0), ("soon", 0.0), ("", 0.0), (None, 0.0)]
)
async def test_a_node_that_says_when_to_come_is_not_asked_before(header: str | None, seconds: float) -> None:
    headers = Headers() if header is None else Headers({"Retry-After": header})
    told = live_module._retry_after(Response(503, "Service Unavailable", headers))
    assert told == seconds
    live = live_module.Live(iter([]), None, Impatient())
    assert live._wait(live_module._Ending(retry_after=told), attempt=3) == seconds


async def test_a_node_that_is_full_is_left_alone_for_as_long_as_it_says(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "LONGEST_RETRY", 0.05)
    async with await refusing(503, {"Retry-After": "1"}) as full:
        urls = [f"http://127.0.0.1:{full.sockets[0].getsockname()[1]}", node.url]
        asked = asyncio.get_running_loop().time()
        async with connect(urls, chance=Impatient()):
            await node.accept()
            assert asyncio.get_running_loop().time() - asked >= 0.05


async def test_of_several_nodes_any_may_be_the_first(node: Node) -> None:
    class Last(random.Random):
        def random(self) -> float:
            return 0.999

    async with Node.running() as other, connect([other.url, node.url], chance=Last()):
        await node.accept()
        assert other.connections.empty()


async def test_an_address_that_is_none_is_refused() -> None:
    async with connect("nonsense://somewhere") as live:
        with pytest.raises(ConnectionRefused, match="no address of a WebSocket"):
            await asyncio.wait_for(anext(live.top("b")), TIMEOUT)


async def test_no_address_at_all_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="no address"):
        async with connect([]):
            pass


async def test_a_reader_elsewhere_ends_when_the_client_does(node: Node) -> None:
    async with connect(node.url) as live:
        states = live.top("b")
        waiting = following(states)
        connection = await node.accept()
        await hear(connection)
    with pytest.raises(LiveClosed):
        await waiting
    with pytest.raises(LiveClosed):
        await anext(live.player("b"))
    assert live.status is Status.CLOSED
    await asyncio.wait_for(connection.wait_closed(), TIMEOUT)
    assert connection.close_code == 1000
