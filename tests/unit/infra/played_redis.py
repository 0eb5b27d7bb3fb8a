"""A Redis that the test plays over a real socket: what is asked of it, and what it says when the test says so."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from hiredis import Reader

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from pathlib import Path

HELLO = {"PING": b"+PONG\r\n", "CLIENT": b"+OK\r\n", "AUTH": b"+OK\r\n", "SELECT": b"+OK\r\n"}


class Played:
    """One connection. `answers` are given at once, by command; the rest waits for the test."""

    def __init__(self, answers: dict[str, bytes], writer: asyncio.StreamWriter) -> None:
        self.answers = answers
        self.asked: list[tuple[str, ...]] = []
        self.gone = asyncio.Event()
        self._writer = writer
        self._news = asyncio.Event()

    async def listen(self, reader: asyncio.StreamReader) -> None:
        commands = Reader()
        try:
            while data := await reader.read(65536):
                commands.feed(data)
                while command := commands.gets():
                    self._take(tuple(word.decode() for word in command))
        except ConnectionError:
            pass
        finally:
            self.gone.set()
            self._news.set()

    def _take(self, command: tuple[str, ...]) -> None:
        self.asked.append(command)
        if command[0] in self.answers:
            self.say_raw(self.answers[command[0]])
        self._news.set()

    async def until(self, *command: str, times: int = 1) -> None:
        """Wait until this was asked."""
        async with asyncio.timeout(5):
            while self.asked.count(command) < times:
                assert not self.gone.is_set()
                self._news.clear()
                await self._news.wait()

    def say(self, kind: str, channel: bytes, data: bytes | int = 1) -> None:
        body = b":%d\r\n" % data if isinstance(data, int) else b"$%d\r\n%b\r\n" % (len(data), data)
        word = kind.encode()
        self.say_raw(b"*3\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n%b" % (len(word), word, len(channel), channel, body))

    def say_raw(self, data: bytes) -> None:
        self._writer.write(data)

    def hang_up(self) -> None:
        self._writer.transport.abort()


class PlayedRedis:
    def __init__(self, url: str) -> None:
        self.url = url
        self.answers = dict(HELLO)
        """What new connections answer with."""
        self.connections: list[Played] = []
        self._opened: asyncio.Queue[Played] = asyncio.Queue()

    async def next(self) -> Played:
        """The next connection made to it."""
        async with asyncio.timeout(5):
            return await self._opened.get()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        played = Played(dict(self.answers), writer)
        self.connections.append(played)
        self._opened.put_nowait(played)
        try:
            await played.listen(reader)
        finally:
            writer.close()


@asynccontextmanager
async def playing(path: Path | None = None, secure: ssl.SSLContext | None = None) -> AsyncIterator[PlayedRedis]:
    redis = PlayedRedis("")
    server: Any
    if path is not None:
        server = await asyncio.start_unix_server(redis.accept, path)
        redis.url = f"unix://{path}"
    else:
        server = await asyncio.start_server(redis.accept, "127.0.0.1", 0, ssl=secure)
        port = server.sockets[0].getsockname()[1]
        redis.url = f"rediss://localhost:{port}" if secure else f"redis://127.0.0.1:{port}"
    try:
        yield redis
    finally:
        server.close()
        for played in redis.connections:
            played.hang_up()
            await played.gone.wait()


async def turns() -> None:
    """Let everything that can go on do so: what has been sent over loopback has come by then."""
    for _ in range(20):
        await asyncio.sleep(0)
