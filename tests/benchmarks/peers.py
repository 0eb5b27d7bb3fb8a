"""What we are measured against: the plainest Starlette on the same server settings. `python -m tests.benchmarks.peers PORT`."""

from __future__ import annotations

import sys

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

CONSTANT = orjson.dumps(
    {
        "entries": [
            {
                "rank": rank,
                "player": f"player-{rank}",
                "name": f"Player {rank}",
                "score": 10**6 - rank,
                "seq": rank,
                "country": None,
                "picture": None,
            }
            for rank in range(1, 11)
        ]
    }
)


async def echo(request: Request) -> Response:
    return Response(orjson.dumps(orjson.loads(await request.body())), media_type="application/json")


async def constant(_: Request) -> Response:
    return Response(CONSTANT, media_type="application/json")


viewers: set[WebSocket] = set()


async def publish(request: Request) -> Response:
    """What came goes to every viewer, one after the other."""
    text = (await request.body()).decode()
    for viewer in list(viewers):
        try:
            await viewer.send_text(text)
        except (WebSocketDisconnect, RuntimeError):
            viewers.discard(viewer)
    return Response(b"{}", media_type="application/json")


async def view(socket: WebSocket) -> None:
    await socket.accept()
    viewers.add(socket)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        viewers.discard(socket)


app = Starlette(
    routes=[
        Route("/echo", echo, methods=["POST"]),
        Route("/constant", constant),
        Route("/publish", publish, methods=["POST"]),
        WebSocketRoute("/viewers", view),
    ]
)

if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        log_level="error",
        access_log=False,
        backlog=4096,
    )
