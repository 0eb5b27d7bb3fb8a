"""One connection to a node: what is said and heard over it, from its welcome to its end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import orjson
from websockets.exceptions import ConnectionClosed

from realtime.client import token as tokens
from realtime.client.backoff import full_jitter
from realtime.client.errors import WatchRefused
from realtime.client.reducer import OutOfStep
from realtime.client.topic import follow, stands_alone

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from websockets.asyncio.client import ClientConnection

    from realtime.client.token import Token
    from realtime.client.watch import Watch, Watches

ANSWER_TIMEOUT: Final = 10.0
"""Seconds until the node has said welcome, or answered what we asked."""
LONGEST_WAIT: Final = 2.0
"""Seconds after which the clock is looked at, even when nothing comes."""
RESYNC: Final = 1.0
"""Seconds within which a fresh snapshot is asked for, at random: a fault must not become a storm of snapshots."""
PASSING: Final = frozenset(
    {
        "unavailable",
        "overloaded",
        "not_yet",
        "rate_limited",
        "store_unavailable",
        "ranking_unavailable",
        "ranking_refused",
    }
)
"""Errors that pass: the same subscription may succeed later."""
EXPIRING: Final = "token_expiring"


class Session:
    """`follow` pumps; `welcomed` is called when the node has said that it is there.

    `leave_at` is when the node has told us to come back, on the loop's clock; None while it has not.
    """

    def __init__(
        self,
        socket: ClientConnection,
        watches: Watches,
        token: Token,
        chance: random.Random,
        welcomed: Callable[[], None],
    ) -> None:
        self.leave_at: float | None = None
        self.welcomed_at: float | None = None
        self._socket = socket
        self._watches = watches
        self._token = token
        self._chance = chance
        self._welcomed = welcomed
        self._clock = asyncio.get_running_loop().time
        self._opened_at = self._clock()
        self._presented = False
        """A token was sent, and not answered yet."""
        self._renewal: asyncio.Task[None] | None = None

    async def follow(self) -> None:
        """Return when the node's time is over, or it owes an answer for too long.

        Raises ConnectionClosed; WatchRefused where the token is refused, TokenFailed; KeyError, TypeError, ValueError or
        OutOfStep for what cannot be read, OSError and TimeoutError for a token that cannot be had now.
        """
        try:
            while not self._over():
                text = await self._receive()
                if text is not None:
                    await self._take(orjson.loads(text))
                await self.ask_due()
        finally:
            if self._renewal is not None:
                # Whatever kept the token from being renewed keeps it from being presented again; then it is told.
                self._renewal.cancel()
                await asyncio.gather(self._renewal, return_exceptions=True)

    async def _receive(self) -> str | bytes | None:
        """The next message, None when none comes until something else is due. Cancelling `recv` loses nothing."""
        due = [watch.ask_at for watch in self._watches if watch.ask_at and watch.readers]
        if self.leave_at is not None:
            due.append(self.leave_at)
        try:
            async with asyncio.timeout_at(min([self._clock() + LONGEST_WAIT, *due])):
                return await self._socket.recv()
        except TimeoutError:
            return None

    def _over(self) -> bool:
        """Whether we are to leave, or the node owes an answer for too long: it may answer pings and still be no use."""
        now = self._clock()
        if self.leave_at is not None and now >= self.leave_at:
            return True
        if self.welcomed_at is None:
            return now - self._opened_at > ANSWER_TIMEOUT
        return any(watch.asked_at and now - watch.asked_at > ANSWER_TIMEOUT for watch in self._watches)

    async def _send(self, message: dict[str, Any]) -> None:
        # Who reads the connection is told of its end.
        with suppress(ConnectionClosed):
            await self._socket.send(orjson.dumps(message).decode())

    # -- what the node says --------------------------------------------------------------------------------------------

    async def _take(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "welcome":
                # Whoever begins to watch meanwhile must not be heard before the token is.
                await self._present()
                self.welcomed_at = self._clock()
                self._welcomed()
            case "authenticated":
                self._presented = False
            case "subscribed":
                await self._subscribed(message)
            case "unsubscribed":
                # One that was asked for under two names was let go under one of them.
                for watch in self._watches.of(message["topic"]):
                    watch.restart(0.0)
            case "snapshot" | "delta" | "rank" | "check" | "stale" | "fresh":
                for watch in self._watches.of(message["topic"]):
                    self._heard(watch, message)
            case "drain":
                self.leave_at = self._clock() + message["reconnect_in_ms"] / 1000
            case "error":
                self._refused(message)

    async def _subscribed(self, message: dict[str, Any]) -> None:
        watch = self._watches.get(message["id"])
        if watch is None:
            return
        watch.topic = message["topic"]
        if not watch.readers:
            await self.unwatch(watch)
        elif message["mode"] == "snapshot":
            self._watches.snapshots += 1
        elif watch.in_step and watch.held is not None and watch.held.topic == watch.topic:
            self._watches.resumed += 1
            watch.go_on()
        else:
            # `me` is another player now: what is held is not of this topic.
            self._out_of_step(watch)

    def _heard(self, watch: Watch, message: dict[str, Any]) -> None:
        alone = stands_alone(message)
        if alone:
            watch.begin(follow(watch.held, message))
        elif not watch.waits:
            try:
                held = follow(watch.held, message)
            except OutOfStep:
                self._out_of_step(watch)
                return
            if held is not watch.held:
                watch.show(held)

    def _out_of_step(self, watch: Watch) -> None:
        self._watches.out_of_step += 1
        watch.restart(self._clock() + RESYNC * self._chance.random())

    def _refused(self, message: dict[str, Any]) -> None:
        problem = message["code"]
        error = WatchRefused(problem, message.get("message", ""))
        if problem == EXPIRING:
            self._renew()
        elif "topic" in message:
            for watch in self._watches.of(message["topic"]):
                self._refused_one(watch, error)
        elif "id" in message:
            asked = self._watches.get(message["id"])
            if asked is not None:
                self._refused_one(asked, error)
        elif problem == "unauthenticated":
            # What was asked with the token would be refused, too.
            raise error
        elif self._presented and problem in PASSING:
            raise TimeoutError("the token cannot be verified now")

    def _refused_one(self, watch: Watch, error: WatchRefused) -> None:
        if not watch.readers or error.problem not in PASSING:
            self._watches.fail(watch, error)
            return
        watch.topic = None
        watch.again(self._clock() + full_jitter(watch.attempt, self._chance.random()))
        watch.attempt += 1

    # -- what we say ---------------------------------------------------------------------------------------------------

    async def _present(self) -> None:
        given = await tokens.asked(self._token)
        if given is not None:
            self._presented = True
            await self._send({"op": "auth", "token": given})

    def _renew(self) -> None:
        """Present a new token while the connection goes on; without one the node closes it, and says why."""
        if callable(self._token) and (self._renewal is None or self._renewal.done()):
            self._renewal = asyncio.create_task(self._present())

    async def ask_due(self) -> None:
        """Send the subscriptions whose time has come."""
        if self.welcomed_at is None:
            return
        now = self._clock()
        for watch in self._watches:
            if watch.ask_at is not None and watch.ask_at <= now and watch.readers:
                resume = self._watches.resume(watch)
                watch.asked(now)
                message = {"op": "subscribe", "id": watch.id, **watch.request}
                await self._send(message if resume is None else {**message, "resume": resume})

    async def unwatch(self, watch: Watch) -> None:
        """Nobody reads it any more."""
        if watch.unanswered:
            # Only the answer tells the topic.
            return
        self._watches.drop(watch)
        if watch.topic is not None and not self._watches.of(watch.topic):
            await self._send({"op": "unsubscribe", "id": watch.id, "topic": watch.topic})
