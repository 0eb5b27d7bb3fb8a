"""Clients that break every rule: the node stays up, and another client notices nothing."""

from __future__ import annotations

import asyncio
import gc
import socket
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.frames import Close, Opcode

from realtime.core import closing, websocket
from realtime.gateway import socket as sockets
from tests.bare import LARGE, BareNode, bare_node
from tests.wire import PATIENCE, Wire, connected, opened, request

NOTICED = 1.0
"""Seconds for an answer that a client would notice; a loaded machine is slow, a node that is stuck is slower."""
CROWD = 3000


def masked(first: int, payload: bytes) -> bytes:
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes((first,)) + length + b"\x00\x00\x00\x00" + payload


@pytest.fixture
async def node() -> AsyncIterator[BareNode]:
    async with bare_node(handshake_timeout=1.0) as node:
        yield node


@asynccontextmanager
async def unnoticed(node: BareNode) -> AsyncIterator[None]:
    """Another client is served all the while, by the live connection and by requests."""
    loop = asyncio.get_running_loop()
    slowest = 0.0

    async def bystander() -> None:
        nonlocal slowest
        async with (
            opened(node.port) as wire,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{node.port}", timeout=PATIENCE) as http,
        ):
            while True:
                started = loop.time()
                wire.say('{"op":"ping"}')
                while (await wire.message())["type"] != "pong":
                    pass
                assert (await http.get("/healthz")).status_code == 200
                slowest = max(slowest, loop.time() - started)
                await asyncio.sleep(0.05)

    served = asyncio.create_task(bystander())
    try:
        yield
        # Once more, after all that was done.
        await asyncio.sleep(0.1)
    finally:
        if not served.done():
            served.cancel()
        await asyncio.gather(served, return_exceptions=True)
    assert served.cancelled(), served.exception()
    assert slowest < NOTICED


# -- frames ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "close"),
    [
        pytest.param(websocket.encode(websocket.TEXT, b"{}"), closing.PROTOCOL, id="not masked"),
        pytest.param(masked(0xB1, b"{}"), closing.PROTOCOL, id="reserved bits"),
        pytest.param(masked(0xC1, b"{}"), closing.PROTOCOL, id="compressed without agreement"),
        pytest.param(masked(0x83, b""), closing.PROTOCOL, id="a bad opcode"),
        pytest.param(masked(0x8F, b""), closing.PROTOCOL, id="a bad control opcode"),
        pytest.param(masked(0x09, b""), closing.PROTOCOL, id="a ping in fragments"),
        pytest.param(masked(0x89, b"x" * 126), closing.PROTOCOL, id="a large ping"),
        pytest.param(masked(0x80, b"{}"), closing.PROTOCOL, id="a fragment of nothing"),
        pytest.param(masked(0x01, b"{") + masked(0x81, b"}"), closing.PROTOCOL, id="a message in another"),
        pytest.param(masked(0x88, b"\x03\xed"), closing.PROTOCOL, id="a close code that is not sent"),
        pytest.param(b"\x81\xfe\x00\x01\0\0\0\0x", closing.PROTOCOL, id="a size too long"),
        pytest.param(masked(0x81, b"\xff\xfe"), closing.NOT_UTF8, id="not UTF-8"),
        pytest.param(masked(0x82, b"{}"), closing.NOT_TEXT, id="binary"),
        pytest.param(masked(0x81, b"x" * 20_000), closing.MESSAGE_TOO_LARGE, id="too large"),
        pytest.param(b"\x81\xff\x7f" + b"\xff" * 7 + b"mask", closing.MESSAGE_TOO_LARGE, id="eight exabytes"),
        pytest.param(
            masked(0x01, b"x" * 9000) + masked(0x80, b"x" * 9000),
            closing.MESSAGE_TOO_LARGE,
            id="too large in fragments",
        ),
    ],
)
async def test_what_cannot_be_read_is_refused_by_its_code(node: BareNode, data: bytes, close: closing.Close) -> None:
    async with unnoticed(node):
        for tail in (b"", b"\xff" * 500_000):
            async with opened(node.port) as wire:
                wire.send(data + tail)
                assert await wire.closed() == Close(close.code, close.reason)
        await node.hub.until(1)


