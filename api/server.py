"""How uvicorn serves a node: one configuration for the process and for tests."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from api.arrivals import Gate
from api.websocket import Handshake

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.applications import Starlette

    from infra.settings import Settings

_GRACE: Final = 5
"""Seconds that requests under way are given past the drain."""


def config(app: Starlette, settings: Settings) -> uvicorn.Config:
    """The configuration. The loop is the caller's.

    `app.state.door` is asked to drain when the server shuts down, and counts who finds no room; `app.state.answering` is told of each request that begins
    (1) and ends (-1).
    """

    def drain(done: Callable[[], None]) -> None:
        app.state.door.drain(done)

    def answering(change: int) -> None:
        app.state.answering(change)

    def refused() -> None:
        app.state.door.refused += 1

    gate: Any = Gate(
        in_flight=settings.handshakes_in_flight,
        timeout=settings.handshake_timeout,
        room=settings.max_connections,
        drain=drain,
        answering=answering,
        refused=refused,
    )
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="none",
        http=gate,
        ws=Handshake,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="on",
        access_log=False,
        log_level="error",
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(settings.drain_window) + _GRACE,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        backlog=4096,
    )
