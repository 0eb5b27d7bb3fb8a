"""Thousands of spectators in one loop: each has a connection at a time, and keeps what it holds from one to the next."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import orjson

from realtime.core import closing, websocket
from tests.acceptance.held import Book, Due, Held
from tests.harness import eventually
from tests.wire import request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

CONNECTING = 32
"""Connections that the crowd opens at a time."""
ACCEPTED = b"HTTP/1.1 101 "
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class View:
    """What is watched: the fields of a subscription, and the topic that answers it."""

    topic: str
    asked: dict[str, Any]


def top(board: str, limit: int) -> View:
    return View(f"{board}/top/{limit}", {"board": board, "view": "top", "limit": limit})


def player(board: str, name: str) -> View:
    return View(f"{board}/player/{name}", {"board": board, "view": "player", "player": name})


def around(board: str, name: str, radius: int) -> View:
    asked = {"board": board, "view": "around", "player": name, "radius": radius}
    return View(f"{board}/around/{name}/{radius}", asked)


class Spectator:
    """Watches `views`, at one of the crowd's two nodes at a time. `held` outlives the connections."""

    __slots__ = ("crowd", "held", "line", "node", "views")

    def __init__(self, crowd: Crowd, node: int, views: Sequence[View]) -> None:
        self.crowd = crowd
        self.node = node
        self.views = views
        self.held = {view.topic: crowd.book.held(view.topic, None, Due.ANSWER) for view in views}
        self.line: Line | None = None

    def requests(self) -> bytes:
        """Subscriptions to all views, each from where it stands."""
        said = []
        for number, view in enumerate(self.views):
            value = self.held[view.topic].value
            resume = {"resume": {"epoch": value.epoch, "version": value.version}} if value is not None else {}
            said.append(masked(websocket.TEXT, orjson.dumps({"op": "subscribe", "id": number, **view.asked, **resume})))
        return b"".join(said)

    def told(self, text: bytes) -> None:
        """A message came."""
        book = self.crowd.book
        topic = book.topics.get(text)
        if topic is None:
            topic = book.topic(text)
        if not topic:
            self.crowd.addressed(self, orjson.loads(text))
            return
        held = self.held[topic]
        after = held.after.get(text)
        if after is None:
            after = book.step(held, text)
        if held.due is Due.ANSWER:
            self.crowd.answered(self, held, after)
        self.held[topic] = after

    def move(self) -> None:
        """Come back, to the other node."""
        self.line = None
        self.node = 1 - self.node
        for topic, held in self.held.items():
            self.held[topic] = self.crowd.book.held(topic, held.value, Due.ANSWER)
        self.crowd.waiting.put_nowait(self)


