from __future__ import annotations

import asyncio

from realtime.gateway.connection import FRAMES, REPLIES, Connection
from tests.turned import settle


async def drained(connection: Connection) -> list[bytes]:
    return [await connection.next_frame() for _ in range(len(connection._frames))]


async def test_frames_and_replies_come_out_in_the_order_they_went_in() -> None:
    connection = Connection()
    connection.reply(b"1")
    assert connection.write(b"2")
    connection.reply(b"3")
    assert await drained(connection) == [b"1", b"2", b"3"]


async def test_a_socket_that_is_behind_takes_no_more_shared_frames() -> None:
    connection = Connection()
    assert all(connection.write(b"x") for _ in range(FRAMES))
    assert not connection.behind
    assert not connection.write(b"y")
    assert connection.behind
    assert await drained(connection) == [b"x"] * FRAMES


async def test_there_is_room_again_for_each_frame_that_was_taken() -> None:
    connection = Connection()
    for _ in range(FRAMES):
        connection.write(b"x")
    await connection.next_frame()
    assert connection.write(b"y")
    assert not connection.write(b"z")


async def test_replies_take_no_room_from_shared_frames() -> None:
    connection = Connection()
    for _ in range(FRAMES + 5):
        connection.reply(b"r")
    assert connection.write(b"x")


async def test_who_does_not_read_its_replies_is_overrun_and_no_more_is_kept() -> None:
    connection = Connection()
    for _ in range(REPLIES):
        connection.reply(b"r")
    assert not connection.overrun
    connection.reply(b"s")
    assert connection.overrun
    assert await drained(connection) == [b"r"] * REPLIES


async def test_who_waits_for_a_frame_is_woken_by_it() -> None:
    connection = Connection()
    for hand_over in (connection.write, connection.reply):
        waiting = asyncio.create_task(connection.next_frame())
        await settle()
        assert not waiting.done()
        hand_over(b"x")
        assert await waiting == b"x"
