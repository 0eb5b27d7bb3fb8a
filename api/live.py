"""`GET /v1/live`: the handshake. What is accepted is handed to a `LiveSocket`, and no task stays behind."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from starlette.websockets import WebSocketDisconnect

from api import problems
from api.door import site
from api.websocket import HAND_OVER
from realtime.core import closing, messages
from realtime.core.errors import RankcastError, UpgradeRequired
from realtime.gateway.frame import Encoding

if TYPE_CHECKING:
    import asyncio

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket

    from api.door import Door
    from api.websocket import HandOver

_NOWHERE: Final = ""


async def live(socket: WebSocket) -> None:
    """Refused with a problem document, or accepted and handed over."""
    door: Door = socket.app.state.door
    address = site(socket.client.host) if socket.client else _NOWHERE
    try:
        door.admit(socket.headers.get("origin"), address)
    except RankcastError as error:
        with suppress(WebSocketDisconnect):
            await socket.send_denial_response(problems.respond(error))
        return
    taken = False
    try:
        with suppress(WebSocketDisconnect):
            taken = await _open(socket, door, address)
    finally:
        if not taken:
            door.release(address)


async def without_upgrade(_: Request) -> Response:
    """Whoever asks as for a page. Raises UpgradeRequired."""
    raise UpgradeRequired("this address speaks WebSocket; /v1/boards/{board}/live tells the same as server-sent events")


async def _open(socket: WebSocket, door: Door, address: str) -> bool:
    """Accept and hand over; False where the client is gone already."""
    offered = socket.scope.get("subprotocols", [])
    spoken = not offered or messages.SUBPROTOCOL in offered
    await socket.accept(messages.SUBPROTOCOL if offered and spoken else None)

    def adopt(*, deflates: bool) -> asyncio.Protocol:
        encoding = Encoding.DEFLATED if deflates else Encoding.PLAIN
        return door.socket(encoding, address) if spoken else door.refusal(closing.SUBPROTOCOL, address)

    hand_over: HandOver = socket.scope["extensions"][HAND_OVER]
    return hand_over(adopt)
