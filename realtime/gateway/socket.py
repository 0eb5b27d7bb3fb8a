"""A WebSocket after its handshake: a protocol without task, queue or timer, a few hundred bytes on top of the transport."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from realtime.core import closing, messages, websocket
from realtime.core.errors import RateLimited
from realtime.gateway.connection import Connection
from realtime.gateway.frame import Encoding, Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from realtime.core.closing import Close
    from realtime.gateway.connection import Sessions

UNSENT: Final = 16_384
"""Bytes that the kernel may hold unsent: more would be stale before they leave."""
PILE: Final = 65_536
"""Bytes of replies that may wait for the socket; past it no message is read until they are gone."""
CLOSE_WAIT: Final = 5.0
"""Seconds that a closing connection is given to finish."""
SILENT_BEATS: Final = 2
STUCK_BEATS: Final = 2
_PART: Final = 0.1
"""What a fragment and a message that is dropped count for, against a message that is answered."""
_PING: Final = websocket.encode(websocket.PING, b"")

# What a connection does with what comes. Transitions:
#   OPEN    -> WAITING a message has to wait | CROWDED replies pile up
#   WAITING -> OPEN    the message is answered
#   CROWDED -> OPEN    there is room again
#   any of these -> CLOSING our close frame is out | DEAF the peer's came, or what cannot be read
#   any -> GONE the transport is lost
OPEN: Final = 0
WAITING: Final = 1
CROWDED: Final = 2
CLOSING: Final = 3
"""Only the peer's close frame is looked for."""
DEAF: Final = 4
"""Nothing is looked at."""
GONE: Final = 5


@dataclass(frozen=True, slots=True)
class Terms:
    """What all live sockets of a node share. A client may send a message every `each` seconds, and `burst` at one go."""

    sessions: Sessions
    spawn: Callable[[Coroutine[Any, Any, None]], object]
    """Starts a task that somebody owns."""
    now: Callable[[], float]
    left: Callable[[str], None]
    """Told the address of each connection that has gone."""
    max_message: int
    each: float
    burst: int


