"""While a request is answered, the sends of live frames give way to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from api.service import Service

_ENDLESS: Final = "/live"


class GiveWay:
    """Counts the requests that are being answered, where the passes over live connections look (`Fanout.requests`).

    An answer that has no end is not waited for: server-sent events are frames themselves.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http" or scope["path"].endswith(_ENDLESS):
            await self._app(scope, receive, send)
            return
        service: Service = scope["app"].state.service
        fanout = service.hub.shell.fanout
        fanout.requests += 1
        try:
            await self._app(scope, receive, send)
        finally:
            fanout.requests -= 1
