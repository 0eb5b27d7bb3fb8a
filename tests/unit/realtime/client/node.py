"""A node that the test plays: it takes connections, and the test reads and writes their messages."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from websockets.asyncio.server import ServerConnection, serve

from realtime.core import messages, sortkey
from realtime.core.model import BoardSpec, Column, RankMode, Row
from realtime.core.points import AroundPoint, PlayerPoint
from realtime.core.window import Window

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TIMEOUT = 10.0
TOPIC = "b/top/10"
PLAYER = "b/player/ann"
AROUND = "b/around/ann/2"
COLUMNS = (Column("points"),)
SPEC = BoardSpec(title="", columns=COLUMNS)

S = TypeVar("S")


class Node:
    """`accept` hands out the connections in the order in which they came."""

    def __init__(self) -> None:
        self.connections: asyncio.Queue[ServerConnection] = asyncio.Queue()
        self.url = ""

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, port: int = 0) -> AsyncIterator[Node]:
        node = cls()
        async with serve(node.serve, "127.0.0.1", port, subprotocols=[messages.SUBPROTOCOL]) as server:
            node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield node

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


async def hear(connection: ServerConnection) -> dict[str, Any]:
    message: dict[str, Any] = orjson.loads(await asyncio.wait_for(connection.recv(), TIMEOUT))
    return message


async def say(connection: ServerConnection, *frames: bytes) -> None:
    for frame in frames:
        await connection.send(frame.decode())


def following(states: AsyncIterator[S]) -> asyncio.Task[S]:
    """The next state, asked for at once."""

    async def one() -> S:
        return await asyncio.wait_for(anext(states), TIMEOUT)

    return asyncio.create_task(one())


async def answer(
    connection: ServerConnection, *frames: bytes, topic: str = TOPIC, mode: str = "snapshot"
) -> dict[str, Any]:
    """Take a subscription, and answer it."""
    request = await hear(connection)
    assert request["op"] == "subscribe"
    await say(connection, messages.subscribed(request["id"], topic, mode), *frames)
    return request


# -- what a node says ----------------------------------------------------------------------------------------------------


def window(version: int, *players: str, epoch: int = 1) -> Window:
    rows = tuple(Row(player, b"", (100 - place,), place + 1, player) for place, player in enumerate(players))
    return Window(epoch, version, len(players), rows)


def snapshot(version: int, *players: str, epoch: int = 1) -> bytes:
    return messages.snapshot(TOPIC, window(version, *players, epoch=epoch), 10, RankMode.COMPETITION)


def renamed(since: int, version: int, name: str, epoch: int = 1) -> bytes:
    """A delta that names the first of one."""
    return messages.delta(TOPIC, window(version, "ann", epoch=epoch), since, [("set", 0, {"name": name})])


def stand(version: int, rank: int | None, *, seq: int = 7, of: int = 50, epoch: int = 1) -> PlayerPoint:
    """Where ann stands; None for not ranked."""
    if rank is None:
        return PlayerPoint(epoch, version, of, SPEC)
    return PlayerPoint(epoch, version, of, SPEC, sortkey.encode(COLUMNS, (100 - rank,), seq), rank - 1, rank)


def rank(point: PlayerPoint, since: PlayerPoint | None = None, *passed_by: str) -> bytes:
    return messages.rank(PLAYER, point, since or point, passed_by)


def stretch(version: int, position: int | None, *players: str, epoch: int = 1) -> AroundPoint:
    start = position or 0
    rows = tuple(Row(player, b"", (100 - place,), place + 1, player) for place, player in enumerate(players, start))
    return AroundPoint(epoch, version, 50, SPEC, position, None if position is None else position + 1, rows)


def snapshot_around(point: AroundPoint) -> bytes:
    return messages.snapshot_around(AROUND, messages.Around("ann", 2), point)
