"""Announcements over Redis pub/sub: one connection a node, each board subscribed only while somebody here listens."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from infra.ranking_redis import name
from realtime.core.errors import RankingUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

    from realtime.core.model import BoardKey

_FAILURES: Final = (RedisError, OSError, TimeoutError)
_RECONNECT: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_PING: Final = 5.0


class _Listener:
    """Who hears one channel, and whether the server has ever confirmed it."""

    __slots__ = ("confirmed", "heard", "lost")

    def __init__(self, heard: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        self.heard = heard
        self.lost = lost
        self.confirmed = asyncio.Event()


class RedisBus:
    """The port `Bus`. `run` owns the connection: it reconnects, subscribes again and tells every listener."""

    def __init__(self, redis: Redis, timeout: float) -> None:
        self._redis = redis
        self._timeout = timeout
        self._listeners: dict[bytes, _Listener] = {}
        self._pubsub: PubSub | None = None
        self._connected = asyncio.Event()
        self._reached = False
        self._writing = asyncio.Lock()

    async def subscribe(self, key: BoardKey, heard: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        """See the port. Raises RankingUnavailable when it is not confirmed in time."""
        channel = name(key, "top").encode()
        listener = _Listener(heard, lost)
        try:
            async with asyncio.timeout(self._timeout):
                await self._connected.wait()
                self._listeners[channel] = listener
                await self._ask(channel)
                # redis-py returns before the server has confirmed: an announcement in between would be missed.
                await listener.confirmed.wait()
        except (*_FAILURES, RankingUnavailable) as error:
            if self._listeners.get(channel) is listener:
                del self._listeners[channel]
            raise RankingUnavailable(f"Redis does not confirm a subscription: {error}") from error

    async def _ask(self, channel: bytes) -> None:
        async with self._writing:
            if self._pubsub is None:
                raise RankingUnavailable("the connection has just gone")
            await self._pubsub.subscribe(channel)

    async def unsubscribe(self, key: BoardKey, heard: Callable[[bytes], None]) -> None:
        """See the port."""
        channel = name(key, "top").encode()
        listener = self._listeners.get(channel)
        if listener is None or listener.heard != heard:
            return
        del self._listeners[channel]
        with suppress(*_FAILURES):
            async with asyncio.timeout(self._timeout), self._writing:
                if self._pubsub is None:
                    return
                await self._pubsub.unsubscribe(channel)
                if channel in self._listeners:
                    # Somebody subscribed meanwhile, and ours may have gone out after theirs.
                    await self._pubsub.subscribe(channel)

    async def run(self) -> None:
        """Listen until cancelled."""
        attempt = 0
        while True:
            try:
                await self._listen()
            except _FAILURES:
                attempt = 1 if self._reached else attempt + 1
            else:
                attempt = 0
            for listener in list(self._listeners.values()):
                if listener.confirmed.is_set():
                    listener.lost()
            await asyncio.sleep(_RECONNECT[min(attempt, len(_RECONNECT) - 1)])

    async def _listen(self) -> None:
        """Hear everything on one connection until it breaks."""
        pubsub = self._redis.pubsub()
        self._reached = False
        try:
            # Not wait_for: before Python 3.12 it loses a cancellation that comes together with what it waits for.
            async with asyncio.timeout(self._timeout):
                await pubsub.ping()
            self._reached = True
            self._pubsub = pubsub
            self._connected.set()
            if self._listeners:
                async with asyncio.timeout(self._timeout):
                    await pubsub.subscribe(*self._listeners)
            silent = False
            while True:
                message = await pubsub.get_message(timeout=_PING)
                if message is not None:
                    silent = False
                    self._dispatch(message)
                elif silent:
                    # Nothing, not even the answer to our ping.
                    return
                else:
                    silent = True
                    async with asyncio.timeout(self._timeout):
                        await pubsub.ping()
        finally:
            self._connected.clear()
            self._pubsub = None
            with suppress(*_FAILURES):
                # Not while somebody writes to it: redis-py fails in odd ways on a connection that goes away meanwhile.
                async with self._writing:
                    await pubsub.aclose()  # type: ignore[no-untyped-call]

    def _dispatch(self, message: dict[str, Any]) -> None:
        listener = self._listeners.get(message["channel"]) if message["channel"] else None
        if listener is None:
            return
        if message["type"] == "message":
            listener.heard(message["data"])
        elif message["type"] == "subscribe":
            if listener.confirmed.is_set():
                # Subscribed again: whatever was announced in between was not heard.
                listener.lost()
            listener.confirmed.set()
