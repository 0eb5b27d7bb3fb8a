"""Announcements over Redis pub/sub: one connection a node, each channel subscribed only while somebody here listens."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from infra.pubsub_redis import PubSub
from infra.ranking_redis import name
from realtime.core.errors import RankingUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

    from realtime.core.model import BoardKey
    from realtime.core.ports import Channel

_FAILURES: Final = (RedisError, OSError, TimeoutError)
_RECONNECT: Final = (0.05, 0.1, 0.2, 0.5, 1.0)


class _Listener:
    """Who hears one channel, and whether the server has ever confirmed it."""

    __slots__ = ("confirmed", "heard", "lost")

    def __init__(self, heard: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        self.heard = heard
        self.lost = lost
        self.confirmed = asyncio.Event()


class RedisBus:
    """The port `Bus`, on the server of `redis`. `run` owns the connection: it reconnects, subscribes again and tells everybody.

    `timeout` is in seconds, for connecting and for confirming.
    """

    def __init__(self, redis: Redis, timeout: float) -> None:
        self._redis = redis
        self._timeout = timeout
        self._listeners: dict[bytes, _Listener] = {}
        self._hearing: dict[bytes, Callable[[bytes], None]] = {}
        """Whose subscription is confirmed on this connection."""
        self._asked: deque[tuple[bytes, _Listener]] = deque()
        """For whom a confirmation is due on this connection, in the order in which it comes."""
        self._connection: PubSub | None = None
        self._connected = asyncio.Event()
        self._reached = False

    async def subscribe(
        self, key: BoardKey, channel: Channel, heard: Callable[[bytes], None], lost: Callable[[], None]
    ) -> None:
        """See the port. Raises RankingUnavailable when it is not confirmed in time."""
        named = name(key, channel).encode()
        listener = _Listener(heard, lost)
        try:
            async with asyncio.timeout(self._timeout):
                while self._connection is None:
                    await self._connected.wait()
                self._listeners[named] = listener
                self._hearing.pop(named, None)
                self._ask([named])
                # Where the connection breaks meanwhile, it is asked for and confirmed on the next one.
                await listener.confirmed.wait()
        except BaseException as error:
            if self._listeners.get(named) is listener:
                self._forget(named)
            if isinstance(error, _FAILURES):
                raise RankingUnavailable(f"Redis does not confirm a subscription: {error}") from error
            raise

    async def unsubscribe(self, key: BoardKey, channel: Channel, heard: Callable[[bytes], None]) -> None:
        """See the port."""
        named = name(key, channel).encode()
        listener = self._listeners.get(named)
        if listener is not None and listener.heard == heard:
            self._forget(named)

    async def run(self) -> None:
        """Listen until cancelled."""
        attempt = 0
        while True:
            try:
                await self._listen()
            except _FAILURES:
                attempt = 1 if self._reached else attempt + 1
            for listener in list(self._listeners.values()):
                if listener.confirmed.is_set():
                    listener.lost()
            await asyncio.sleep(_RECONNECT[min(attempt, len(_RECONNECT) - 1)])

    async def _listen(self) -> None:
        """Hear everything on one connection until it breaks, and raise why it did."""
        self._reached = False
        # Not wait_for: before Python 3.12 it loses a cancellation that comes together with what it waits for.
        async with asyncio.timeout(self._timeout):
            connection = await PubSub.open(self._redis, self._heard, self._confirm, self._timeout)
        try:
            self._reached = True
            self._connection = connection
            self._connected.set()
            if self._listeners:
                self._ask(list(self._listeners))
            await connection.lost()
        finally:
            self._connected.clear()
            self._connection = None
            self._hearing.clear()
            self._asked.clear()
            connection.close()

    def _ask(self, channels: list[bytes]) -> None:
        if self._connection is not None:
            self._asked.extend((channel, self._listeners[channel]) for channel in channels)
            self._connection.subscribe(channels)

    def _forget(self, channel: bytes) -> None:
        del self._listeners[channel]
        self._hearing.pop(channel, None)
        if self._connection is not None:
            self._connection.unsubscribe(channel)

    def _heard(self, channel: bytes, data: bytes) -> None:
        heard = self._hearing.get(channel)
        if heard is not None:
            heard(data)

    def _confirm(self, channel: bytes) -> None:
        asked, listener = self._asked.popleft() if self._asked else (None, None)
        if asked != channel or listener is None:
            raise RedisConnectionError("Redis confirms what was not asked for")
        if self._listeners.get(channel) is not listener:
            return
        self._hearing[channel] = listener.heard
        if listener.confirmed.is_set():
            # Subscribed again: whatever was announced in between was not heard.
            listener.lost()
        listener.confirmed.set()
