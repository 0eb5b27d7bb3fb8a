"""What a load balancer and a monitoring system ask."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import orjson
from starlette.responses import Response

from realtime.core.errors import RankcastError

if TYPE_CHECKING:
    from starlette.requests import Request

    from api.service import Service

_PATIENCE: Final = 2.0


async def healthz(_: Request) -> Response:
    """The process answers."""
    return _json({"status": "ok"}, 200)


async def readyz(request: Request) -> Response:
    """The node can take scores: the primary answers. The ranking being away makes reads stale, not the node unready."""
    service: Service = request.app.state.service
    if request.app.state.door.draining:
        return _json({"status": "leaving"}, 503)
    try:
        async with asyncio.timeout(_PATIENCE):
            await service.boards.by_keys([])
    except (RankcastError, TimeoutError):
        return _json({"status": "unavailable", "database": "away"}, 503)
    return _json({"status": "ready", "database": "ok", "ranking": "ok" if await _ranking(service) else "away"}, 200)


async def _ranking(service: Service) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            await service.ranking.ping()
    except (RankcastError, TimeoutError):
        return False
    return True


async def metrics(request: Request) -> Response:
    """Prometheus text."""
    service: Service = request.app.state.service
    return Response(service.metrics.render(service), media_type="text/plain; version=0.0.4; charset=utf-8")


def _json(document: object, status: int) -> Response:
    return Response(orjson.dumps(document), status, {"Cache-Control": "no-store"}, "application/json")