class Line(asyncio.Protocol):
    """One connection of a spectator."""

    __slots__ = ("_open", "_rest", "_spectator", "_transport")

    def __init__(self, spectator: Spectator) -> None:
        self._spectator = spectator
        self._rest = b""
        self._open = False
        self._transport = cast("asyncio.Transport", None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._spectator.line = self
        self._transport.write(request())

    def data_received(self, data: bytes) -> None:
        try:
            self._read(self._rest + data if self._rest else data)
        except Exception as error:  # noqa: BLE001 - the test is told, whatever it is
            self._spectator.crowd.faults.append(error)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._spectator.line is self:
            self._spectator.line = None
            if not self._spectator.crowd.leaving:
                self._spectator.crowd.faults.append(AssertionError(f"a connection was lost: {exc!r}"))

    def leave(self) -> None:
        """Close, and come back to the other node; in vain where the node was faster."""
        if self._spectator.line is self:
            self._spectator.crowd.counts["left"] += 1
            self._end((1000).to_bytes(2, "big"))

    def hang_up(self) -> None:
        """Close for good."""
        self._spectator.line = None
        self._transport.abort()

    def _end(self, why: bytes) -> None:
        self._transport.write(masked(websocket.CLOSE, why))
        self._transport.close()
        self._spectator.move()

    def _read(self, data: bytes) -> None:
        at = 0
        if not self._open:
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                self._rest = data
                return
            assert data.startswith(ACCEPTED), data[:at]
            self._open = True
            self._transport.write(self._spectator.requests())
        frames, self._rest = cut(data, at)
        for first, payload in frames:
            if self._spectator.line is not self:
                return
            self._take(first & 0x0F, payload)

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == websocket.TEXT:
            self._spectator.told(payload)
        elif opcode == websocket.PING:
            self._transport.write(masked(websocket.PONG, payload))
        else:
            assert opcode == websocket.CLOSE, (opcode, payload)
            code = int.from_bytes(payload[:2], "big")
            assert code == closing.GOING_AWAY.code, (code, payload)
            self._spectator.crowd.counts["sent away"] += 1
            self._end(payload[:2])


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame, under the mask that changes nothing."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes((0x80 | opcode,)) + length + b"\x00\x00\x00\x00" + payload


def cut(data: bytes, at: int) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames of a server in `data` from `at` on, as their first byte and payload, and what is left."""
    frames = []
    end = len(data)
    while end >= at + 2:
        size, start = data[at + 1], at + 2
        if size > 125:
            wide = 2 if size == 126 else 8
            size, start = int.from_bytes(data[start : start + wide], "big"), start + wide
        if end < start + size:
            break
        frames.append((data[at], data[start : start + size]))
        at = start + size
    return frames, data[at:]


class Crowd:
    """Spectators of two nodes. `counts` is what happened, `faults` what should not have."""

    def __init__(self, ports: tuple[int, int], drain_window: float) -> None:
        self.book = Book()
        self.counts: Counter[str] = Counter()
        self.faults: list[Exception] = []
        self.snapshots: list[str] = []
        """Who resumed a top or a player and was told a snapshot."""
        self.spectators: list[Spectator] = []
        self.waiting: asyncio.Queue[Spectator] = asyncio.Queue()
        self.leaving = False
        self._ports = ports
        self._drain_window = drain_window

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Connect all, and whoever comes back, as long as this lasts."""
        connecting = [asyncio.create_task(self._connect()) for _ in range(CONNECTING)]
        for spectator in self.spectators:
            self.waiting.put_nowait(spectator)
        try:
            yield
        finally:
            self.leaving = True
            for task in connecting:
                task.cancel()
            await asyncio.gather(*connecting, return_exceptions=True)
            for spectator in self.spectators:
                if spectator.line is not None:
                    spectator.line.hang_up()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            spectator = await self.waiting.get()
            try:
                await loop.create_connection(partial(Line, spectator), "127.0.0.1", self._ports[spectator.node])
            except OSError as error:
                self.faults.append(error)
            self.counts["connected"] += 1

    def addressed(self, spectator: Spectator, message: dict[str, Any]) -> None:
        """A message of no topic came to one of them."""
        if message["type"] == "drain":
            wait = message["reconnect_in_ms"] / 1000
            assert 0 <= wait <= self._drain_window, message
            self.counts["drained"] += 1
            assert spectator.line is not None
            asyncio.get_running_loop().call_later(wait, spectator.line.leave)
        else:
            assert message["type"] == "welcome", message

    def answered(self, spectator: Spectator, held: Held, after: Held) -> None:
        """A subscription was answered."""
        resumed = "resumed" if after.due is Due.NEXT else "afresh"
        asked = "first" if held.value is None else "again"
        self.counts[f"{held.kind} {asked} {resumed}"] += 1
        if held.value is not None and after.due is Due.FIRST and held.kind != "around":
            self.snapshots.append(f"{held.topic} from {held.value.epoch}/{held.version} at node {spectator.node}")

    def held(self) -> Iterator[Held]:
        """All that all of them hold."""
        for spectator in self.spectators:
            yield from spectator.held.values()

    async def settled(self, version: int = 0) -> None:
        """Return when all were answered and hold a version no older than this. Raises the first fault."""

        def behind() -> Iterator[Held]:
            return (held for held in self.held() if held.due is not Due.NEXT or held.version < version)

        async def nobody_is_behind() -> bool:
            if self.faults:
                raise self.faults[0]
            return next(behind(), None) is None

        try:
            await eventually(nobody_is_behind, PATIENCE)
        except TimeoutError as error:
            late = Counter(f"{held.topic} at {held.version}, {held.due.value}" for held in behind())
            raise AssertionError(f"not at {version}: {late.most_common(20)}; {self.counts}") from error


@contextlib.contextmanager
def room_for(connections: int) -> Iterator[None]:
    """Let this process, and those that it starts, have that many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + 500
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(needed, hard)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
