"""The real stack for tests: nodes and workers on embedded PostgreSQL and Valkey, in this process or as their own."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import socket
import ssl
import sys
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import orjson
import uvicorn
from websockets.asyncio.client import connect

from api.app import application
from api.server import config
from realtime.core import delta, messages
from realtime.core.errors import RankingUnavailable
from workers import process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from infra.local.issuer import LocalIssuer
    from infra.settings import Settings

PATIENCE = 20.0
UNENCRYPTED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that speak plain HTTP: each would read the machine's certificates, which takes longer than most tests do."""
_KEPT = 64
"""Ports that are kept at a time: more than a test takes, and few among the files that a process may open."""
_ports: deque[socket.socket] = deque()


@dataclass(slots=True)
class Node:
    """One API node in this process."""

    url: str
    live_url: str
    http: httpx.AsyncClient
    service: Any
    config: Any = None
    """How uvicorn serves it."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What nodes and workers are told, and tokens for them."""

    settings: Settings
    issuer: LocalIssuer

    def headers(self, role: str = "server", player: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.token(role, player)}"}

    @contextlib.asynccontextmanager
    async def node(self, **changes: Any) -> AsyncIterator[Node]:
        port = free_port()
        settings = dataclasses.replace(self.settings, **({"port": port, "drain_window": 1.0} | changes))
        app = application(settings, died=lambda: None)
        server = Server(config(app, settings))
        serving = asyncio.create_task(server.serve())
        try:
            await server.up.wait()
            url = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(
                base_url=url, timeout=PATIENCE, headers=self.headers("admin"), verify=UNENCRYPTED
            ) as http:
                yield Node(url, url.replace("http", "ws") + "/v1/live", http, app.state.service, server.config)
        finally:
            server.should_exit = True
            await serving

    @contextlib.asynccontextmanager
    async def worker(self, **changes: Any) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(process.run(dataclasses.replace(self.settings, **changes)))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def running(self, nodes: int = 1) -> AsyncIterator[list[Node]]:
        async with contextlib.AsyncExitStack() as opened:
            await opened.enter_async_context(self.worker())
            yield [await opened.enter_async_context(self.node()) for _ in range(nodes)]

    @contextlib.asynccontextmanager
    async def process(self, module: str, **changes: Any) -> AsyncIterator[asyncio.subprocess.Process]:
        """`python -m module` as its own process."""
        environ = os.environ | dataclasses.replace(self.settings, **changes).environ()
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", module, env=environ)
        try:
            yield child
        finally:
            if child.returncode is None:
                child.send_signal(signal.SIGTERM)
                # One that a test has stopped would not hear it.
                child.send_signal(signal.SIGCONT)
            try:
                await asyncio.wait_for(child.wait(), PATIENCE)
            except TimeoutError:
                child.kill()
                await child.wait()
                raise

    async def settled(self) -> None:
        """Return once everything that was committed is ranked."""
        connection = await asyncpg.connect(self.settings.database_url, timeout=PATIENCE)
        try:
            await eventually(lambda: connection.fetchval("SELECT count(*) = 0 FROM outbox"))
        finally:
            await connection.close()


class Server(uvicorn.Server):
    """uvicorn in a test's loop: it says when it is up, and leaves signals to the test runner."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


def free_port() -> int:
    """A port that stays the caller's until it listens there, and again whenever what listened there has ended.

    A server binds it by SO_REUSEADDR, as they all do. To nobody else, in whatever process, does the kernel give it meanwhile, nor to
    a client as its own end; who asks there while nobody listens is refused.
    """
    kept = socket.socket()
    if sys.platform == "linux":
        # Elsewhere a socket that is bound and does not listen would be in its way.
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    port = int(kept.getsockname()[1])
    _ports.append(kept)
    while len(_ports) > (_KEPT if sys.platform == "linux" else 0):
        _ports.popleft().close()
    return port


async def eventually(check: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Ask until the answer is true: for what another process does, and nothing announces."""
    async with asyncio.timeout(seconds):
        while True:
            answer = await check()
            if answer:
                return answer
            await asyncio.sleep(0.02)


async def ranked_top(http: httpx.AsyncClient, board: str, **asked: object) -> dict[str, Any] | None:
    """A board's top by its ranking; None while there is none, or a store is too busy to answer in time."""
    answer = await http.get(f"/v1/boards/{board}/top", params={name: str(value) for name, value in asked.items()})
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return None
    assert answer.status_code == httpx.codes.OK, answer.text
    top: dict[str, Any] = answer.json()
    return None if top.get("stale") else top


async def ready(url: str) -> None:
    """Return when a node in another process takes requests."""
    async with httpx.AsyncClient(verify=UNENCRYPTED) as http:

        async def asked() -> bool:
            try:
                return (await http.get(f"{url}/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(asked)


class Watcher:
    """A client that keeps one top by applying what it is sent, and checks every frame as it comes."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.entries: list[dict[str, Any]] = []
        self.epoch = 0
        self.version = 0
        self.total = 0
        self.seen: list[dict[str, Any]] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, url: str, board: str, limit: int = 100) -> AsyncIterator[Watcher]:
        async with connect(url, subprotocols=[messages.SUBPROTOCOL], max_size=None) as opened:
            watcher = cls(opened)
            await watcher.step("welcome")
            request = {"op": "subscribe", "id": 1, "board": board, "view": "top", "limit": limit}
            async with asyncio.timeout(PATIENCE):
                answer = await watcher._answered(request)
                while answer.get("code") == RankingUnavailable.code:
                    # A board that was just made may not be ranked yet: then it is to be asked for again.
                    answer = await watcher._answered(request)
            assert answer["type"] == "subscribed", answer
            await watcher.step("snapshot")
            yield watcher

    async def _answered(self, request: dict[str, Any]) -> dict[str, Any]:
        await self.socket.send(orjson.dumps(request).decode())
        return await self.step()

    async def step(self, wanted: str | None = None) -> dict[str, Any]:
        """Take one frame; of type `wanted` if that is given."""
        async with asyncio.timeout(PATIENCE):
            message: dict[str, Any] = orjson.loads(await self.socket.recv())
        self.seen.append(message)
        assert wanted is None or message["type"] == wanted, message
        match message["type"]:
            case "snapshot":
                assert (message["epoch"], message["version"]) >= (self.epoch, self.version)
                self.entries = [
                    {field: value for field, value in one.items() if field != "rank"} for one in message["entries"]
                ]
                self.epoch, self.version, self.total = message["epoch"], message["version"], message["total"]
            case "delta":
                assert message["epoch"] == self.epoch
                assert message["from"] == self.version
                delta.apply(self.entries, message["ops"])
                self.version, self.total = message["to"], message["total"]
            case "check":
                assert message["epoch"] == self.epoch
                self.version, self.total = message["version"], message["total"]
        return message

    async def until(self, done: Callable[[Watcher], bool]) -> None:
        """Take frames until `done`."""
        while not done(self):
            await self.step()


def without_rank(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{field: value for field, value in one.items() if field != "rank"} for one in entries]
