"""The connections of a node over time: that they live, that their tokens hold, and how they are sent away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from realtime.core import closing, messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from realtime.core.identity import Principal
    from realtime.gateway.connection import Connection

ANNOUNCED: Final = 30
"""Seconds by which the end of a token is announced."""
_SECOND: Final = 1.0
_STEP: Final = 0.05


class Watch:
    """Holds every connection once. A clock that all share takes the place of a timer for each.

    `clock` is Unix time in seconds; `chance` is drawn evenly from [0, 1); `drain_window` is in seconds.
    """

    def __init__(
        self, *, heartbeat: int, drain_window: float, clock: Callable[[], int], chance: Callable[[], float]
    ) -> None:
        self._rounds: list[set[Connection]] = [set() for _ in range(heartbeat)]
        self._round = 0
        self._next = 0
        self._ends: dict[int, set[Connection]] = {}
        """By the second in which something of their token is due."""
        self._looked = clock()
        self._drain_window = drain_window
        self._clock = clock
        self._chance = chance
        self._drained: Callable[[], None] | None = None
        self._drain_task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._rounds))

    def __iter__(self) -> Iterator[Connection]:
        return iter([connection for members in self._rounds for connection in members])

    def _members(self, connection: Connection) -> set[Connection]:
        # By address: objects are 16 bytes apart, and a connection need not remember where it is.
        return self._rounds[(id(connection) >> 4) % len(self._rounds)]

    def add(self, connection: Connection) -> None:
        """One more."""
        self._members(connection).add(connection)

    def discard(self, connection: Connection) -> None:
        """One less."""
        self._members(connection).discard(connection)
        if connection.principal is not None:
            self._forget(connection, connection.principal)
        if self._drained is not None and not len(self):
            self._finish()

    # -- tokens --------------------------------------------------------------------------------------------------------

    def expires(self, connection: Connection, principal: Principal) -> None:
        """A token was presented, the first or a renewed one."""
        if connection.principal is not None:
            self._forget(connection, connection.principal)
        connection.principal = principal
        for second in _due(principal):
            # A second that has passed is due in the next.
            self._ends.setdefault(max(second, self._looked + 1), set()).add(connection)

    def _forget(self, connection: Connection, principal: Principal) -> None:
        for second in (*_due(principal), self._looked + 1):
            if (ending := self._ends.get(second)) is not None:
                ending.discard(connection)
                if not ending:
                    del self._ends[second]

    def _look_at_tokens(self) -> None:
        now = self._clock()
        for second in range(self._looked + 1, now + 1):
            for connection in self._ends.pop(second, ()):
                self._token_due(connection, now)
        self._looked = now

    def _token_due(self, connection: Connection, now: int) -> None:
        principal = connection.principal
        if principal is None:
            return
        if principal.expires_at <= now:
            connection.close(closing.TOKEN_EXPIRED)
        else:
            left = principal.expires_at - now
            connection.reply(
                messages.error("token_expiring", f"the token expires in {left} s: send auth with a new one")
            )

    # -- hearts --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look after everybody, a part of them each second, until cancelled."""
        while True:
            await asyncio.sleep(_SECOND)
            self._round = (self._round + 1) % len(self._rounds)
            for connection in list(self._rounds[self._round]):
                connection.beat()
            self._look_at_tokens()

    # -- leaving -------------------------------------------------------------------------------------------------------

    def drain(self, done: Callable[[], None]) -> None:
        """Send everybody away, each at another time of the window; `done` is called once nobody is left, or the window is over."""
        self._drained = done
        connections = list(self)
        if not connections:
            self._finish()
            return
        # Evenly, and in no order that a client could prefer: another node takes them as fast as they are sent.
        connections.sort(key=lambda _: self._chance())
        each = self._drain_window / len(connections)
        ends = []
        for index, connection in enumerate(connections):
            after = (index + self._chance()) * each
            connection.reply(messages.drain(round(after * 1000)))
            ends.append((after, connection))
        self._drain_task = asyncio.get_running_loop().create_task(self._send_away(ends))

    async def _send_away(self, ends: list[tuple[float, Connection]]) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        for after, connection in ends:
            if (wait := started + after - loop.time()) > 0:
                await asyncio.sleep(max(wait, _STEP))
            connection.close(closing.GOING_AWAY)
        await asyncio.sleep(max(0.0, started + self._drain_window - loop.time()) + _SECOND)
        self._finish()

    def _finish(self) -> None:
        done, self._drained = self._drained, None
        if self._drain_task is not None and self._drain_task is not asyncio.current_task():
            self._drain_task.cancel()
        if done is not None:
            done()


def _due(principal: Principal) -> tuple[int, int]:
    return principal.expires_at - ANNOUNCED, principal.expires_at
