"""A connection whose chunks go into the body of a response."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from realtime.core import closing
from realtime.gateway.events import FULL, EventStream
from tests.turned import settle
from tests.unit.realtime.gateway.world import TICK, climb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from realtime.core.model import Board
    from tests.unit.realtime.gateway.world import World


class Heard:
    """What the hub is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.on_room: Any = None

    def hold_back(self, _: EventStream) -> None:
        self.said.append("hold back")

    def make_room(self, stream: EventStream) -> None:
        self.said.append("make room")
        if self.on_room is not None:
            self.on_room(stream)


@pytest.fixture
def hub() -> Heard:
    return Heard()


@pytest.fixture
def stream(hub: Heard) -> EventStream:
    return EventStream(hub)  # type: ignore[arg-type]


async def test_it_is_never_written_to_by_a_descriptor(stream: EventStream) -> None:
    assert stream.fd < 0


async def test_what_is_written_comes_out_in_order_and_together(stream: EventStream) -> None:
    chunks = stream.chunks()
    stream.write(b"id: 1-2\ndata: {}\n\n")
    stream.reply(b'{"type":"pong"}')
    assert await anext(chunks) == b'id: 1-2\ndata: {}\n\ndata: {"type":"pong"}\n\n'


async def test_while_nothing_is_there_its_reader_waits(stream: EventStream) -> None:
    waiting = asyncio.ensure_future(anext(stream.chunks()))
    await settle()
    assert not waiting.done()
    stream.write(b"now")
    assert await waiting == b"now"


async def test_past_its_bound_it_is_held_back_once_until_all_was_taken(stream: EventStream, hub: Heard) -> None:
    chunks = stream.chunks()
    stream.write(b"x" * FULL)
    assert (stream.held_back, hub.said) == (False, [])
    stream.write(b"y")
    assert (stream.held_back, hub.said) == (True, ["hold back"])
    # Its own answers still come.
    stream.reply(b"{}")
    assert len(await anext(chunks)) > FULL
    assert hub.said == ["hold back"]
    stream.reply(b"{}")
    await anext(chunks)
    # What came while the first chunk was being written had to go first.
    assert hub.said == ["hold back"]
    reading = asyncio.ensure_future(anext(chunks))
    await settle()
    assert (stream.held_back, hub.said) == (False, ["hold back", "make room"])
    reading.cancel()


async def test_what_it_is_brought_forward_with_is_the_next_chunk(stream: EventStream, hub: Heard) -> None:
    hub.on_room = lambda one: one.write(b"merged")
    chunks = stream.chunks()
    stream.write(b"x" * (FULL + 1))
    await anext(chunks)
    assert await anext(chunks) == b"merged"


async def test_its_last_event_says_why_it_was_closed(stream: EventStream, hub: Heard) -> None:
    chunks = stream.chunks()
    stream.write(b"before\n")
    stream.close(closing.GOING_AWAY)
    stream.close(closing.SILENT)
    stream.write(b"after")
    stream.beat()
    assert stream.gone
    assert [chunk async for chunk in chunks] == [
        b'before\ndata: {"type":"closed","code":4000,"reason":"this node leaves"}\n\n'
    ]
    # Nothing is merged for it any more, and it is never brought forward.
    assert hub.said == ["hold back"]
    assert stream.held_back


async def test_a_reader_that_waits_when_it_is_closed_is_told_so(stream: EventStream) -> None:
    async def read(chunks: AsyncIterator[bytes]) -> list[bytes]:
        return [chunk async for chunk in chunks]

    reading = asyncio.ensure_future(read(stream.chunks()))
    await settle()
    stream.close(closing.GOING_AWAY)
    (last,) = await reading
    assert b"4000" in last


async def test_a_heartbeat_is_a_comment_where_nothing_else_is_said(stream: EventStream) -> None:
    chunks = stream.chunks()
    stream.beat()
    assert await anext(chunks) == b":\n\n"
    stream.write(b"something")
    stream.beat()
    assert await anext(chunks) == b"something"


async def test_a_slow_reader_gets_one_merged_event_from_the_hub(world: World, board: Board) -> None:
    stream = EventStream(world.hub)
    viewer = await world.watching(board)
    world.hub.join(stream)
    work = world.hub.received(stream, b'{"op":"subscribe","id":1,"board":"b","view":"top","limit":10}')
    assert work is not None
    await work
    chunks = stream.chunks()
    assert b'"snapshot"' in await anext(chunks)
    stream.write(b"x" * (FULL + 1))
    for seq in range(50, 55):
        await world.apply(board, climb(seq))
        await asyncio.sleep(TICK * 2)
    assert len(await viewer.drain()) == 5
    await anext(chunks)
    merged = await anext(chunks)
    assert merged.count(b"data:") == 1
    assert (b"id: " in merged, b'"from":2,"to":7' in merged) == (True, True)
    assert world.fanout.merged == 1
