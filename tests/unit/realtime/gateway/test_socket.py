from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
import pytest
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close as PeerClose
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from realtime.core import closing, websocket
from realtime.core.closing import Close
from realtime.gateway import socket as sockets
from realtime.gateway.connection import Connection
from realtime.gateway.frame import Encoding
from realtime.gateway.socket import LiveSocket, Terms
from tests.turned import settle

LIMIT = 1000
FD = 77


class Bare:
    """The socket under a transport."""

    def __init__(self) -> None:
        self.options: list[tuple[int, int, int]] = []

    def setsockopt(self, *option: int) -> None:
        self.options.append((option[0], option[1], option[2]))

    def fileno(self) -> int:
        return FD


class Transport(asyncio.Transport):
    """A transport whose kernel takes everything until it is told to be full."""

    def __init__(self, *, tls: bool = False) -> None:
        super().__init__({"socket": Bare(), "sslcontext": object() if tls else None})
        self.protocol: LiveSocket | None = None
        self.sent = b""
        self.waiting = 0
        self.full = False
        self.reading = True
        self.ended: list[str] = []
        self.high: int | None = None

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:  # noqa: ARG002
        self.high = high

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def write(self, data: Any) -> None:
        assert "write_eof" not in self.ended
        self.sent += data
        if self.full:
            self.waiting += len(data)
            assert self.protocol is not None
            self.protocol.pause_writing()

    def drain(self) -> None:
        """The peer reads again."""
        self.full, self.waiting = False, 0
        assert self.protocol is not None
        self.protocol.resume_writing()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended.append("write_eof")

    def close(self) -> None:
        self.ended.append("close")

    def abort(self) -> None:
        self.ended.append("abort")


