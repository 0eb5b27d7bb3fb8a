"""Clients that break every rule: the node stays up, and another client notices nothing."""

from __future__ import annotations

import asyncio
import gc
import socket
import zlib
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.frames import Close, Opcode

from infra.local.valkey import EmbeddedValkey
from infra.migrations import migrate
from infra.settings import Settings
from realtime.core import closing, websocket
from realtime.gateway import socket as sockets
from tests.acceptance.crowd import room_for
from tests.bare import LARGE, BareHub, bare_node
from tests.harness import UNENCRYPTED, Stack, eventually, free_port, ready
from tests.wire import PATIENCE, Wire, connected, opened, request

if TYPE_CHECKING:
    from api.arrivals import Gate
    from api.door import Door
    from infra.local.issuer import LocalIssuer
    from infra.local.postgres import EmbeddedPostgres
    from realtime.gateway.connection import Connection

NOTICED = 1.0
"""Seconds for an answer that a client would notice, less those in which other processes had the processor."""
HANDSHAKE = 1.0
"""Seconds for a handshake where it is to run out. Elsewhere there is time for it, however slow the machine."""
IDLE = 10_000
AN_IDLE = 4096
"""Bytes of the node for each that has begun a handshake, and has not said all of it."""
BOARD = "hostile"
NO_HANDSHAKE = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "nothing": b"\r\n\r\n" * 10,
    "noise": b"\xff" * 100_000,
    "a head without end": b"GET /healthz HTTP/1.1\r\nX: " + b"y" * 30_000,
    "half a body": b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
    "half a second request": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\n",
    "a bad key": request("Sec-WebSocket-Key: short"),
    "an old version": request("Sec-WebSocket-Version: 8"),
    "a long header": request("X: " + "y" * 9000),
    "many headers": request(*(f"X-{number}: y" for number in range(500))),
    "a path that is not ASCII": request(path="/v1/\xff"),
    "a handshake with a body": request("Content-Length: 5"),
    "a path of nothing": request(path="/v1/nowhere"),
}


def masked(first: int, payload: bytes) -> bytes:
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes((first,)) + length + b"\x00\x00\x00\x00" + payload


UNREADABLE = {
    "not masked": (websocket.encode(websocket.TEXT, b"{}"), closing.PROTOCOL),
    "reserved bits": (masked(0xB1, b"{}"), closing.PROTOCOL),
    "compressed without agreement": (masked(0xC1, b"{}"), closing.PROTOCOL),
    "a bad opcode": (masked(0x83, b""), closing.PROTOCOL),
    "a bad control opcode": (masked(0x8F, b""), closing.PROTOCOL),
    "a ping in fragments": (masked(0x09, b""), closing.PROTOCOL),
    "a large ping": (masked(0x89, b"x" * 126), closing.PROTOCOL),
    "a fragment of nothing": (masked(0x80, b"{}"), closing.PROTOCOL),
    "a message in another": (masked(0x01, b"{") + masked(0x81, b"}"), closing.PROTOCOL),
    "a close code that is not sent": (masked(0x88, b"\x03\xed"), closing.PROTOCOL),
    "a size too long": (b"\x81\xfe\x00\x01\0\0\0\0x", closing.PROTOCOL),
    "not UTF-8": (masked(0x81, b"\xff\xfe"), closing.NOT_UTF8),
    "binary": (masked(0x82, b"{}"), closing.NOT_TEXT),
    "too large": (masked(0x81, b"x" * 20_000), closing.MESSAGE_TOO_LARGE),
    "eight exabytes": (b"\x81\xff\x7f" + b"\xff" * 7 + b"mask", closing.MESSAGE_TOO_LARGE),
    "too large in fragments": (
        masked(0x01, b"x" * 9000) + masked(0x80, b"x" * 9000),
        closing.MESSAGE_TOO_LARGE,
    ),
}


@dataclass(frozen=True, slots=True)
class Node:
    """A node in this process, seen from the inside. What is asked for by `ask` is answered by `size` bytes of type `answer`."""

    port: int
    door: Door
    gate: Gate
    connections: Callable[[], Collection[Connection]]
    crowd: int
    """Connections at once that the suite has time for."""
    ask: str
    answer: str
    size: int
    bare: BareHub | None = None

    def hurry(self) -> None:
        """From now on a handshake runs out: who is there already was let in at leisure."""
        self.gate._timeout = HANDSHAKE
        # Whose time was set before has come in; the next one's is sooner.
        if self.gate._timer is not None:
            self.gate._timer.cancel()
            self.gate._timer = None

    def parsers(self) -> int:
        """Those that are made for requests to this node."""
        assert self.gate._server is not None
        config = self.gate._server[0]
        found = [one for one in gc.get_objects() if issubclass(type(one), HttpToolsProtocol)]
        return sum(one.config is config for one in found)

    async def until(self, count: int) -> None:
        """Return when so many are connected."""

        async def connected() -> bool:
            return len(self.connections()) == count

        await eventually(connected)

    def stuck(self) -> sockets.LiveSocket | None:
        """Who is held back, if anybody is."""
        found = [one for one in self.connections() if one.held_back]
        assert len(found) < 2
        assert all(isinstance(one, sockets.LiveSocket) for one in found)
        return found[0] if found else None  # type: ignore[return-value]


