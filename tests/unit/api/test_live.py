from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from api.live import live
from realtime.core import closing, messages
from realtime.core.errors import RankingUnavailable, Unauthenticated
from realtime.gateway import connection as connections
from realtime.gateway.connection import Connection


class Peer:
    """The socket as the server hands it over: what the client sends, and what it is sent. It may stop reading."""

    def __init__(self, *offered: str) -> None:
        self.scope = {"subprotocols": list(offered)}
        self.app = SimpleNamespace(state=SimpleNamespace(service=None))
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.frames: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.reads = asyncio.Event()
        self.reads.set()
        self.accepted: list[str | None] = []
        self.closed: list[tuple[int, str]] = []
        self.denied: list[Any] = []

    def says(self, **message: Any) -> None:
        self.incoming.put_nowait({"type": "websocket.receive", "text": orjson.dumps(message).decode()})

    async def accept(self, subprotocol: str | None = None) -> None:
        self.accepted.append(subprotocol)

    async def receive(self) -> dict[str, Any]:
        return await self.incoming.get()

    async def send_text(self, text: str) -> None:
        await self.reads.wait()
        self.frames.put_nowait(orjson.loads(text))

    async def close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))

    async def send_denial_response(self, response: Any) -> None:
        self.denied.append(response)


class Hub:
    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self.caught_up: list[Connection] = []

    def join(self, connection: Connection) -> None:
        self.connections.add(connection)
        connection.reply(messages.welcome(25, 50))

    def leave(self, connection: Connection) -> None:
        self.connections.discard(connection)

    def catch_up(self, connection: Connection) -> None:
        connection.behind = False
        self.caught_up.append(connection)

    async def subscribe(self, *_: Any) -> None:
        raise RankingUnavailable("away")


class Identity:
    def known(self, _: str) -> None:
        return None

    async def verify(self, _: str) -> None:
        raise Unauthenticated("no")


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
async def peer(hub: Hub) -> AsyncIterator[Peer]:
    peer = Peer(messages.SUBPROTOCOL)
    settings = SimpleNamespace(max_connections=1, max_message=64)
    peer.app.state.service = SimpleNamespace(hub=hub, settings=settings, identity=Identity())
    yield peer
    assert hub.connections == set()


async def hung_up(peer: Peer, task: asyncio.Task[None]) -> None:
    peer.incoming.put_nowait({"type": "websocket.disconnect", "code": 1001})
    await asyncio.wait_for(task, 5)


async def test_a_connection_is_welcomed_answered_and_forgotten(peer: Peer) -> None:
    task = asyncio.create_task(live(peer))  # type: ignore[arg-type]
    assert (await peer.frames.get())["type"] == "welcome"
    peer.says(op="ping")
    assert (await peer.frames.get())["type"] == "pong"
    peer.says(op="subscribe", id=4, board="b", view="top")
    refused = await peer.frames.get()
    assert (refused["id"], refused["code"]) == (4, "ranking_unavailable")
    peer.says(op="auth", token="x")
    assert (await peer.frames.get())["code"] == "unauthenticated"
    await hung_up(peer, task)
    assert (peer.accepted, peer.closed) == ([messages.SUBPROTOCOL], [])


@pytest.mark.parametrize(
    ("message", "close"),
    [
        ({"bytes": b"{}"}, closing.NOT_TEXT),
        ({"text": "x" * 65}, closing.MESSAGE_TOO_LARGE),
        ({"text": "é" * 33}, closing.MESSAGE_TOO_LARGE),
    ],
)
async def test_what_is_no_message_closes_the_connection(
    peer: Peer, message: dict[str, Any], close: closing.Close
) -> None:
    peer.incoming.put_nowait({"type": "websocket.receive", **message})
    await asyncio.wait_for(live(peer), 5)  # type: ignore[arg-type]
    assert peer.closed == [(close.code, close.reason)]


async def test_who_does_not_read_what_it_asked_for_is_closed(peer: Peer) -> None:
    peer.reads.clear()
    task = asyncio.create_task(live(peer))  # type: ignore[arg-type]
    for _ in range(connections.REPLIES + 2):
        peer.says(op="ping")
    while not peer.incoming.empty():
        await asyncio.sleep(0)
    peer.reads.set()
    await asyncio.wait_for(task, 5)
    assert peer.closed == [(closing.OVERLOADED.code, closing.OVERLOADED.reason)]


async def test_who_was_skipped_is_caught_up_with_when_the_socket_has_room(peer: Peer, hub: Hub) -> None:
    task = asyncio.create_task(live(peer))  # type: ignore[arg-type]
    await peer.frames.get()
    peer.reads.clear()
    (connection,) = hub.connections
    taken = [connection.write(messages.fresh("b/top/10")) for _ in range(connections.FRAMES + 1)]
    assert taken == [True] * connections.FRAMES + [False]
    peer.reads.set()
    await peer.frames.get()
    await asyncio.sleep(0)
    assert hub.caught_up == [connection]
    await hung_up(peer, task)


async def test_another_subprotocol_is_refused_before_anything_is_said(peer: Peer) -> None:
    peer.scope["subprotocols"] = ["rankcast.v9.json"]
    await live(peer)  # type: ignore[arg-type]
    assert peer.closed == [(closing.SUBPROTOCOL.code, closing.SUBPROTOCOL.reason)]
    assert peer.frames.empty()


async def test_a_node_that_is_full_refuses_the_handshake(hub: Hub, peer: Peer) -> None:
    other = Connection()
    hub.connections.add(other)
    await live(peer)  # type: ignore[arg-type]
    assert [response.status_code for response in peer.denied] == [503]
    assert peer.accepted == []
    hub.connections.discard(other)