class LiveSocket(asyncio.Protocol, Connection):
    """Takes over a transport whose handshake is done: `set_protocol`, then `connection_made`.

    Messages of one connection are answered in order: while one has to wait, nothing is read.
    """

    __slots__ = ("_due", "_inbound", "_left", "_quiet", "_state", "_stuck", "_terms", "_transport", "address")

    def __init__(self, terms: Terms, encoding: Encoding, address: str) -> None:
        super().__init__(encoding)
        self.address = address
        self._terms = terms
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._inbound: websocket.Inbound | None = None
        self._state = OPEN
        self._due = 0.0
        """The loop's time until which the rate is used up: further ahead of now than the burst is too fast."""
        self._quiet = 0
        """Beats since anything was heard."""
        self._left = 0
        """Bytes that waited for the socket at the last beat."""
        self._stuck = 0
        """Beats since any of them was taken."""

    # -- the transport's side ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, and join."""
        self._transport = transport = cast("asyncio.Transport", transport)
        bare = transport.get_extra_info("socket")
        if bare is not None:
            with suppress(OSError):  # no TCP; where it is, both loops have set TCP_NODELAY
                bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
        # Nothing may wait unseen: what the kernel does not take calls `pause_writing`.
        transport.set_write_buffer_limits(high=0)
        self.held_back = transport.get_write_buffer_size() > 0
        self.fd = -1 if self.held_back else self._descriptor()
        self._terms.sessions.join(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Leave, once; the transport closes the descriptor after this."""
        if self._state != GONE:
            self._state = GONE
            self._inbound = None
            self.fd = -1
            self.held_back = True
            self._terms.sessions.leave(self)
            self._terms.left(self.address)
            self._transport = cast("asyncio.Transport", None)

    def pause_writing(self) -> None:
        """The kernel would not take all: what can be merged must wait."""
        if not self.held_back:
            self._hold_back()

    def resume_writing(self) -> None:
        """All is written: catch up, and read on."""
        if self._state >= CLOSING:
            return
        self._left = self._stuck = 0
        self.held_back = False
        self.fd = self._descriptor()
        self._terms.sessions.make_room(self)
        if self._state == CROWDED:
            self._state = OPEN
            self._read_on()

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        self._quiet = 0
        if self._inbound is None:
            if self._state == OPEN:
                text = websocket.whole_text(data)
                if text is not None:
                    self._message(text)
                    return
            elif self._state >= DEAF:
                return
            self._inbound = websocket.Inbound(self._terms.max_message, inflates=self.encoding is Encoding.DEFLATED)
        self._inbound.feed(data)
        self._read_on()

    def eof_received(self) -> None:
        """The peer ends without a close frame: the transport closes itself."""
        self._state = max(self._state, DEAF)
        self._hurry()

    # -- the hub's side ------------------------------------------------------------------------------------------------

    @property
    def gone(self) -> bool:
        """Whether the transport is lost."""
        return self._state == GONE

    def write(self, data: bytes) -> None:
        """Pass on encoded frames."""
        if self._state < CLOSING:
            self._transport.write(data)

    def reply(self, message: bytes) -> None:
        """Pass on a message of this connection's own; compressed where that was agreed and is smaller."""
        self.write(Frame(message).encoded(self.encoding))

    def close(self, why: Close) -> None:
        """Send a close frame, and wait a bounded time for the peer's."""
        if self._state < CLOSING:
            self._end(CLOSING, websocket.close_frame(why.code, why.reason))
            self._wait_no_longer()
            # No message is answered any more; the peer's close frame may stand behind one.
            self._transport.resume_reading()
            self._read_on()

    def beat(self) -> None:
        """Ping who was not heard since the last beat; end with who was not heard, or took nothing, for two."""
        if self._state >= CLOSING:
            return
        if self.held_back:
            self._beat_held_back()
        elif self._state == OPEN:
            if self._quiet >= SILENT_BEATS:
                self.close(closing.SILENT)
                return
            if self._quiet:
                self._transport.write(_PING)
            self._quiet += 1

    def _beat_held_back(self) -> None:
        """A ping would not get through; whether the peer lives is seen by what it takes."""
        waiting = self._transport.get_write_buffer_size()
        self._stuck = self._stuck + 1 if waiting == self._left else 0
        self._left = waiting
        if self._stuck >= STUCK_BEATS:
            self.close(closing.NOT_READING)

    # -- reading -------------------------------------------------------------------------------------------------------

    def _read_on(self) -> None:
        """Take frame after frame, until none is complete or no more may be read now."""
        inbound = self._inbound
        try:
            while inbound is not None and self._state in (OPEN, CLOSING):
                frame = inbound.next()
                if frame is None:
                    break
                self._take(*frame)
        except websocket.Fault as fault:
            self._refuse(fault.close)
            return
        if inbound is not None and inbound.idle:
            self._inbound = None
        if self._state == OPEN:
            self._transport.resume_reading()

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == websocket.CLOSE:
            self._closed(payload)
        elif self._state == OPEN:
            if opcode == websocket.TEXT:
                self._message(payload)
            elif opcode == websocket.CONTINUATION:
                self._pay(_PART)
            elif self._pay(1) and opcode == websocket.PING:
                self._transport.write(websocket.encode(websocket.PONG, payload))
                self._pause_if_crowded()

    def _message(self, text: bytes) -> None:
        if not self._pay(1):
            if self._state == OPEN:
                error = RateLimited(f"a message every {self._terms.each:.3g} s is taken")
                self.reply(messages.error(error.code, str(error), messages.request_id(text)))
        else:
            try:
                work = self._terms.sessions.received(self, text)
            except Exception as error:  # noqa: BLE001 - a defect ends this connection and no other
                self._fail(error)
                return
            if work is not None:
                self._state = max(self._state, WAITING)
                self._transport.pause_reading()
                self._terms.spawn(self._answer(work))
                return
        if self.held_back:
            self._pause_if_crowded()

    async def _answer(self, work: Coroutine[Any, Any, None]) -> None:
        """See a message through, then read on."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - a defect ends this connection and no other
            self._fail(error)
        if self._state == WAITING:
            self._state = OPEN
            self._pause_if_crowded()
            if self._state == OPEN:
                self._read_on()

    def _pause_if_crowded(self) -> None:
        if self._state == OPEN and self._transport.get_write_buffer_size() > PILE:
            self._state = CROWDED
            self._transport.pause_reading()

    def _pay(self, price: float) -> bool:
        """Whether a message is within the rate. Who goes on at ten times the rate and more is closed."""
        terms = self._terms
        now = terms.now()
        due = max(now, self._due)
        if due - now <= (terms.burst - price) * terms.each:
            self._due = due + price * terms.each
            return True
        self._due = due + _PART * terms.each
        if due - now > 2 * terms.burst * terms.each:
            self.close(closing.FLOOD)
        return False

    # -- ending --------------------------------------------------------------------------------------------------------

    def _closed(self, payload: bytes) -> None:
        """The peer's close frame came: answer it unless it is the answer, and end."""
        if self._state < CLOSING:
            self._end(DEAF, websocket.encode(websocket.CLOSE, payload[:2]))
        self._state = DEAF
        self._transport.close()
        self._hurry()

    def _refuse(self, why: Close) -> None:
        """What came cannot be read. The rest is thrown away until the peer has seen why: a reset could overtake that."""
        if self._state < CLOSING:
            self._end(DEAF, websocket.close_frame(why.code, why.reason))
            self._wait_no_longer()
        self._state = DEAF
        self._inbound = None
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _fail(self, error: Exception) -> None:
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": "a live message could not be answered", "exception": error})
        self.close(closing.INTERNAL)

    def _end(self, state: int, frame: bytes) -> None:
        """The last frame of this side."""
        self._state = state
        if not self.held_back:
            self._hold_back()
        self._transport.write(frame)

    def _hold_back(self) -> None:
        self.held_back = True
        self.fd = -1
        self._terms.sessions.hold_back(self)

    def _hurry(self) -> None:
        """The transport closes once all is written; not for ever."""
        if self._transport.get_write_buffer_size():
            self._wait_no_longer()

    def _wait_no_longer(self) -> None:
        asyncio.get_running_loop().call_later(CLOSE_WAIT, self._transport.abort)

    def _descriptor(self) -> int:
        if self._transport.get_extra_info("sslcontext") is not None:
            return -1
        bare = self._transport.get_extra_info("socket")
        return -1 if bare is None else bare.fileno()
