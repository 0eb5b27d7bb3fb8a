"""Two broadcasters in Python: `python -m tests.benchmarks.broadcasters websockets|picows PORT BYTES`.

Each line on stdin sends one text of BYTES to every connection. Pings and compression are off. Ends with its stdin.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable


async def websockets_server(port: int, text: str) -> Callable[[], None]:
    from websockets.asyncio.server import broadcast, serve

    connections: set[Any] = set()

    async def hold(connection: Any) -> None:
        connections.add(connection)
        try:
            await connection.wait_closed()
        finally:
            connections.discard(connection)

    await serve(hold, "127.0.0.1", port, compression=None, ping_interval=None, backlog=4096)
    return lambda: broadcast(connections, text)


async def picows_server(port: int, text: str) -> Callable[[], None]:
    from picows import WSListener, WSMsgType, WSTransport, ws_create_server

    transports: set[WSTransport] = set()
    payload = text.encode()

    class Listener(WSListener):
        def on_ws_connected(self, transport: WSTransport) -> None:
            transports.add(transport)

        def on_ws_disconnected(self, transport: WSTransport) -> None:
            transports.discard(transport)

    def send() -> None:
        for transport in transports:
            transport.send(WSMsgType.TEXT, payload)

    await ws_create_server(lambda _: Listener(), "127.0.0.1", port, backlog=4096)
    return send


async def main(kind: str, port: int, size: int) -> None:
    send = await {"websockets": websockets_server, "picows": picows_server}[kind](port, "x" * size)
    ended = asyncio.Event()

    def ordered() -> None:
        lines = os.read(0, 4096)
        if not lines:
            ended.set()
        for _ in range(lines.count(b"\n")):
            send()

    asyncio.get_running_loop().add_reader(0, ordered)
    await ended.wait()
    os._exit(0)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
