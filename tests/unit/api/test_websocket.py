from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from websockets.exceptions import NegotiationError
from websockets.server import ServerProtocol

from api.arrivals import Arrival, Http
from api.websocket import Deflate, Handshake
from realtime.core import websocket
from realtime.gateway.socket import LiveSocket
from tests.bare import BareNode, bare_node
from tests.unit.api.alive import more_of
from tests.wire import Wire, connected, opened, request

PING = b"\x81\x8d\0\0\0\0" + b'{"op":"ping"}'


@pytest.fixture
async def node() -> AsyncIterator[BareNode]:
    async with bare_node() as node:
        yield node


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Handshake]:
    """The handshakes of the test, as they begin."""
    found: list[Handshake] = []
    begin = Handshake.begin

    def noted(handshake: Handshake, head: bytes, rest: bytes) -> None:
        found.append(handshake)
        begin(handshake, head, rest)

    monkeypatch.setattr(Handshake, "begin", noted)
    return found


async def test_what_comes_with_the_handshake_is_not_lost(node: BareNode) -> None:
    async with connected(node.port) as wire:
        wire.send(request() + PING * 3)
        assert await wire.status() == 101
        assert [(await wire.message())["type"] for _ in range(4)] == ["welcome", "pong", "pong", "pong"]
        wire.send(PING)
        assert (await wire.message())["type"] == "pong"


@pytest.mark.parametrize(("with_it", "meanwhile", "after"), [(PING, PING[:5], PING[5:] + PING), (b"", PING, PING * 2)])
async def test_what_comes_while_the_application_answers_is_not_lost(
    node: BareNode, begun: list[Handshake], with_it: bytes, meanwhile: bytes, after: bytes
) -> None:
    admit = node.door.admit

    def slow(origin: str | None, address: str) -> None:
        admit(origin, address)
        (handshake,) = begun
        handshake.data_received(meanwhile)

    node.door.admit = slow  # type: ignore[method-assign]
    async with connected(node.port) as wire:
        wire.send(request() + with_it)
        assert await wire.status() == 101
        wire.send(after)
        assert [(await wire.message())["type"] for _ in range(4)] == ["welcome", "pong", "pong", "pong"]


@pytest.mark.parametrize("refused", [False, True])
async def test_nothing_of_a_handshake_stays(node: BareNode, refused: bool) -> None:
    """Without the collector: what is in a cycle would wait for it, ten thousand times."""
    node.door.draining = refused
    gc.collect()
    gc.disable()
    try:
        passing = more_of(Handshake, Http, Arrival, ServerProtocol, RequestResponseCycle, asyncio.Task)
        live = more_of(LiveSocket)
        wires = []
        for _ in range(20):
            wires.append(await Wire.plain(node.port))
            wires[-1].send(request())
            assert await wires[-1].status() == (503 if refused else 101)
        if refused:
            for wire in wires:
                await wire.ended()
        # Tasks and callbacks that are done are let go of in the next turns.
        for _ in range(5):
            await asyncio.sleep(0)
        assert passing() == 0
        assert live() == (0 if refused else 20)
        for wire in wires:
            wire.close()
        await node.hub.until(0)
        await asyncio.sleep(0)
        assert live() == 0
    finally:
        gc.enable()


async def test_a_connection_that_was_handed_over_is_not_uvicorns_any_more(node: BareNode) -> None:
    async with opened(node.port):
        assert node.server.server_state.connections == {node.gate}
        assert node.server.server_state.tasks == set()


# -- compression -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        ("permessage-deflate", True),
        ("permessage-deflate; client_max_window_bits", True),
        ("permessage-deflate; client_max_window_bits=9", True),
        ("permessage-deflate; server_max_window_bits=15", True),
        ("permessage-deflate; server_max_window_bits=10", False),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", True),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", True),
        ("x-webkit-deflate-frame", False),
    ],
)
async def test_compression_is_agreed_where_frames_can_be_shared(node: BareNode, offered: str, agreed: bool) -> None:
    async with opened(node.port, f"Sec-WebSocket-Extensions: {offered}") as wire:
        head = wire.head.decode()
        assert ("permessage-deflate" in head) is agreed
        assert ("server_no_context_takeover; client_no_context_takeover" in head) is agreed


def test_an_offer_of_a_smaller_window_is_declined() -> None:
    with pytest.raises(NegotiationError):
        Deflate().process_request_params([("server_max_window_bits", "9")], [])


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (request("Sec-WebSocket-Key: short"), 400),
        (request("Sec-WebSocket-Key: "), 400),
        (request("Sec-WebSocket-Version: 8"), 400),
        (request("X: " + "y" * 9000), 431),
        (request(*(f"X-{number}: y" for number in range(300))), 431),
        (request(path="/" + "x" * 9000), 414),
        (request(path="/\xff"), 400),
        (request("Content-Length: 5"), 400),
        (request(path="/v1/nowhere"), 403),
        (request().replace(b"HTTP/1.1", b"HTTP/1.0"), 505),
        (request().replace(b"HTTP/1.1", b"HTTP/9"), 400),
    ],
    ids=range(11),
)
async def test_a_request_that_is_no_handshake_is_refused_and_ended(node: BareNode, said: bytes, status: int) -> None:
    async with connected(node.port) as wire:
        wire.send(said)
        assert await wire.status() == status
        await wire.ended()
    assert (node.gate.in_flight, node.door.admitted) == (0, 0)


async def test_a_client_that_vanishes_while_it_is_answered_is_released(node: BareNode, begun: list[Handshake]) -> None:
    admit = node.door.admit

    def lost(origin: str | None, address: str) -> None:
        admit(origin, address)
        (handshake,) = begun
        handshake.transport.abort()

    node.door.admit = lost  # type: ignore[method-assign]
    async with connected(node.port) as wire:
        wire.send(request())
        await wire.ended()
    assert (node.gate.in_flight, node.door.admitted, node.hub.connections) == (0, 0, set())


async def test_frames_are_read_by_the_socket_alone(node: BareNode) -> None:
    async with opened(node.port) as wire:
        wire.send(websocket.encode(websocket.TEXT, b"not masked"))
        assert (await wire.closed()).code == 1002