async def test_a_bomb_inflates_no_further_than_a_message(node: BareNode) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(b"x" * 10_000_000) + packer.flush(zlib.Z_SYNC_FLUSH)
    async with unnoticed(node), opened(node.port, "Sec-WebSocket-Extensions: permessage-deflate") as wire:
        wire.send(masked(0xC1, bomb[:15_000]))
        assert (await wire.closed()).code == closing.MESSAGE_TOO_LARGE.code


async def test_a_message_in_a_hundred_fragments_with_pings_between_is_one_message(node: BareNode) -> None:
    text = b'{"op":"ping","padding":"' + b"x" * 75 + b'"}'
    async with unnoticed(node), opened(node.port) as wire:
        for at in range(len(text)):
            wire.send(masked(0x80 * (at == len(text) - 1) | (at == 0), text[at : at + 1]))
            if at % 10 == 5:
                wire.send(masked(0x89, b"between"))
        pongs = 0
        while (frame := await wire.frame()) is not None and frame.opcode == Opcode.PONG:
            assert frame.data == b"between"
            pongs += 1
        assert pongs == 10
        assert text in node.hub.texts


async def test_a_client_that_sends_a_byte_at_a_time_is_served(node: BareNode) -> None:
    async with unnoticed(node), connected(node.port) as wire:
        for byte in request():
            wire.send(bytes((byte,)))
            await wire.writer.drain()
            await asyncio.sleep(0)
        assert await wire.status() == 101
        assert (await wire.message())["type"] == "welcome"
        for byte in masked(0x81, b'{"op":"ping"}'):
            wire.send(bytes((byte,)))
            await asyncio.sleep(0)
        assert (await wire.message())["type"] == "pong"


async def test_a_flood_of_pings_is_closed(node: BareNode) -> None:
    async with unnoticed(node), opened(node.port) as wire:
        wire.send(masked(0x89, b"x" * 100) * 20_000)
        assert await wire.closed() == Close(closing.FLOOD.code, closing.FLOOD.reason)


async def test_a_flood_of_messages_is_warned_and_then_closed(node: BareNode) -> None:
    async with unnoticed(node), opened(node.port) as wire:
        wire.send(masked(0x81, b'{"op":"ping"}') * 20_000)
        seen = []
        while (frame := await wire.frame()) is not None and frame.opcode == Opcode.TEXT:
            seen.append(b"rate_limited" in frame.data)
        assert frame is not None
        assert Close.parse(frame.data).code == closing.FLOOD.code
        assert (seen[0], seen[-1]) == (False, True)


# -- coming and going --------------------------------------------------------------------------------------------------


async def test_a_close_without_a_close_frame_is_noticed(node: BareNode) -> None:
    async with unnoticed(node):
        ended, vanished = await Wire.open(node.port), await Wire.open(node.port)
        await node.hub.until(3)
        ended.close()
        vanished.reset()
        await node.hub.until(1)
    await node.hub.until(0)
    assert node.door.admitted == 0


async def test_a_client_that_answers_nothing_is_found_by_the_heartbeat(
    node: BareNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "CLOSE_WAIT", 0.1)
    async with unnoticed(node), opened(node.port) as wire:
        await node.hub.until(2)
        for _ in range(3):
            for connection in list(node.hub.connections):
                connection.beat()
            await asyncio.sleep(0.1)
        await node.hub.until(1)
        assert (await wire.closed()).code == closing.SILENT.code