@pytest.fixture(scope="module")
def board_stack(
    postgres: EmbeddedPostgres, issuer: LocalIssuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """The stores of the real node, with a board: the same for all tests, none of which writes."""

    async def fill(stack: Stack) -> None:
        async with stack.running() as (node,):
            await node.http.put(f"/v1/boards/{BOARD}", json={"columns": [{"name": "score"}]})
            rows = [{"player": f"p{number}", "score": number, "name": "x" * 60} for number in range(100)]
            assert (await node.http.post(f"/v1/boards/{BOARD}/scores/batch", json=rows)).status_code == 200
            await stack.settled()

    with EmbeddedValkey(tmp_path_factory.mktemp("hostile") / "valkey") as valkey:
        url = postgres.create_database("hostile")
        asyncio.run(migrate(url))
        stack = Stack(
            Settings(database_url=url, redis_url=valkey.url, issuer=issuer.issuer, jwks_url=issuer.jwks_url), issuer
        )
        asyncio.run(fill(stack))
        yield stack


@pytest.fixture(params=["bare", "real"])
def stores(request: pytest.FixtureRequest) -> Stack | None:
    """None for the node that has none: what comes from the network does not get that far."""
    return None if request.param == "bare" else request.getfixturevalue("board_stack")


@pytest.fixture
async def node(stores: Stack | None) -> AsyncIterator[Node]:
    async with a_bare_node() if stores is None else a_real_node(stores) as node:
        yield node


@asynccontextmanager
async def a_bare_node() -> AsyncIterator[Node]:
    async with bare_node(handshake_timeout=PATIENCE) as bare:
        hub = bare.hub
        yield Node(
            bare.port, bare.door, bare.gate, lambda: hub.connections, 3000, '{"op":"large"}', "large", len(LARGE), hub
        )


@asynccontextmanager
async def a_real_node(stores: Stack) -> AsyncIterator[Node]:
    async with stores.node(handshake_timeout=PATIENCE) as real:
        hub, config = real.service.hub, real.config
        top = (await real.http.get(f"/v1/boards/{BOARD}/top", params={"limit": 100})).content
        ask = f'{{"op":"subscribe","id":1,"board":"{BOARD}","view":"top","limit":100}}'
        yield Node(
            config.port, config.app.state.door, config.http, lambda: list(hub.watch), 500, ask, "snapshot", len(top)
        )


class Bystander:
    """Is served, round after round, by the live connection and by requests. `slowest` is the longest round, in seconds."""

    def __init__(self, port: int, nodes: Sequence[int]) -> None:
        self.slowest = 0.0
        self._port = port
        self._runs = ["thread-self", *map(str, nodes)]
        self._rounds = 0
        self._round = asyncio.Event()
        self._served = asyncio.create_task(self._run())

    async def again(self) -> None:
        """Return when it has said something more and was answered."""
        # One round may be half over.
        wanted = self._rounds + 2
        async with asyncio.timeout(PATIENCE):
            while self._rounds < wanted:
                self._round.clear()
                assert not self._served.done(), self._served.exception()
                await self._round.wait()

    async def leave(self) -> None:
        self._served.cancel()
        await asyncio.gather(self._served, return_exceptions=True)
        assert self._served.cancelled(), self._served.exception()

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        try:
            async with (
                opened(self._port) as wire,
                httpx.AsyncClient(
                    base_url=f"http://127.0.0.1:{self._port}", timeout=PATIENCE, verify=UNENCRYPTED
                ) as http,
            ):
                while True:
                    started = clock() - self._waited()
                    wire.say('{"op":"ping"}')
                    while (await wire.message())["type"] != "pong":
                        pass
                    assert (await http.get("/healthz")).status_code == 200
                    self.slowest = max(self.slowest, clock() - self._waited() - started)
                    self._rounds += 1
                    self._round.set()
                    await asyncio.sleep(0.05)
        finally:
            self._round.set()

    def _waited(self) -> float:
        """Seconds for which this thread, and a node of its own, could have run and others did."""
        nanoseconds = 0
        for run in self._runs:
            with suppress(OSError):  # not every kernel counts them
                nanoseconds += int(Path(f"/proc/{run}/schedstat").read_text().split()[1])
        return nanoseconds / 1e9


@asynccontextmanager
async def unnoticed(port: int, *nodes: int) -> AsyncIterator[Bystander]:
    """Another client is served all the while. `nodes` are processes other than this one."""
    # What the run has left behind is none of the node's: to look through it takes as long as an answer may.
    gc.freeze()
    bystander = Bystander(port, nodes)
    try:
        await bystander.again()
        yield bystander
        # Once more, after all that was done.
        await bystander.again()
    finally:
        await bystander.leave()
        gc.unfreeze()
    assert bystander.slowest < NOTICED


# -- frames ------------------------------------------------------------------------------------------------------------


async def test_what_cannot_be_read_is_refused_by_its_code(node: Node) -> None:
    """All of it at once; and whatever comes behind it."""

    async def closed(data: bytes) -> Close:
        async with opened(node.port) as wire:
            wire.send(data)
            return await wire.closed()

    async with unnoticed(node.port):
        for tail in (b"", b"\xff" * 500_000):
            closes = await asyncio.gather(*(closed(data + tail) for data, _ in UNREADABLE.values()))
            told = {name: Close(close.code, close.reason) for name, (_, close) in UNREADABLE.items()}
            assert dict(zip(UNREADABLE, closes, strict=True)) == told
        await node.until(1)


async def test_a_bomb_inflates_no_further_than_a_message(node: Node) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(b"x" * 10_000_000) + packer.flush(zlib.Z_SYNC_FLUSH)
    async with unnoticed(node.port), opened(node.port, "Sec-WebSocket-Extensions: permessage-deflate") as wire:
        wire.send(masked(0xC1, bomb[:15_000]))
        assert (await wire.closed()).code == closing.MESSAGE_TOO_LARGE.code


async def test_a_message_in_a_hundred_fragments_with_pings_between_is_one_message(node: Node) -> None:
    text = b'{"op":"ping","padding":"' + b"x" * 75 + b'"}'
    async with unnoticed(node.port), opened(node.port) as wire:
        for at in range(len(text)):
            wire.send(masked(0x80 * (at == len(text) - 1) | (at == 0), text[at : at + 1]))
            if at % 10 == 5:
                wire.send(masked(0x89, b"between"))
        pongs = 0
        while (frame := await wire.frame()) is not None and frame.opcode == Opcode.PONG:
            assert frame.data == b"between"
            pongs += 1
        assert pongs == 10
        assert frame is not None
        assert frame.data == b'{"type":"pong"}'
        if node.bare is not None:
            assert text in node.bare.texts


async def test_a_client_that_sends_a_byte_at_a_time_is_served(node: Node) -> None:
    async with unnoticed(node.port), connected(node.port) as wire:
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


async def test_a_flood_of_pings_is_closed(node: Node) -> None:
    async with unnoticed(node.port), opened(node.port) as wire:
        wire.send(masked(0x89, b"x" * 100) * 20_000)
        assert await wire.closed() == Close(closing.FLOOD.code, closing.FLOOD.reason)


async def test_a_flood_of_messages_is_warned_and_then_closed(node: Node) -> None:
    async with unnoticed(node.port), opened(node.port) as wire:
        wire.send(masked(0x81, b'{"op":"ping"}') * 20_000)
        seen = []
        while (frame := await wire.frame()) is not None and frame.opcode == Opcode.TEXT:
            seen.append(b"rate_limited" in frame.data)
        assert frame is not None
        assert Close.parse(frame.data).code == closing.FLOOD.code
        assert (seen[0], seen[-1]) == (False, True)


# -- coming and going --------------------------------------------------------------------------------------------------


async def test_a_close_without_a_close_frame_is_noticed(node: Node) -> None:
    async with unnoticed(node.port):
        ended, vanished = await Wire.open(node.port), await Wire.open(node.port)
        await node.until(3)
        ended.close()
        vanished.reset()
        await node.until(1)
    await node.until(0)
    assert node.door.admitted == 0


async def test_a_client_that_answers_nothing_is_found_by_the_heartbeat(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "CLOSE_WAIT", 0.1)
    async with unnoticed(node.port) as bystander, opened(node.port) as wire:
        await node.until(2)
        for _ in range(3):
            for connection in list(node.connections()):
                connection.beat()
            # Which is heard of between two beats, as a client is that lives.
            await bystander.again()
        await node.until(1)
        assert (await wire.closed()).code == closing.SILENT.code


async def test_the_kernel_holds_little_and_waits_for_nothing(node: Node) -> None:
    async with opened(node.port):
        (live,) = node.connections()
        assert isinstance(live, sockets.LiveSocket)
        bare: socket.socket = live._transport.get_extra_info("socket")
        assert bare.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert bare.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == sockets.UNSENT


async def test_a_client_that_never_reads_is_skipped_and_holds_little() -> None:
    """As a board is shown to it, which goes on without it."""
    board = b'{"type":"board","board":"' + b"x" * 4000 + b'"}'
    async with a_bare_node() as node, unnoticed(node.port), opened(node.port) as wire:
        hub = node.bare
        assert hub is not None
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        sent = 0
        while not hub.held_back:
            hub.publish(board)
            sent += 1
            await asyncio.sleep(0)
        stuck = node.stuck()
        assert stuck is not None
        assert stuck.fd == -1
        for _ in range(1000):
            hub.publish(board)
        assert stuck._transport.get_write_buffer_size() <= len(board) + 4
        wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
        for _ in range(sent):
            assert len((await wire.message())["board"]) == 4000
        assert (await wire.message())["type"] == "pong"
        assert not stuck.held_back


async def test_a_client_that_asks_and_never_reads_is_not_read(node: Node) -> None:
    async with unnoticed(node.port), opened(node.port) as wire:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(150):
            wire.say(node.ask)
        async with asyncio.timeout(PATIENCE):
            while (stuck := node.stuck()) is None:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert stuck._transport.get_write_buffer_size() <= sockets.PILE + 2 * node.size
        wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
        answers = 0
        while answers < 150:
            answers += (await wire.message())["type"] == node.answer


# -- before the handshake ----------------------------------------------------------------------------------------------


async def test_thousands_of_idle_handshakes_cost_little_and_are_closed(node: Node) -> None:
    wires: list[Wire] = []
    async with unnoticed(node.port):
        node.hurry()
        try:
            for number in range(node.crowd):
                wires.append(await Wire.plain(node.port))
                if number % 2:
                    wires[-1].send(request()[:-4])
            assert 0 < node.parsers() < 10
            for wire in wires:
                await wire.ended()
        finally:
            for wire in wires:
                wire.close()
    assert len(node.gate._arrivals) <= 1


async def test_ten_thousand_idle_handshakes_cost_little_and_keep_nobody_out(board_stack: Stack) -> None:
    """At a node that is a process of its own: in one process their two ends would not have room."""
    loop, port = asyncio.get_running_loop(), free_port()
    idle: list[socket.socket] = []

    async def begin(number: int) -> None:
        idle.append(bare := socket.socket())
        bare.setblocking(False)
        await loop.sock_connect(bare, ("127.0.0.1", port))
        if number % 2:
            await loop.sock_sendall(bare, request()[:-4])

    with room_for(IDLE):
        async with board_stack.process("api", port=port, handshake_timeout=600.0) as child:
            await ready(f"http://127.0.0.1:{port}")
            memory = psutil.Process(child.pid)
            before = memory.memory_info().rss
            try:
                async with unnoticed(port, child.pid):
                    for start in range(0, IDLE, 100):
                        await asyncio.gather(*map(begin, range(start, start + 100)))
                    async with opened(port) as wire:
                        wire.say('{"op":"ping"}')
                        assert (await wire.message())["type"] == "pong"
                    each = (memory.memory_info().rss - before) / IDLE
                print(f"{each:.0f} bytes each")
                assert each < AN_IDLE
            finally:
                for one in idle:
                    one.close()


async def test_what_is_no_handshake_is_ended(node: Node) -> None:
    """All of it at once."""

    async def ended(said: bytes) -> None:
        async with connected(node.port) as wire:
            wire.send(said)
            await wire.ended()

    async with unnoticed(node.port):
        node.hurry()
        ends = await asyncio.gather(*map(ended, NO_HANDSHAKE.values()), return_exceptions=True)
    assert dict(zip(NO_HANDSHAKE, ends, strict=True)) == dict.fromkeys(NO_HANDSHAKE)
    assert len(node.gate._arrivals) <= 1


async def test_a_handshake_that_is_gone_before_its_answer_leaves_nothing(node: Node) -> None:

    async def nothing_is_left() -> bool:
        return (len(node.connections()), node.door.admitted, node.gate.in_flight) == (1, 1, 0)

    async with unnoticed(node.port) as bystander:
        for _ in range(200):
            wire = await Wire.plain(node.port)
            wire.send(request())
            wire.reset()
        # By then all of them have come.
        await bystander.again()
        await eventually(nothing_is_left)
