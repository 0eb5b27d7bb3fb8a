"""One connection to Redis that only listens: what is published is told within the read that brought it.

redis-py's own pub/sub awaits every message and costs a node several times as much. This one has no task and no queue: bytes go
into hiredis' parser as they come, and messages go to one function.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Self, cast

from hiredis import HiredisError, Reader, ReplyError
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection
from redis.credentials import UsernamePasswordCredentialProvider
from redis.exceptions import ConnectionError as RedisConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

PING: Final = 5.0
"""Seconds between questions whether the server is still there."""
NAME: Final = b"rankcast-bus"
UNREAD: Final = 16 * 2**20
"""Bytes of one unfinished message: past it the connection is given up. The longest announcement has half of that."""
UNSENT: Final = 16 * 2**20
"""Bytes of commands that the server has not taken: past it the connection is given up. A channel takes some 30 of them."""


class PubSub(asyncio.Protocol):
    """Made by `open`. `heard` gets channel and data of each message, `confirmed` each channel that is subscribed to now.

    Neither may wait. What they raise ends the connection and is raised by `lost`. A server that says nothing for
    `patience` seconds after it was asked is given up.
    """

    def __init__(
        self, heard: Callable[[bytes, bytes], None], confirmed: Callable[[bytes], None], patience: float
    ) -> None:
        self._heard = heard
        self._confirmed = confirmed
        self._patience = patience
        self._reader = Reader()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._silent = False
        self._error: Exception | None = None
        self._ended = False
        self._turn = asyncio.Event()
        """Something came that somebody may wait for: an answer to the greeting, or the end."""
        self._greeting = True
        self._answers: list[Any] = []

    @classmethod
    async def open(
        cls, redis: Redis, heard: Callable[[bytes, bytes], None], confirmed: Callable[[bytes], None], patience: float
    ) -> Self:
        """A connection to where `redis` connects to, as who it does. Raises OSError, RedisError; the caller limits the time."""
        made = cls(heard, confirmed, patience)
        pool = redis.connection_pool
        # Never connected: it knows what redis-py makes of a URL in all its forms.
        address = pool.connection_class(**pool.connection_kwargs)
        try:
            await made._connect(address)
            await made._greet(address)
        except BaseException:
            made.close()
            raise
        return made

    def subscribe(self, channels: list[bytes]) -> None:
        """Ask for channels; each is confirmed, in this order. Says nothing where the connection has ended."""
        self._send(b"SUBSCRIBE", *channels)

    def unsubscribe(self, channel: bytes) -> None:
        """Ask to hear a channel no more."""
        self._send(b"UNSUBSCRIBE", channel)

    async def lost(self) -> None:
        """Wait until the connection has ended, and raise why."""
        while not self._ended:
            self._turn.clear()
            await self._turn.wait()
        raise self._error or RedisConnectionError("Redis has closed the connection")

    def close(self) -> None:
        """End it at once."""
        self._end(RedisConnectionError("closed by us"))

    # -- beginning -----------------------------------------------------------------------------------------------------

    async def _connect(self, address: Any) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(address, UnixDomainSocketConnection):
            await loop.create_unix_connection(lambda: self, address.path)
        else:
            secure = address.ssl_context.get() if isinstance(address, SSLConnection) else None
            await loop.create_connection(lambda: self, address.host, address.port, ssl=secure)

    async def _greet(self, address: Any) -> None:
        """Say who we are; RedisConnectionError where the server would not have us."""
        commands: list[tuple[Any, ...]] = []
        if address.credential_provider or address.username or address.password:
            provider = address.credential_provider or UsernamePasswordCredentialProvider(
                address.username, address.password
            )
            commands.append(("AUTH", *await provider.get_credentials_async()))
        if address.db:
            commands.append(("SELECT", address.db))
        commands += [("PING",), ("CLIENT", "SETNAME", address.client_name or NAME)]
        for command in commands:
            self._send(*command)
        while len(self._answers) < len(commands):
            if self._ended:
                raise self._error or RedisConnectionError("Redis has closed the connection")
            self._turn.clear()
            await self._turn.wait()
        self._greeting = False
        # The name is a courtesy, and not every user may give it.
        for (command, *_), answer in zip(commands[:-1], self._answers, strict=False):
            if isinstance(answer, ReplyError):
                raise RedisConnectionError(f"{command}: {answer}")
        self._timer = asyncio.get_running_loop().call_later(PING, self._ask)

    # -- hearing -------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        if self._ended:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._ended:
            return
        self._silent = False
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                if type(reply) is list and reply[0] == b"message":
                    self._heard(reply[1], reply[2])
                else:
                    self._answered(reply)
        except HiredisError as error:
            self._end(RedisConnectionError(f"what came is not of Redis: {error}"))
        except Exception as error:  # noqa: BLE001 - whoever waits for the end is told, and does not take it for a break
            self._end(error)
        if reader.len() > UNREAD:
            self._end(RedisConnectionError(f"a message of more than {UNREAD} bytes"))

    def _answered(self, reply: Any) -> None:
        if self._greeting:
            self._answers.append(reply)
            self._turn.set()
        elif isinstance(reply, ReplyError):
            raise RedisConnectionError(f"Redis refuses: {reply}")
        elif type(reply) is list and reply[0] == b"subscribe":
            self._confirmed(reply[1])

    def _send(self, *command: Any) -> None:
        if self._ended or self._transport is None:
            return
        words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
        self._transport.write(
            b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
        )
        if self._transport.get_write_buffer_size() > UNSENT:
            self._end(RedisConnectionError(f"Redis has not taken {UNSENT} bytes"))

    def _ask(self) -> None:
        self._silent = True
        self._send(b"PING")
        if not self._ended:
            self._timer = asyncio.get_running_loop().call_later(self._patience, self._listen_for_answer)

    def _listen_for_answer(self) -> None:
        if self._silent:
            self._end(RedisConnectionError(f"Redis has said nothing for {self._patience} s"))
        else:
            self._timer = asyncio.get_running_loop().call_later(PING, self._ask)

    # -- ending --------------------------------------------------------------------------------------------------------

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._end(exc)

    def _end(self, error: Exception | None) -> None:
        if self._ended:
            return
        self._ended = True
        self._error = error
        self._turn.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
