"""A node without stores: its handshake and its live sockets, with sessions that answer pings and send what they are told."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from api import problems
from api.arrivals import Gate
from api.door import Door
from api.live import live
from api.server import config
from infra.settings import Settings
from realtime.core import closing, messages, websocket
from tests.harness import Server, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from starlette.requests import Request

    from realtime.gateway.connection import Connection


LARGE = orjson.dumps({"type": "large", "what": "x" * 8000})


class BareHub:
    """Sessions: everybody is welcomed, each message is answered, what asks for it by much; `publish` goes to all who are not held back."""

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self.held_back = 0
        self.brought_forward = 0
        self.texts: list[bytes] = []
        self.drained: Callable[[], None] | None = None
        self._changed = asyncio.Event()

    def join(self, connection: Connection) -> None:
        self.connections.add(connection)
        connection.reply(messages.welcome(25, 50))
        self._changed.set()

    def leave(self, connection: Connection) -> None:
        self.connections.remove(connection)
        self._changed.set()
        if self.drained is not None and not self.connections:
            self.drained()

    def hold_back(self, connection: Connection) -> None:
        assert connection in self.connections
        self.held_back += 1

    def make_room(self, connection: Connection) -> None:
        self.brought_forward += 1
        connection.reply(messages.pong())

    def received(self, connection: Connection, text: bytes) -> Coroutine[Any, Any, None] | None:
        self.texts.append(text)
        connection.reply(LARGE if b"large" in text else messages.pong())
        return None

    def drain(self, done: Callable[[], None]) -> None:
        self.drained = done
        for connection in self.connections:
            connection.close(closing.GOING_AWAY)
        if not self.connections:
            done()

    def publish(self, text: bytes) -> None:
        frame = websocket.encode(websocket.TEXT, text)
        for connection in self.connections:
            if not connection.held_back:
                connection.write(frame)

    async def until(self, count: int) -> None:
        """Return when so many are connected."""
        async with asyncio.timeout(20):
            while len(self.connections) != count:
                self._changed.clear()
                await self._changed.wait()


@dataclass(frozen=True, slots=True)
class BareNode:
    """One that serves."""

    port: int
    hub: BareHub
    door: Door
    gate: Gate
    server: Server
    answered: list[int]
    """1 for a request that began, -1 for one that ended."""

    @property
    def live_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/live"


async def _healthz(request: Request) -> Response:
    body = await request.body()
    return Response(orjson.dumps({"read": len(body), "from": request.client.host if request.client else ""}))


async def _broken(_: Request) -> Response:
    raise RuntimeError


@asynccontextmanager
async def bare_node(**changes: Any) -> AsyncIterator[BareNode]:
    """Serve on a free port of loopback, until left."""
    urls: Any = dict.fromkeys(("database_url", "redis_url", "issuer", "jwks_url"), "")
    settings = Settings(**urls, **({"port": free_port(), "drain_window": 1.0} | changes))
    hub = BareHub()
    tasks: set[asyncio.Task[None]] = set()

    def spawn(work: Coroutine[Any, Any, None]) -> None:
        tasks.add(asyncio.create_task(work))

    app = Starlette(
        routes=[
            WebSocketRoute("/v1/live", live),
            Route("/healthz", _healthz, methods=["GET", "POST"]),
            Route("/broken", _broken),
            Route("/v1/boards/b/live", _healthz),
        ],
        exception_handlers={Exception: problems.on_crash},
    )
    app.state.door = door = Door(settings, hub, hub, spawn)
    answered: list[int] = []
    app.state.answering = answered.append
    configured = config(app, settings)
    assert isinstance(configured.http, Gate)
    server = Server(configured)
    serving = asyncio.create_task(server.serve())
    try:
        await server.up.wait()
        yield BareNode(settings.port, hub, door, configured.http, server, answered)
    finally:
        server.should_exit = True
        await serving
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)
