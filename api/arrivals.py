"""Where connections arrive: nothing is made for one before the head of its first request is whole.

uvicorn makes a parser, a queue and more for each connection that is opened, and waits for ever for what it says. Here a
connection that says nothing, or half of something, costs its transport and a few bytes, and is closed after a while; and of
many WebSocket handshakes that come at once a few are answered at a time, the others wait unread in the order in which they came.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.endless import is_endless
from api.websocket import Handshake

if TYPE_CHECKING:
    from collections.abc import Callable

    from uvicorn._types import ASGI3Application
    from uvicorn.config import Config
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

HEAD: Final = 16_384
"""Bytes of the head of a request."""
_END: Final = b"\r\n\r\n"
_UPGRADE: Final = re.compile(rb"\r\nupgrade:[ \t]*websocket[ \t]*\r\n", re.IGNORECASE)
_CONNECTION: Final = re.compile(rb"\r\nconnection:[^\r]*\bupgrade\b", re.IGNORECASE)
_SLICE: Final = 250

_NOT_IN_TIME: Final = "408 Request Timeout"
_TOO_LARGE: Final = "431 Request Header Fields Too Large"
_FULL: Final = "503 Service Unavailable\r\nRetry-After: 1"


class Gate:
    """Takes every connection of a server.

    drain: begins to send the live ones away, and calls back when they are gone.
    answering: is told of each request that is begun (1) and answered (-1), but for answers that have no end.
    refused: is told of each connection for which there is no room.
    """

    def __init__(
        self,
        *,
        in_flight: int,
        timeout: float,
        room: int,
        drain: Callable[[Callable[[], None]], None],
        answering: Callable[[int], None],
        refused: Callable[[], None],
    ) -> None:
        self.answering = answering
        self.refused = refused
        self.in_flight = 0
        """WebSocket handshakes that are being answered."""
        self._most = in_flight
        self._timeout = timeout
        self._room = room
        self._drain = drain
        self._queue: deque[Arrival] = deque()
        self._arrivals: set[Arrival] = set()
        self._unfinished: dict[Arrival | Http, float] = {}
        """Who has not said all, by the time at which that is too late: it is the same for all, so in order."""
        self._timer: asyncio.TimerHandle | None = None
        self._server: tuple[Config, ServerState, dict[str, Any]] | None = None

    def __call__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> asyncio.Protocol:
        """`http=` of uvicorn: the protocol of a connection that was opened."""
        if self._server is None:
            self._server = config, server_state, app_state
            # uvicorn tells each of these that it shuts down, and waits until none is left: one stands for all live ones.
            server_state.connections.add(cast("Any", self))
        return Arrival(self)

    # -- who has not said all ------------------------------------------------------------------------------------------

    def open(self, arrival: Arrival) -> bool:
        """A connection was opened; False where as many as may have said nothing yet."""
        if len(self._arrivals) >= self._room:
            return False
        self._arrivals.add(arrival)
        self.expect(arrival)
        return True

    def expect(self, protocol: Arrival | Http) -> None:
        """More must come within the time-out, counted from now."""
        self._unfinished.pop(protocol, None)
        loop = asyncio.get_running_loop()
        self._unfinished[protocol] = loop.time() + self._timeout
        if self._timer is None:
            self._timer = loop.call_later(self._timeout, self._sweep)

    def expects(self, protocol: Http) -> bool:
        """Whether more must come."""
        return protocol in self._unfinished

    def forget(self, protocol: Arrival | Http) -> None:
        """It has said all, or is gone."""
        self._unfinished.pop(protocol, None)

    def _sweep(self) -> None:
        """Close who is late; so many at one go that others do not notice."""
        loop = asyncio.get_running_loop()
        self._timer = None
        late: list[Arrival | Http] = []
        for protocol, deadline in self._unfinished.items():
            if deadline > loop.time() or len(late) >= _SLICE:
                self._timer = loop.call_at(deadline, self._sweep)
                break
            late.append(protocol)
        for protocol in late:
            del self._unfinished[protocol]
            protocol.late()

    # -- what was said -------------------------------------------------------------------------------------------------

    def begin(self, arrival: Arrival, transport: asyncio.Transport, data: bytes, end: int) -> None:
        """The head of the first request is whole: it ends at `end`."""
        self.forget(arrival)
        if data.startswith(b"GET ") and _UPGRADE.search(data, 0, end) and _CONNECTION.search(data, 0, end):
            self.upgrade(arrival, transport, data[:end], data[end:])
            return
        self._arrivals.discard(arrival)
        protocol = Http(*self._served(), gate=self)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(data)

    def upgrade(self, arrival: Arrival, transport: asyncio.Transport, head: bytes, rest: bytes) -> None:
        """A connection asks for a WebSocket: answer now, or in its turn."""
        if self.in_flight < self._most:
            self._answer(arrival, transport, head, rest)
        else:
            arrival.hold(transport, head, rest)
            self._arrivals.add(arrival)
            self._queue.append(arrival)

    def _answer(self, arrival: Arrival, transport: asyncio.Transport, head: bytes, rest: bytes) -> None:
        self._arrivals.discard(arrival)
        self.in_flight += 1
        handshake = Handshake(*self._served())
        handshake.finished = self._finished
        transport.set_protocol(handshake)
        handshake.connection_made(transport)
        handshake.begin(head, rest)

    def _finished(self) -> None:
        self.in_flight -= 1
        while self._queue and self.in_flight < self._most:
            arrival = self._queue.popleft()
            if arrival in self._arrivals:
                transport, head, rest = arrival.release()
                transport.resume_reading()
                self._answer(arrival, transport, head, rest)

    def _served(self) -> tuple[Config, ServerState, dict[str, Any]]:
        if self._server is None:
            raise LookupError("no connection has come yet")
        return self._server

    # -- the end -------------------------------------------------------------------------------------------------------

    def gone(self, arrival: Arrival) -> None:
        """A connection was lost before it was answered."""
        self.forget(arrival)
        self._arrivals.discard(arrival)

    def shutdown(self) -> None:
        """The server shuts down: send away who waits here, and all live connections."""
        self._queue.clear()
        for arrival in list(self._arrivals):
            arrival.refuse(_FULL)
        if self._timer is not None:
            self._timer.cancel()
        self._drain(self._drained)

    def _drained(self) -> None:
        if self._server is not None:
            self._server[1].connections.discard(cast("Any", self))


class Arrival(asyncio.Protocol):
    """A connection until the head of its first request is whole, and while its handshake waits."""

    __slots__ = ("_gate", "_head", "_rest", "_transport")

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._head = b""
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for what it says."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._gate.open(self):
            self._gate.refused()
            self.refuse(_FULL)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """It has gone without an answer."""
        self._gate.gone(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Collect the head of the request, no more than that."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        # Empty lines may stand before a request, and are none.
        data = (self._head + data).lstrip(b"\r\n")
        end = data.find(_END)
        if end >= 0:
            self._head, self._transport = b"", None
            self._gate.begin(self, transport, data, end + len(_END))
        elif len(data) > HEAD:
            self.refuse(_TOO_LARGE)
        else:
            self._head = data

    def late(self) -> None:
        """The head did not come in time."""
        if self._head:
            self.refuse(_NOT_IN_TIME)
        elif self._transport is not None:
            self._transport.close()

    def refuse(self, status: str) -> None:
        """Answer by a status, and end."""
        if self._transport is not None:
            answer = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            self._transport.write(answer.encode())
            self._transport.close()

    def hold(self, transport: asyncio.Transport, head: bytes, rest: bytes) -> None:
        """Wait for the turn of this handshake; meanwhile nothing is read."""
        transport.pause_reading()
        self._transport, self._head, self._rest = transport, head, rest

    def release(self) -> tuple[asyncio.Transport, bytes, bytes]:
        """The turn has come: what was held."""
        transport, self._transport = self._transport, None
        if transport is None:
            raise LookupError("nothing is held")
        return transport, self._head, self._rest


class Http(HttpToolsProtocol):
    """uvicorn's protocol, bounded in time for each request."""

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], *, gate: Gate) -> None:
        super().__init__(config, server_state, app_state)
        self._gate = gate
        self._body_due = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        # Here and not in the application: until its task has its turn, whatever gives way must do so already.
        if not is_endless(cycle.scope["path"]):
            self._gate.answering(1)
            app = partial(self._answer, app)
        super()._start_asgi_task(cycle, app)

    async def _answer(self, app: ASGI3Application, *asgi: Any) -> None:
        try:
            await app(*asgi)
        finally:
            self._gate.answering(-1)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._body_due = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._body_due = False
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Read, and expect more where a request is not whole: a head within the time-out, a body without such a pause."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._upgrade(data[upgrade.args[0] :])
                return
            self._unsupported_upgrade_warning()
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        if self._body_due:
            self._gate.expect(self)
        elif self.cycle is not None and not self.cycle.response_complete:
            self._gate.forget(self)
        elif not self._gate.expects(self):
            # Also where what came is no request at all: uvicorn has stopped its own timer.
            self._gate.expect(self)

    def late(self) -> None:
        """The request did not come in time."""
        if self._body_due and self.flow.read_paused:
            # We are the slow side.
            self._gate.expect(self)
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected of it any more, nor kept for it."""
        self._gate.forget(self)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def _upgrade(self, rest: bytes) -> None:
        """A connection that was used for requests becomes a WebSocket."""
        self._gate.forget(self)
        transport = self.transport
        if self.cycle is not None and not self.cycle.response_complete:
            # An answer is still being written.
            transport.close()
            return
        lines = [self.scope["method"].encode() + b" " + self.url + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in self.headers]
        self.connections.discard(cast("Any", self))
        self.parser = cast("Any", None)
        self.cycle = cast("Any", None)
        arrival = Arrival(self._gate)
        transport.set_protocol(arrival)
        self._gate.upgrade(arrival, transport, b"\r\n".join(lines) + _END, rest)
