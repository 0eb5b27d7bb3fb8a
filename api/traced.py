"""Requests and pushes as spans: asked for by the setting `traces`, and not there without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from api.endless import is_endless

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Span
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from infra.tracing import Tracing
    from realtime.core.announcement import Origin
    from realtime.gateway.pushing import Pushing

_API: Final = "/v1/"
_HEADER: Final = b"x-amzn-trace-id"


class Traced:
    """Middleware: a span for each request of the API that is to be traced, but for answers that have no end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        span = _span(scope) if scope["type"] == "http" else None
        if span is None:
            await self._app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.set_attribute("http.response.status_code", message["status"])
            await send(message)

        tracing: Tracing = scope["app"].state.service.tracing
        with tracing.within(span):
            try:
                await self._app(scope, receive, sent)
            finally:
                span.set_attribute("http.route", _route(scope))


def _span(scope: Scope) -> Span | None:
    path: str = scope["path"]
    if not path.startswith(_API) or is_endless(path):
        return None
    named = [value for name, value in scope["headers"] if name == _HEADER]
    header = named[0].decode("latin-1") if len(named) == 1 else None
    about: dict[str, Any] = {"http.request.method": scope["method"], "url.path": path}
    tracing: Tracing = scope["app"].state.service.tracing
    return tracing.request(header, **about)


def _route(scope: Scope) -> str:
    """The path with the names of its parameters in their places: what the router found is in the scope by now."""
    names = {str(value): f"{{{name}}}" for name, value in scope.get("path_params", {}).items()}
    return "/".join(names.get(part, part) for part in scope["path"].split("/"))


def spanned(counted: Pushing, tracing: Tracing) -> Pushing:
    """As `counted`, and a span for each push of what somebody's traced request has changed."""

    def begin(origin: Origin) -> Callable[[], None]:
        done = counted(origin)
        span = tracing.goes_on("push", origin.trace) if origin.trace else None
        if span is None:
            return done

        def end() -> None:
            done()
            span.end()

        return end

    return begin