async def test_the_kernel_holds_little_and_waits_for_nothing(node: BareNode) -> None:
    async with opened(node.port):
        (live,) = node.hub.connections
        assert isinstance(live, sockets.LiveSocket)
        bare: socket.socket = live._transport.get_extra_info("socket")
        assert bare.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert bare.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == sockets.UNSENT


async def test_a_client_that_never_reads_is_skipped_and_holds_little(node: BareNode) -> None:
    board = b'{"type":"board","board":"' + b"x" * 4000 + b'"}'
    async with unnoticed(node), opened(node.port) as wire:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        sent = 0
        while not node.hub.held_back:
            node.hub.publish(board)
            sent += 1
            await asyncio.sleep(0)
        (stuck,) = (connection for connection in node.hub.connections if connection.held_back)
        assert stuck.fd == -1
        assert isinstance(stuck, sockets.LiveSocket)
        for _ in range(1000):
            node.hub.publish(board)
        assert stuck._transport.get_write_buffer_size() <= len(board) + 4
        wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
        for _ in range(sent):
            assert len((await wire.message())["board"]) == 4000
        assert (await wire.message())["type"] == "pong"
        assert not stuck.held_back


async def test_a_client_that_asks_and_never_reads_is_not_read(node: BareNode) -> None:
    async with unnoticed(node), opened(node.port) as wire:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for number in range(150):
            wire.say(f'{{"op":"large","id":{number}}}')
        async with asyncio.timeout(PATIENCE):
            while not node.hub.held_back:
                await asyncio.sleep(0.01)
        (stuck,) = (connection for connection in node.hub.connections if connection.held_back)
        assert isinstance(stuck, sockets.LiveSocket)
        await asyncio.sleep(0.2)
        assert stuck._transport.get_write_buffer_size() <= sockets.PILE + len(LARGE) + 4
        wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
        answers = 0
        while answers < 150:
            answers += (await wire.message())["type"] == "large"


# -- before the handshake ----------------------------------------------------------------------------------------------


async def test_thousands_of_idle_handshakes_cost_little_and_are_closed(node: BareNode) -> None:
    wires: list[Wire] = []
    async with unnoticed(node):
        try:
            for number in range(CROWD):
                wires.append(await Wire.plain(node.port))
                if number % 2:
                    wires[-1].send(request()[:-4])
            parsers = sum(type(one) is HttpToolsProtocol for one in gc.get_objects())
            assert parsers < 10
            for wire in wires:
                await wire.ended()
        finally:
            for wire in wires:
                wire.close()
    assert len(node.gate._arrivals) <= 1


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
        pytest.param(b"\r\n\r\n" * 10, id="nothing"),
        pytest.param(b"\xff" * 100_000, id="noise"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nX: " + b"y" * 30_000, id="a head without end"),
        pytest.param(b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf", id="half a body"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\n", id="half a second request"),
        pytest.param(request("Sec-WebSocket-Key: short"), id="a bad key"),
        pytest.param(request("Sec-WebSocket-Version: 8"), id="an old version"),
        pytest.param(request("X: " + "y" * 9000), id="a long header"),
        pytest.param(request(*(f"X-{number}: y" for number in range(500))), id="many headers"),
        pytest.param(request(path="/v1/\xff"), id="a path that is not ASCII"),
        pytest.param(request("Content-Length: 5"), id="a handshake with a body"),
        pytest.param(request(path="/v1/nowhere"), id="a path of nothing"),
    ],
)
async def test_what_is_no_handshake_is_ended(node: BareNode, said: bytes) -> None:
    async with unnoticed(node), connected(node.port) as wire:
        wire.send(said)
        await wire.ended()


async def test_a_handshake_that_is_gone_before_its_answer_leaves_nothing(node: BareNode) -> None:
    async with unnoticed(node):
        for _ in range(200):
            wire = await Wire.plain(node.port)
            wire.send(request())
            wire.reset()
        await asyncio.sleep(0.2)
        await node.hub.until(1)
        assert (node.door.admitted, node.gate.in_flight) == (1, 0)
