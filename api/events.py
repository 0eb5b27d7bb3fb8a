"""`GET /v1/boards/{board}/live`: the topics of the live connection as server-sent events, one a request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import StreamingResponse

from api.auth import caller
from api.door import site
from realtime.core import messages
from realtime.core.errors import FieldInvalid
from realtime.core.messages import Subscribe
from realtime.core.model import check_id
from realtime.gateway.events import EventStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from api.door import Door
    from api.service import Service
    from realtime.core.messages import Resume

_MARK: Final = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def live(request: Request) -> Response:
    """An endless answer, from `Last-Event-ID` on where that is still known; refused like any other read."""
    service: Service = request.app.state.service
    door: Door = request.app.state.door
    principal = await caller(request.scope)
    asked = Subscribe(1, check_id(request.path_params["board"], "board"), _view(request), _resume(request))
    address = site(request.client.host) if request.client else ""
    door.admit(request.headers.get("origin"), address)
    stream = EventStream(service.hub)
    try:
        service.hub.join(stream)
        if principal is not None:
            service.hub.watch.expires(stream, principal)
        await service.hub.subscribe(stream, asked)
    except BaseException:
        _leave(service, door, stream, address)
        raise
    return _Events(stream, lambda: _leave(service, door, stream, address))


class _Events(StreamingResponse):
    """An answer that leaves when it ends, however it ends."""

    def __init__(self, stream: EventStream, leave: Callable[[], None]) -> None:
        super().__init__(stream.chunks(), headers=_HEADERS, media_type="text/event-stream")
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


def _leave(service: Service, door: Door, stream: EventStream, address: str) -> None:
    service.hub.leave(stream)
    door.release(address)


def _view(request: Request) -> messages.View:
    """What the query asks for, as `subscribe` has it. Raises FieldInvalid, IdInvalid."""
    fields: dict[str, Any] = dict(request.query_params)
    fields.setdefault("view", "top")
    for name in ("limit", "radius"):
        if name in fields:
            if not fields[name].isascii() or not fields[name].isdigit():
                raise FieldInvalid(f"{name} must be a whole number")
            fields[name] = int(fields[name][:9])
    return messages.view(fields)


def _resume(request: Request) -> Resume | None:
    """What the client says it has seen; what is no mark of ours says nothing."""
    mark = _MARK.fullmatch(request.headers.get("last-event-id", ""))
    return None if mark is None else (int(mark[1]), int(mark[2]))
