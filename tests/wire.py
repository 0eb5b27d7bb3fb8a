"""A client of raw bytes: it says what no library would say, and reads what it is told."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from realtime.core import messages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE = 20.0
PATH = "/v1/live"


def request(*headers: str, path: str = PATH) -> bytes:
    """An upgrade request; a header given here stands for the usual one of its name."""
    usual = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": messages.SUBPROTOCOL,
    }
    for header in headers:
        name, _, value = header.partition(": ")
        usual[name] = value
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in usual.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode()


class Wire:
    """One TCP connection to a node."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = b""
        self.protocol = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=None)
        self._frames: list[Frame] = []

    @classmethod
    async def plain(cls, port: int) -> Wire:
        """Connected, and nothing said."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def open(cls, port: int, *headers: str) -> Wire:
        """After the handshake and the welcome."""
        wire = await cls.plain(port)
        wire.send(request(*headers))
        assert await wire.status() == 101, wire.head
        assert (await wire.message())["type"] == "welcome"
        return wire

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def say(self, text: str) -> None:
        self.protocol.send_text(text.encode())
        self.flush()

    def flush(self) -> None:
        """Send what the protocol has to send."""
        for data in self.protocol.data_to_send():
            if data:
                self.writer.write(data)

    async def status(self) -> int:
        """The status of the answer to a request."""
        async with asyncio.timeout(PATIENCE):
            self.head = await self.reader.readuntil(b"\r\n\r\n")
        return int(self.head.split(b" ", 2)[1])

    async def body(self) -> Any:
        """The JSON behind that head, to the end of the connection."""
        async with asyncio.timeout(PATIENCE):
            return orjson.loads(await self.reader.read())

    async def frame(self) -> Frame | None:
        """The next frame; None at the end of the connection."""
        async with asyncio.timeout(PATIENCE):
            while not self._frames:
                data = await self.reader.read(65_536)
                if not data:
                    return None
                self.protocol.receive_data(data)
                self._frames += [event for event in self.protocol.events_received() if isinstance(event, Frame)]
            return self._frames.pop(0)

    async def message(self) -> Any:
        frame = await self.frame()
        assert frame is not None
        assert frame.opcode == Opcode.TEXT, frame
        return orjson.loads(frame.data)

    async def closed(self) -> Close:
        """How the node ends it: its close frame, behind whatever comes before, and then nothing."""
        while (frame := await self.frame()) is not None:
            if frame.opcode == Opcode.CLOSE:
                return Close.parse(frame.data)
        raise AssertionError("the connection ended without a close frame")

    async def ended(self) -> None:
        """Return when the node has ended the connection."""
        async with asyncio.timeout(PATIENCE):
            try:
                while await self.reader.read(65_536):
                    pass
            except ConnectionError:
                return

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Vanish: the peer gets a reset, not an end."""
        bare: socket.socket = self.writer.get_extra_info("socket")
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.writer.transport.abort()


@asynccontextmanager
async def opened(port: int, *headers: str) -> AsyncIterator[Wire]:
    wire = await Wire.open(port, *headers)
    try:
        yield wire
    finally:
        wire.close()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Wire]:
    wire = await Wire.plain(port)
    try:
        yield wire
    finally:
        wire.close()
