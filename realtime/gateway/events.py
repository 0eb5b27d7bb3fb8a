"""A connection that is told by server-sent events, where a WebSocket does not get through."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from realtime.core import messages
from realtime.gateway.connection import Connection
from realtime.gateway.frame import Encoding, Frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from realtime.core.closing import Close
    from realtime.gateway.connection import Sessions

FULL: Final = 16_384
"""Bytes that may wait to be taken; past it what comes is merged until they are gone."""
_ALIVE: Final = b":\n\n"


class EventStream(Connection):
    """What `chunks` yields goes into the body of a response: while it is being written, what comes is kept, up to a bound."""

    __slots__ = ("_closed", "_sessions", "_waiting", "_wake")

    def __init__(self, sessions: Sessions) -> None:
        super().__init__(Encoding.EVENTS)
        self._sessions = sessions
        self._waiting: list[bytes] = []
        self._wake = asyncio.Event()
        self._closed = False

    @property
    def gone(self) -> bool:
        """Whether it was ended."""
        return self._closed

    def write(self, data: bytes) -> None:
        """See the base."""
        if self._closed:
            return
        self._waiting.append(data)
        self._wake.set()
        if not self.held_back and sum(map(len, self._waiting)) > FULL:
            self.held_back = True
            self._sessions.hold_back(self)

    def reply(self, message: bytes) -> None:
        """See the base."""
        self.write(Frame(message).encoded(self.encoding))

    def close(self, why: Close) -> None:
        """A last event says why: the client of server-sent events sees no close code."""
        if not self._closed:
            self.reply(messages.closed(why))
            self.held_back = self._closed = True
            self._sessions.hold_back(self)

    def beat(self) -> None:
        """A comment, so that whoever stands between does not take the silence for an end."""
        if not self._waiting:
            self.write(_ALIVE)

    async def chunks(self) -> AsyncIterator[bytes]:
        """What is to be written, until the end. Whoever iterates calls `Sessions.leave` afterwards."""
        while True:
            while not self._waiting:
                if self._closed:
                    return
                self._wake.clear()
                await self._wake.wait()
            waiting, self._waiting = self._waiting, []
            yield b"".join(waiting)
            if self.held_back and not self._closed and not self._waiting:
                self.held_back = False
                self._sessions.make_room(self)