class Hub:
    """Sessions that note what they are told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.texts: list[bytes] = []
        self.answer: Callable[[Connection, bytes], Coroutine[Any, Any, None] | None] = lambda *_: None

    def join(self, _: Connection) -> None:
        self.told.append("join")

    def leave(self, connection: Connection) -> None:
        assert connection.gone
        assert connection.fd == -1
        self.told.append("leave")

    def hold_back(self, connection: Connection) -> None:
        assert connection.held_back
        assert connection.fd == -1
        self.told.append("hold_back")

    def make_room(self, connection: Connection) -> None:
        assert not connection.held_back
        self.told.append("make_room")

    def received(self, connection: Connection, text: bytes) -> Coroutine[Any, Any, None] | None:
        self.texts.append(text)
        return self.answer(connection, text)


class World:
    """One connection, its hub and its peer."""

    def __init__(self, *, encoding: Encoding = Encoding.PLAIN, tls: bool = False) -> None:
        self.hub = Hub()
        self.time = 100.0
        self.left: list[str] = []
        self.tasks: set[asyncio.Task[None]] = set()
        terms = Terms(self.hub, self.spawn, lambda: self.time, self.left.append, LIMIT, each=0.1, burst=20)
        self.transport = Transport(tls=tls)
        self.live = self.transport.protocol = LiveSocket(terms, encoding, "10.0.0.1")
        self.peer = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=None)
        if encoding is Encoding.DEFLATED:
            self.peer.extensions = [PerMessageDeflate(True, True, 15, 15)]
        self.live.connection_made(self.transport)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.add(asyncio.create_task(work))

    def says(self, *texts: str) -> None:
        for text in texts:
            self.peer.send_text(text.encode())
        self.passes_on()

    def passes_on(self) -> None:
        """What the peer has to send comes."""
        for data in self.peer.data_to_send():
            self.live.data_received(data)

    def frames(self) -> list[Frame]:
        """What the peer is sent, since the last time."""
        sent, self.transport.sent = self.transport.sent, b""
        self.peer.receive_data(sent)
        return [event for event in self.peer.events_received() if isinstance(event, Frame)]

    def messages(self) -> list[Any]:
        return [orjson.loads(frame.data) for frame in self.frames() if frame.opcode == Opcode.TEXT]

    def closed(self) -> Close:
        """How the peer was closed: by the last frame."""
        last = self.frames()[-1]
        assert last.opcode == Opcode.CLOSE
        close = PeerClose.parse(last.data)
        return Close(close.code, close.reason)


@pytest.fixture
async def world() -> World:
    return World()


# -- beginning and ending ----------------------------------------------------------------------------------------------


async def test_it_joins_with_a_descriptor_and_a_kernel_that_holds_little(world: World) -> None:
    assert world.hub.told == ["join"]
    assert (world.live.fd, world.live.held_back, world.transport.high) == (FD, False, 0)
    bare = world.transport.get_extra_info("socket")
    assert [option[2] for option in bare.options] == [sockets.UNSENT]


async def test_a_transport_that_changes_what_is_written_gives_no_descriptor() -> None:
    world = World(tls=True)
    assert world.live.fd == -1
    world.transport.full = True
    world.live.write(b"x")
    world.transport.drain()
    assert (world.live.fd, world.live.held_back) == (-1, False)


async def test_a_connection_leaves_once(world: World) -> None:
    world.live.connection_lost(None)
    world.live.connection_lost(None)
    assert world.hub.told == ["join", "leave"]
    assert world.left == ["10.0.0.1"]
    assert world.live.gone


async def test_what_is_written_to_a_connection_that_has_gone_is_dropped(world: World) -> None:
    world.live.connection_lost(OSError("reset"))
    world.live.write(b"x")
    world.live.reply(b"{}")
    world.live.close(closing.GOING_AWAY)
    world.live.beat()
    world.live.resume_writing()
    assert world.transport.sent == b""
    assert world.hub.told == ["join", "leave"]


async def test_a_close_says_why_and_waits_for_the_peers(world: World) -> None:
    world.live.close(closing.GOING_AWAY)
    world.live.close(closing.INTERNAL)
    assert world.hub.told == ["join", "hold_back"]
    world.live.write(b"late")
    assert world.closed() == closing.GOING_AWAY
    assert world.transport.ended == []
    world.passes_on()
    assert world.transport.ended == ["close"]


async def test_a_message_that_comes_behind_our_close_is_dropped(world: World) -> None:
    world.live.close(closing.GOING_AWAY)
    world.says("a")
    world.peer.send_ping(b"x")
    world.passes_on()
    assert world.hub.texts == []
    assert [frame.opcode for frame in world.frames()] == [Opcode.CLOSE]


async def test_a_peer_that_does_not_answer_a_close_is_cut(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "CLOSE_WAIT", 0.0)
    world.live.close(closing.GOING_AWAY)
    while not world.transport.ended:
        await asyncio.sleep(0)
    assert world.transport.ended == ["abort"]


@pytest.mark.parametrize(("code", "reason"), [(1000, "bye"), (4321, "")])
async def test_the_peers_close_is_answered_by_its_code(world: World, code: int, reason: str) -> None:
    world.peer.send_close(code, reason)
    world.passes_on()
    assert world.transport.ended == ["close"]
    assert world.closed() == Close(code, "")
    assert world.hub.told == ["join", "hold_back"]


async def test_nothing_is_read_behind_the_peers_close(world: World) -> None:
    world.peer.send_close(1000)
    close = b"".join(world.peer.data_to_send())
    world.live.data_received(close + b"\x81\x81\0\0\0\0a")
    world.live.data_received(b"\x81\x81\0\0\0\0a")
    assert world.hub.texts == []


async def test_a_peer_that_ends_without_a_close_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "CLOSE_WAIT", 0.0)
    world.transport.full = True
    world.live.write(b"stuck")
    assert not world.live.eof_received()
    while not world.transport.ended:
        await asyncio.sleep(0)
    assert world.transport.ended == ["abort"]


async def test_a_fault_says_why_and_throws_away_what_comes(world: World) -> None:
    world.live.data_received(b"\x83\x80\0\0\0\0")
    assert world.transport.ended == ["write_eof"]
    world.live.data_received(b"\xff" * 1000)
    assert world.closed() == closing.PROTOCOL
    assert world.hub.told == ["join", "hold_back"]


# -- messages ----------------------------------------------------------------------------------------------------------


async def test_messages_come_in_order_whole_or_in_pieces(world: World) -> None:
    world.says("a", "b" * 200, "ü")
    data = b"\x81\x82\0\0\0\0cd" * 2
    world.live.data_received(data[:5])
    world.live.data_received(data[5:])
    assert world.hub.texts == [b"a", b"b" * 200, "ü".encode(), b"cd", b"cd"]


async def test_while_a_message_waits_no_other_is_read(world: World) -> None:
    may_go_on = asyncio.Event()
    order: list[bytes] = []

    async def slow(text: bytes) -> None:
        await may_go_on.wait()
        order.append(text)

    def answer(_: Connection, text: bytes) -> Coroutine[Any, Any, None] | None:
        if text.startswith(b"slow"):
            return slow(text)
        order.append(text)
        return None

    world.hub.answer = answer
    world.peer.send_text(b"slow")
    world.peer.send_text(b"quick")
    world.peer.send_text(b"slow too")
    world.peer.send_text(b"last")
    world.live.data_received(b"".join(world.peer.data_to_send()))
    await settle()
    assert order == []
    assert not world.transport.reading
    may_go_on.set()
    await settle()
    assert order == [b"slow", b"quick", b"slow too", b"last"]
    assert world.transport.reading


async def test_what_was_waited_for_may_end_after_the_connection(world: World) -> None:
    may_go_on = asyncio.Event()

    async def slow(connection: Connection) -> None:
        await may_go_on.wait()
        connection.reply(b"{}")

    world.hub.answer = lambda connection, _: slow(connection)
    world.says("a")
    world.live.connection_lost(None)
    may_go_on.set()
    await settle()
    assert world.transport.sent == b""
    assert [task.result() for task in world.tasks] == [None]


async def test_a_close_goes_out_while_a_message_waits(world: World) -> None:
    async def slow() -> None:
        await asyncio.Event().wait()

    world.hub.answer = lambda *_: slow()
    world.says("a")
    await settle()
    assert not world.transport.reading
    world.live.close(closing.TOKEN_EXPIRED)
    assert world.closed() == closing.TOKEN_EXPIRED
    assert world.transport.reading
    world.passes_on()
    assert world.transport.ended == ["close"]
    for task in world.tasks:
        task.cancel()
    await settle()


async def test_the_peers_close_behind_a_message_that_waits_is_the_answer_to_ours(world: World) -> None:
    async def slow() -> None:
        await asyncio.Event().wait()

    world.hub.answer = lambda *_: slow()
    world.peer.send_text(b"a")
    world.peer.send_close(1000)
    world.live.data_received(b"".join(world.peer.data_to_send()))
    await settle()
    assert world.transport.ended == []
    world.live.close(closing.GOING_AWAY)
    assert world.transport.ended == ["close"]
    for task in world.tasks:
        task.cancel()
    await settle()


@pytest.mark.parametrize("waits", [False, True])
async def test_a_defect_ends_the_connection_and_is_told(world: World, waits: bool) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def later() -> None:
        raise LookupError("a defect")

    def now(*_: Any) -> None:
        raise LookupError("a defect")

    world.hub.answer = (lambda *_: later()) if waits else now
    world.says("a")
    await settle()
    assert world.closed() == closing.INTERNAL
    assert [str(context["exception"]) for context in told] == ["a defect"]


async def test_a_reply_is_compressed_where_that_was_agreed_and_is_smaller() -> None:
    world = World(encoding=Encoding.DEFLATED)
    long, short = orjson.dumps({"a": "b" * 500}), b'{"a":1}'
    world.live.reply(long)
    assert len(world.transport.sent) < 100
    world.live.reply(short)
    assert world.messages() == [orjson.loads(long), {"a": 1}]
    world.says("x" * 400)
    assert world.hub.texts == [b"x" * 400]


async def test_a_ping_is_answered_also_within_a_message(world: World) -> None:
    world.peer.send_text(b"a", fin=False)
    world.peer.send_ping(b"there?")
    world.peer.send_continuation(b"b", fin=True)
    world.passes_on()
    (pong,) = world.frames()
    assert (pong.opcode, pong.data) == (Opcode.PONG, b"there?")
    assert world.hub.texts == [b"ab"]


async def test_a_connection_that_is_idle_keeps_no_reader(world: World) -> None:
    world.live.data_received(b"\x81\x82\0\0\0\0c")
    assert world.live._inbound is not None
    world.live.data_received(b"d")
    assert world.live._inbound is None


# -- back-pressure -----------------------------------------------------------------------------------------------------


async def test_a_full_socket_is_held_back_until_it_has_room(world: World) -> None:
    world.transport.full = True
    world.live.write(b"x")
    assert (world.live.fd, world.live.held_back) == (-1, True)
    world.live.write(b"y")
    world.transport.drain()
    assert (world.live.fd, world.live.held_back) == (FD, False)
    assert world.hub.told == ["join", "hold_back", "make_room"]


async def test_a_transport_that_comes_full_joins_held_back() -> None:
    world = World()
    transport = Transport()
    transport.waiting = 10
    transport.protocol = late = LiveSocket(world.live._terms, Encoding.PLAIN, "10.0.0.2")
    late.connection_made(transport)
    assert (late.fd, late.held_back) == (-1, True)
    transport.drain()
    assert (late.fd, late.held_back) == (FD, False)
    assert world.hub.told[1:] == ["join", "make_room"]


async def test_who_is_full_again_while_it_is_brought_forward_stays_held_back(world: World) -> None:
    def make_room(connection: Connection) -> None:
        world.transport.full = True
        connection.write(b"merged")

    world.transport.full = True
    world.live.write(b"x")
    world.hub.make_room = make_room  # type: ignore[method-assign]
    world.transport.drain()
    assert (world.live.fd, world.live.held_back) == (-1, True)
    assert world.hub.told == ["join", "hold_back", "hold_back"]


async def test_replies_that_pile_up_stop_the_reading_and_nobody_is_cut(world: World) -> None:
    big = orjson.dumps({"a": "b" * 40_000})

    def answer(connection: Connection, _: bytes) -> None:
        connection.reply(big)

    world.hub.answer = answer
    world.transport.full = True
    world.peer.send_text(b"a")
    world.peer.send_text(b"b")
    world.peer.send_text(b"c")
    world.peer.send_ping(b"d")
    world.live.data_received(b"".join(world.peer.data_to_send()))
    assert world.hub.texts == [b"a", b"b"]
    assert not world.transport.reading
    world.transport.drain()
    assert world.hub.texts == [b"a", b"b", b"c"]
    assert world.transport.reading
    assert [frame.opcode for frame in world.frames()] == [Opcode.TEXT] * 3 + [Opcode.PONG]


async def test_a_closing_connection_is_never_brought_forward(world: World) -> None:
    world.transport.full = True
    world.live.close(closing.GOING_AWAY)
    world.transport.drain()
    assert world.hub.told == ["join", "hold_back"]
    assert world.live.fd == -1


# -- heartbeats --------------------------------------------------------------------------------------------------------


async def test_who_is_heard_is_not_pinged(world: World) -> None:
    for _ in range(5):
        world.says("a")
        world.live.beat()
    assert world.frames() == []


async def test_who_is_not_heard_is_pinged_and_lives_by_its_pong(world: World) -> None:
    for _ in range(5):
        world.live.beat()
        world.live.beat()
        (ping,) = world.frames()
        assert ping.opcode == Opcode.PING
        world.passes_on()
    assert world.hub.told == ["join"]


async def test_who_is_not_heard_for_two_beats_is_closed(world: World) -> None:
    for _ in range(3):
        assert world.hub.told == ["join"]
        world.live.beat()
    assert world.closed() == closing.SILENT


async def test_who_takes_no_byte_for_two_beats_is_closed(world: World) -> None:
    world.transport.full = True
    world.live.write(b"x" * 100)
    for _ in range(3):
        assert world.transport.sent == b"x" * 100
        world.live.beat()
    why = closing.NOT_READING
    assert world.transport.sent == b"x" * 100 + websocket.close_frame(why.code, why.reason)


async def test_beats_without_a_byte_are_forgotten_once_there_was_room(world: World) -> None:
    for _ in range(10):
        world.transport.full = True
        world.live.write(b"x" * 100)
        world.live.beat()
        world.live.beat()
        world.transport.drain()
    assert not world.live.held_back


async def test_who_takes_a_byte_a_beat_is_slow_and_nothing_else(world: World) -> None:
    world.transport.full = True
    world.live.write(b"x" * 100)
    for _ in range(20):
        world.transport.waiting -= 1
        world.live.beat()
    world.transport.drain()
    assert world.hub.told == ["join", "hold_back", "make_room"]
    assert world.transport.sent == b"x" * 100


async def test_who_is_not_read_is_not_silent(world: World) -> None:
    may_go_on = asyncio.Event()

    async def slow() -> None:
        await may_go_on.wait()

    world.hub.answer = lambda *_: slow()
    world.says("a")
    for _ in range(5):
        world.live.beat()
    assert world.hub.told == ["join"]
    may_go_on.set()
    await settle()


# -- the rate ----------------------------------------------------------------------------------------------------------


async def test_a_burst_is_taken_and_what_is_more_is_refused_by_name(world: World) -> None:
    for number in range(25):
        world.says(f'{{"op":"ping","id":{number}}}')
    assert len(world.hub.texts) == 20
    errors = world.messages()
    assert [error["code"] for error in errors] == ["rate_limited"] * 5
    assert [error["id"] for error in errors] == [20, 21, 22, 23, 24]


async def test_at_the_rate_a_client_may_go_on_for_ever(world: World) -> None:
    for _ in range(500):
        world.time += 0.1
        world.says("a")
    assert len(world.hub.texts) == 500


async def test_at_five_times_the_rate_messages_are_dropped_and_the_connection_stays(world: World) -> None:
    for _ in range(2000):
        world.time += 0.02
        world.says("a")
    # A dropped message counts for a tenth: who sends too much gets less than the rate.
    assert 200 <= len(world.hub.texts) <= 300
    assert world.hub.told == ["join"]


async def test_a_flood_is_closed_and_told_not_to_come_back(world: World) -> None:
    for _ in range(1000):
        world.time += 0.001
        world.says("a")
        if world.live.held_back:
            break
    assert world.closed() == closing.FLOOD
    assert not closing.FLOOD.come_back


async def test_a_flood_of_pings_is_not_answered_and_closed(world: World) -> None:
    for _ in range(1000):
        world.peer.send_ping(b"x")
        world.passes_on()
        if world.live.held_back:
            break
    frames = world.frames()
    assert [frame.opcode for frame in frames] == [Opcode.PONG] * 20 + [Opcode.CLOSE]
    assert PeerClose.parse(frames[-1].data).code == closing.FLOOD.code


async def test_a_flood_of_fragments_is_closed(world: World) -> None:
    world.peer.send_text(b"", fin=False)
    for _ in range(1000):
        world.peer.send_continuation(b"", fin=False)
    world.passes_on()
    assert world.closed() == closing.FLOOD
