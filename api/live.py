"""`GET /v1/live`: a WebSocket is pumped, the hub and the connection do the rest."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.websockets import WebSocketDisconnect

from api import problems
from realtime.core import closing, messages
from realtime.core.errors import Overloaded, RankcastError
from realtime.core.messages import Authenticate, Ping, SubscribeTop, Unsubscribe
from realtime.gateway.connection import Connection

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from api.service import Service
    from realtime.core.closing import Close


async def live(socket: WebSocket) -> None:
    """One connection, from handshake to close."""
    service: Service = socket.app.state.service
    offered = socket.scope.get("subprotocols", [])
    if offered and messages.SUBPROTOCOL not in offered:
        await socket.accept()
        await socket.close(closing.SUBPROTOCOL.code, closing.SUBPROTOCOL.reason)
        return
    if len(service.hub.connections) >= service.settings.max_connections:
        await socket.send_denial_response(problems.respond(Overloaded("this node has as many connections as it holds")))
        return
    await socket.accept(messages.SUBPROTOCOL if offered else None)
    connection = Connection()
    service.hub.join(connection)
    try:
        close = await _pump(service, socket, connection)
    finally:
        service.hub.leave(connection)
    if close is not None:
        with suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(close.code, close.reason)


async def _pump(service: Service, socket: WebSocket, connection: Connection) -> Close | None:
    """Read and write until either side ends; the reason if it is ours."""
    reading = asyncio.create_task(_read(service, socket, connection))
    writing = asyncio.create_task(_write(service, socket, connection))
    try:
        done, _ = await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()
    except (WebSocketDisconnect, RuntimeError):
        return None
    finally:
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)


async def _read(service: Service, socket: WebSocket, connection: Connection) -> Close:
    while True:
        received = await socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1005))
        text = received.get("text")
        if text is None:
            return closing.NOT_TEXT
        if len(text.encode()) > service.settings.max_message:
            return closing.MESSAGE_TOO_LARGE
        try:
            await _handle(service, connection, text)
        except RankcastError as error:
            connection.reply(messages.error(error.code, str(error), messages.request_id(text)))


async def _handle(service: Service, connection: Connection, text: str) -> None:
    request = messages.parse(text)
    match request:
        case SubscribeTop():
            await service.hub.subscribe(connection, request)
        case Unsubscribe():
            service.hub.unsubscribe(connection, request.topic, request.id)
        case Authenticate():
            principal = service.identity.known(request.token) or await service.identity.verify(request.token)
            connection.principal = principal
            connection.reply(messages.authenticated(principal.expires_at))
        case Ping():
            connection.reply(messages.pong())


async def _write(service: Service, socket: WebSocket, connection: Connection) -> Close:
    while True:
        frame = await connection.next_frame()
        await socket.send_text(frame.decode())
        if connection.overrun:
            return closing.OVERLOADED
        if connection.behind:
            service.hub.catch_up(connection)
