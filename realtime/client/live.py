"""A typed client of `/v1/live`: boards as they change, over one connection that comes back by itself.

    async with connect("http://127.0.0.1:8080") as live:
        async for board in live.top("arcade", limit=10):
            print(board.version, board.entries)

What it hands out is always one version of the board. Whoever reads slower than the board changes gets the newest state
only: nothing queues up.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit, urlunsplit

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from realtime.client.backoff import full_jitter
from realtime.client.reducer import OutOfStep, State, apply_check, apply_delta, from_snapshot, mark_stale
from realtime.core.closing import Close
from realtime.core.errors import RankcastError
from realtime.core.messages import SUBPROTOCOL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable


OPEN_TIMEOUT: Final = 10.0
ANSWER_TIMEOUT: Final = 10.0
"""Seconds until the node has said welcome, or answered what we asked."""
CLOSE_TIMEOUT: Final = 2.0
KEEPALIVE: Final = 20.0
"""Seconds between our pings, and for each answer: a network that is gone says nothing."""
LONGEST_WAIT: Final = 2.0
"""Seconds after which the clock is looked at, even when nothing comes."""
RESYNC: Final = 1.0
"""Seconds within which a fresh snapshot is asked for, at random: a fault must not become a storm of snapshots."""
STEADY: Final = 10.0
"""A connection that held this long was a good one: the next loss starts from the shortest wait."""
MAX_MESSAGE: Final = 4 * 2**20
PASSING: Final = frozenset(
    {"unavailable", "overloaded", "not_yet", "store_unavailable", "ranking_unavailable", "ranking_refused"}
)
"""Errors that pass: the same subscription may succeed later."""


class Status(StrEnum):
    """connecting: never been there; open: the node answers; reconnecting: lost, coming back; closed: over."""

    CONNECTING = "connecting"
    OPEN = "open"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"


class LiveError(RankcastError):
    """The base of what a watch ends with."""

    code: ClassVar[str] = "live"


class WatchRefused(LiveError):
    """The node refuses this watch. `problem` is its stable code."""

    code: ClassVar[str] = "watch_refused"

    def __init__(self, problem: str, message: str) -> None:
        super().__init__(f"{message} ({problem})" if message else problem)
        self.problem = problem


class ConnectionRefused(LiveError):
    """The node does not want this client back, or is no Rankcast node."""

    code: ClassVar[str] = "connection_refused"


class Watch:
    """What one reader follows. A single slot holds the newest state; `changed` says that it was filled."""

    def __init__(self, number: int, request: dict[str, Any]) -> None:
        self.id = number
        self.request = request
        self.topic: str | None = None
        self.state: State | None = None
        self.error: RankcastError | None = None
        self.changed = asyncio.Event()
        self.asked_at: float | None = None
        """When we asked for the snapshot that has not come yet."""
        self.ask_at: float | None = 0.0
        """When to ask next; None when nothing is to be asked."""
        self.attempt = 0

    def fill(self, state: State) -> None:
        """Hand out a state."""
        self.state = state
        self.changed.set()

    def fail(self, error: RankcastError) -> None:
        """End the watch with an error."""
        self.error = error
        self.ask_at = self.asked_at = None
        self.changed.set()

    def lose(self) -> None:
        """The connection is gone: ask again on the next."""
        self.topic = None
        self.asked_at = None
        self.ask_at = 0.0


class Live:
    """One connection and what is watched over it. `connect` makes it and ends it."""

    def __init__(self, url: str, token: str | None, chance: random.Random) -> None:
        self.status = Status.CONNECTING
        self._url = url
        self._token = token
        self._chance = chance
        self._watches: dict[int, Watch] = {}
        self._numbers = itertools.count(1)
        self._socket: ClientConnection | None = None
        self._welcomed_at: float | None = None
        self._leave_at: float | None = None
        self._error: RankcastError | None = None

    async def top(self, board: str, limit: int = 10) -> AsyncGenerator[State]:
        """The best `limit` (10, 25, 50 or 100) of a board, now and after each change.

        Raises WatchRefused when the node refuses it (no such board, not allowed), ConnectionRefused when the node does
        not want us back. A lost connection raises nothing: the states go on when it is back.
        """
        watch = Watch(next(self._numbers), {"board": board, "view": "top", "limit": limit})
        if self._error is not None:
            raise self._error
        self._watches[watch.id] = watch
        try:
            await self._ask_due([watch])
            while True:
                await watch.changed.wait()
                watch.changed.clear()
                if watch.error is not None:
                    raise watch.error
                if watch.state is not None:
                    yield watch.state
        finally:
            await self._unwatch(watch)

    def ended(self, task: asyncio.Task[None]) -> None:
        """`run` is over: its error ends every watch."""
        if task.cancelled():
            return
        error = task.exception()
        self._end(error if isinstance(error, RankcastError) else LiveError(f"the live client failed: {error!r}"))

    async def run(self) -> None:
        """Hold the connection for as long as the task lives. Raises ConnectionRefused."""
        loop = asyncio.get_running_loop()
        attempt = 0
        while True:
            left_as_told = await self._connect_once()
            held = self._welcomed_at is not None and loop.time() - self._welcomed_at >= STEADY
            self._forget_socket()
            attempt = 0 if held or left_as_told else attempt
            if not left_as_told:
                await asyncio.sleep(full_jitter(attempt, self._chance.random()))
                attempt += 1

    async def _connect_once(self) -> bool:
        """Hold one connection until it ends; whether we left because the node told us to."""
        try:
            async with open_socket(
                self._url,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                open_timeout=OPEN_TIMEOUT,
                close_timeout=CLOSE_TIMEOUT,
                ping_interval=KEEPALIVE,
                ping_timeout=KEEPALIVE,
                max_size=MAX_MESSAGE,
                proxy=None,
            ) as socket:
                return await self._follow(socket)
        except ConnectionClosed as error:
            if error.rcvd is not None and not Close(error.rcvd.code, error.rcvd.reason).come_back:
                raise ConnectionRefused(f"the node closed with {error.rcvd.code}: {error.rcvd.reason}") from error
        except InvalidURI as error:
            raise ConnectionRefused(f"{self._url} is no address of a WebSocket") from error
        except InvalidStatus as error:
            status = error.response.status_code
            if status < 500 and status not in {408, 429}:  # noqa: PLR2004 - HTTP
                raise ConnectionRefused(f"{self._url} answers {status}: is it a Rankcast node?") from error
        except (OSError, TimeoutError, InvalidHandshake):
            pass
        except (KeyError, TypeError, ValueError, OutOfStep):
            # It says what this client cannot read. Another node, or a later one, may do better.
            pass
        return False

    async def _follow(self, socket: ClientConnection) -> bool:
        self._socket = socket
        clock = asyncio.get_running_loop().time
        opened_at = clock()
        while True:
            text = await _receive(socket, self._next_due(clock()))
            if text is not None:
                await self._take(socket, orjson.loads(text))
            now = clock()
            if self._leave_at is not None and now >= self._leave_at:
                return True
            if self._silent(now, opened_at):
                return False
            await self._ask_due(self._watches.values())

    def _next_due(self, now: float) -> float:
        due = [watch.ask_at for watch in self._watches.values() if watch.ask_at]
        if self._leave_at is not None:
            due.append(self._leave_at)
        return min([now + LONGEST_WAIT, *due])

    def _silent(self, now: float, opened_at: float) -> bool:
        """Whether the node owes an answer for too long: it may answer pings and still be no use."""
        if self._welcomed_at is None:
            return now - opened_at > ANSWER_TIMEOUT
        return any(watch.asked_at and now - watch.asked_at > ANSWER_TIMEOUT for watch in self._watches.values())

    async def _take(self, socket: ClientConnection, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "welcome":
                await self._welcomed(socket)
            case "subscribed":
                await self._subscribed(socket, message)
            case "snapshot" | "delta" | "check" | "stale" | "fresh":
                for watch in self._watches.values():
                    if watch.topic == message["topic"]:
                        self._reduce(watch, message)
            case "drain":
                self._leave_at = asyncio.get_running_loop().time() + message["reconnect_in_ms"] / 1000
            case "error":
                self._refused(message)

    async def _welcomed(self, socket: ClientConnection) -> None:
        self._welcomed_at = asyncio.get_running_loop().time()
        self.status = Status.OPEN
        if self._token is not None:
            await _send(socket, {"op": "auth", "token": self._token})

    async def _subscribed(self, socket: ClientConnection, message: dict[str, Any]) -> None:
        watch = self._watches.get(message["id"])
        if watch is not None:
            watch.topic = message["topic"]
        elif not self._is_watched(message["topic"]):
            # Its reader left before the answer came.
            await _send(socket, {"op": "unsubscribe", "id": message["id"], "topic": message["topic"]})

    def _reduce(self, watch: Watch, message: dict[str, Any]) -> None:
        kind, state = message["type"], watch.state
        if kind == "snapshot":
            watch.asked_at, watch.attempt = None, 0
            watch.fill(from_snapshot(message))
            return
        # What comes before the snapshot that we wait for is of no use.
        if state is None or watch.asked_at is not None or watch.ask_at is not None:
            return
        try:
            if kind == "delta":
                watch.fill(apply_delta(state, message))
            elif kind == "check":
                watch.fill(apply_check(state, message))
            else:
                watch.fill(mark_stale(state, stale=kind == "stale"))
        except OutOfStep:
            watch.ask_at = asyncio.get_running_loop().time() + RESYNC * self._chance.random()

    def _refused(self, message: dict[str, Any]) -> None:
        error = WatchRefused(message["code"], message.get("message", ""))
        watch = self._watches.get(message.get("id", 0))
        if watch is None:
            # Our token is refused: what was asked with it would be, too.
            if error.problem == "unauthenticated":
                self._end(error)
            return
        watch.asked_at = None
        if error.problem not in PASSING:
            watch.fail(error)
            return
        watch.ask_at = asyncio.get_running_loop().time() + full_jitter(watch.attempt, self._chance.random())
        watch.attempt += 1

    async def _ask_due(self, watches: Iterable[Watch]) -> None:
        """Send the subscriptions whose time has come; without a connection they wait for the next."""
        if self._socket is None or self._welcomed_at is None:
            return
        now = asyncio.get_running_loop().time()
        for watch in list(watches):
            if watch.ask_at is not None and watch.ask_at <= now and watch.error is None:
                watch.ask_at, watch.asked_at = None, now
                with suppress(ConnectionClosed):
                    await _send(self._socket, {"op": "subscribe", "id": watch.id, **watch.request})

    async def _unwatch(self, watch: Watch) -> None:
        self._watches.pop(watch.id, None)
        if self._socket is not None and watch.topic is not None and not self._is_watched(watch.topic):
            with suppress(ConnectionClosed):
                await _send(self._socket, {"op": "unsubscribe", "id": watch.id, "topic": watch.topic})

    def _is_watched(self, topic: str) -> bool:
        return any(watch.topic == topic for watch in self._watches.values())

    def _forget_socket(self) -> None:
        self._socket = self._welcomed_at = self._leave_at = None
        if self.status is Status.OPEN:
            self.status = Status.RECONNECTING
        for watch in self._watches.values():
            watch.lose()

    def _end(self, error: RankcastError) -> None:
        self.status = Status.CLOSED
        self._error = error
        for watch in self._watches.values():
            watch.fail(error)


@asynccontextmanager
async def connect(url: str, token: str | None = None, *, chance: random.Random | None = None) -> AsyncIterator[Live]:
    """Watch boards of the node at `url` (http, https, ws or wss), as the bearer of `token` where boards are not public.

    Nothing is awaited here: a node that is not there yet is tried again until it is. `chance` spreads the waits.
    """
    live = Live(live_address(url), token, chance or random.Random())  # noqa: S311 - spreads waits, no secret
    task = asyncio.create_task(live.run())
    task.add_done_callback(live.ended)
    try:
        yield live
    finally:
        task.cancel()
        await asyncio.wait([task])


def live_address(url: str) -> str:
    """Where a node's WebSocket is: `http://host:port` becomes `ws://host:port/v1/live`. A full address is kept."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    path = parts.path if parts.path.endswith("/v1/live") else parts.path.rstrip("/") + "/v1/live"
    return urlunsplit((scheme, parts.netloc, path, parts.query, ""))


async def _receive(socket: ClientConnection, until: float) -> str | bytes | None:
    """The next message, None when none comes until then (on the loop's clock). Cancelling `recv` loses nothing."""
    try:
        async with asyncio.timeout_at(until):
            return await socket.recv()
    except TimeoutError:
        return None


async def _send(socket: ClientConnection, message: dict[str, Any]) -> None:
    await socket.send(orjson.dumps(message).decode())
