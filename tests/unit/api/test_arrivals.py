from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from api.arrivals import Http
from api.websocket import Handshake
from tests.bare import BareNode, bare_node
from tests.unit.api.alive import more_of
from tests.wire import PATIENCE, Wire, connected, opened, request

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
TIMEOUT = 0.2


@pytest.fixture
async def node() -> AsyncIterator[BareNode]:
    async with bare_node(handshake_timeout=30.0) as node:
        yield node


@pytest.fixture
async def hasty() -> AsyncIterator[BareNode]:
    """A node whose time-out passes by itself: for who does nothing that could come too late."""
    async with bare_node(handshake_timeout=TIMEOUT) as node:
        yield node


def time_is_over(node: BareNode) -> None:
    """For all who have not said all."""
    node.gate._unfinished = dict.fromkeys(node.gate._unfinished, 0.0)
    node.gate._sweep()


async def until(reached: Callable[[], Any]) -> None:
    """Return when the node is that far."""
    async with asyncio.timeout(PATIENCE):
        while not reached():
            await asyncio.sleep(0)


async def answered(wire: Wire) -> int:
    """The status of an answer that leaves the connection open; its body is read."""
    status = await wire.status()
    (length,) = (line for line in wire.head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await wire.reader.readexactly(int(length.split(b":")[1]))
    return status


async def test_requests_are_answered_one_after_the_other(node: BareNode) -> None:
    async with connected(node.port) as wire:
        wire.send(b"\r\n" + GET[:20])
        await asyncio.sleep(0)
        wire.send(GET[20:] + GET)
        assert [await answered(wire), await answered(wire)] == [200, 200]
        wire.send(b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
        assert await answered(wire) == 200


async def test_a_connection_that_was_used_for_requests_may_become_live(node: BareNode) -> None:
    https = more_of(Http)
    async with connected(node.port) as wire:
        wire.send(GET)
        assert await answered(wire) == 200
        wire.send(request() + b"\x81\x82\0\0\0\0{}")
        assert await wire.status() == 101
        assert [(await wire.message())["type"] for _ in range(2)] == ["welcome", "pong"]
        assert https() == 0


async def test_empty_lines_are_no_request(node: BareNode) -> None:
    https = more_of(Http)
    async with connected(node.port) as wire:
        wire.send(b"\r\n\r\n")
        await asyncio.sleep(TIMEOUT / 4)
        assert https() == 0
        wire.send(GET)
        assert await answered(wire) == 200


async def test_an_upgrade_to_something_else_is_a_request(node: BareNode) -> None:
    async with connected(node.port) as wire:
        wire.send(GET[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert await answered(wire) == 200


async def test_without_connection_upgrade_it_is_a_request(node: BareNode) -> None:
    async with connected(node.port) as wire:
        wire.send(GET[:-2] + b"Upgrade: websocket\r\n\r\n")
        assert await answered(wire) == 200


# -- time-outs ---------------------------------------------------------------------------------------------------------


async def test_who_says_nothing_is_closed_without_a_word(hasty: BareNode) -> None:
    async with connected(hasty.port) as wire, asyncio.timeout(PATIENCE):
        assert await wire.reader.read() == b""


@pytest.mark.parametrize("said", [GET[:-1], request()[:-4], b"x"])
async def test_half_a_head_is_a_request_time_out(node: BareNode, said: bytes) -> None:
    async with connected(node.port) as wire:
        wire.send(said)
        await until(lambda: [arrival._head for arrival in node.gate._arrivals] == [said])
        time_is_over(node)
        assert await wire.status() == 408
        await wire.ended()


async def test_a_head_that_trickles_is_closed_all_the_same(hasty: BareNode) -> None:
    async with connected(hasty.port) as wire:
        wire.send(b"GET / HTTP/1.1\r\nX: ")
        async with asyncio.timeout(PATIENCE):
            while not wire.reader.at_eof() and wire.reader.exception() is None:
                wire.send(b"y")
                await asyncio.sleep(TIMEOUT / 10)


async def test_a_second_request_that_is_not_finished_is_closed(node: BareNode) -> None:
    for half in (GET[:10], b"\r\n"):
        async with connected(node.port) as wire:
            wire.send(GET)
            await answered(wire)
            wire.send(half)
            await until(lambda: node.gate._unfinished)
            (http,) = node.gate._unfinished
            assert isinstance(http, Http)
            time_is_over(node)
            assert http.transport.is_closing(), "not by uvicorn, some seconds later"
            await wire.ended()


async def test_a_body_may_take_long_and_not_pause(node: BareNode) -> None:
    head = b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n"
    async with connected(node.port) as wire:
        wire.send(head)
        await until(lambda: [type(one) for one in node.gate._unfinished] == [Http])
        for _ in range(20):
            deadlines = list(node.gate._unfinished.values())
            assert len(deadlines) == 1
            wire.send(b"x")
            # With each byte its time begins anew.
            await until(lambda: list(node.gate._unfinished.values()) != deadlines)  # noqa: B023 - awaited here
        assert await answered(wire) == 200
    async with connected(node.port) as wire:
        wire.send(head + b"x")
        await until(lambda: [type(one) for one in node.gate._unfinished] == [Http])
        time_is_over(node)
        await wire.ended()


async def test_who_was_answered_in_time_stays(node: BareNode) -> None:
    async with connected(node.port) as wire, opened(node.port) as live:
        wire.send(GET)
        await answered(wire)
        time_is_over(node)
        wire.send(GET)
        assert await answered(wire) == 200
        live.say("{}")
        assert (await live.message())["type"] == "pong"
    assert node.gate._unfinished == {}


async def test_many_that_are_late_at_once_are_closed_a_few_at_a_time(node: BareNode) -> None:
    wires = [await Wire.plain(node.port) for _ in range(600)]
    await until(lambda: len(node.gate._unfinished) == 600)
    time_is_over(node)
    assert len(node.gate._unfinished) == 350
    for wire in wires:
        await wire.ended()
        wire.close()
    assert node.gate._arrivals == set()
    assert node.gate._timer is None


# -- bounds ------------------------------------------------------------------------------------------------------------


async def test_a_head_has_a_limit(node: BareNode) -> None:
    async with connected(node.port) as wire:
        wire.send(b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000)
        assert await wire.status() == 431


async def test_who_finds_no_room_is_told_when_to_come_back() -> None:
    async with bare_node(max_connections=3) as node, AsyncExitStack() as held:
        for _ in range(3):
            await held.enter_async_context(connected(node.port))
        async with connected(node.port) as wire:
            assert await wire.status() == 503
            assert b"Retry-After: 1" in wire.head
        assert node.door.refused == 1


async def test_handshakes_are_answered_so_many_at_a_time_in_the_order_in_which_they_came() -> None:
    async with bare_node(handshakes_in_flight=2) as node:
        admit, order, most = node.door.admit, [], 0
        handshakes = more_of(Handshake)

        def noted(origin: str | None, address: str) -> None:
            nonlocal most
            most = max(most, handshakes())
            order.append(origin)
            admit(origin, address)

        node.door.admit = noted  # type: ignore[method-assign]
        node.gate.in_flight = 2
        wires = []
        for number in range(20):
            wires.append(await Wire.plain(node.port))
            wires[-1].send(request(f"Origin: {number}") + (b"\x81\x82\0\0\0\0{}" if number % 2 else b""))
            await until(lambda: len(node.gate._queue) > number)  # noqa: B023 - awaited here
        assert order == []
        node.gate._finished()
        node.gate._finished()
        for wire in wires:
            assert await wire.status() == 101
            wire.say("{}")
            assert [(await wire.message())["type"] for _ in range(2)] == ["welcome", "pong"]
            wire.close()
        assert order == [str(number) for number in range(20)]
        assert most <= 2
        assert node.gate.in_flight == 0


async def test_who_is_lost_while_it_waits_is_not_answered() -> None:
    async with bare_node(handshakes_in_flight=1) as node:
        node.gate.in_flight = 1
        async with connected(node.port) as wire:
            wire.send(request())
            await until(lambda: node.gate._queue)
            (waiting,) = node.gate._queue
            assert waiting._transport is not None
            waiting._transport.abort()
            await wire.ended()
        node.gate._finished()
        assert (node.gate.in_flight, node.door.admitted, len(node.gate._queue)) == (0, 0, 0)


# -- the end -----------------------------------------------------------------------------------------------------------


async def test_a_shutdown_sends_away_who_waits_and_waits_for_the_live_ones() -> None:
    async with bare_node(handshakes_in_flight=1) as node:
        handshakes = more_of(Handshake)
        node.gate.in_flight = 1
        async with opened_past(node) as live, connected(node.port) as idle, connected(node.port) as waiting:
            waiting.send(request())
            await until(lambda: node.gate._queue and len(node.gate._arrivals) == 2)
            node.server.should_exit = True
            await until(lambda: node.hub.drained is not None)
            node.gate._finished()
            assert handshakes() == 0
            assert await waiting.status() == 503
            assert await idle.status() == 503
            assert (await live.closed()).code == 4000
            assert node.server.server_state.connections == {node.gate}
            live.flush()
            await node.hub.until(0)
            assert node.server.server_state.connections == set()


def opened_past(node: BareNode) -> Any:
    """A live connection, opened although no handshake may begin."""
    node.gate.in_flight = 0

    class Opened:
        async def __aenter__(self) -> Wire:
            self.wire = await Wire.open(node.port)
            node.gate.in_flight = 1
            return self.wire

        async def __aexit__(self, *_: object) -> None:
            self.wire.close()

    return Opened()


async def test_nothing_of_a_request_stays(node: BareNode) -> None:
    gc.collect()
    gc.disable()
    kept = more_of(Http, RequestResponseCycle)
    try:
        for _ in range(10):
            async with connected(node.port) as wire:
                wire.send(GET)
                await answered(wire)
        async with asyncio.timeout(PATIENCE):
            while kept():
                await asyncio.sleep(0.01)
    finally:
        gc.enable()


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/broken", 500)])
async def test_a_request_is_told_of_before_its_answer_begins_and_when_it_is_over(
    node: BareNode, path: str, status: int
) -> None:
    async with connected(node.port) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert await wire.status() == status
        assert node.answered == [1, -1]


async def test_an_answer_without_an_end_is_not_waited_for(node: BareNode) -> None:
    async with connected(node.port) as wire:
        wire.send(b"GET /v1/boards/b/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await answered(wire) == 200
        assert node.answered == []
