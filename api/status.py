"""How the whole service is: every process that tells of itself, what waits, and what is put aside."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson
from starlette.responses import Response

from api.auth import caller, require
from api.dead_letters import timestamp
from realtime.core.errors import RankcastError
from realtime.core.identity import Role

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.requests import Request

    from api.service import Service
    from infra.pulse import Pulse
    from realtime.core.ports import Node

Answer = TypeVar("Answer")

_PATIENCE: Final = 2.0
"""Seconds for which each part is waited for."""


async def status(request: Request) -> Response:
    """`GET /v1/status`. What cannot be known just now is null."""
    service: Service = request.app.state.service
    pulse: Pulse = request.app.state.pulse
    require(await caller(request.scope), Role.ADMIN)
    now = time.time()
    nodes, backlog, dead, ranking = await asyncio.gather(
        _asked(service.nodes.all(now)),
        _asked(service.outbox.backlog()),
        _asked(service.dead_letters.count()),
        _answers(service.ranking.ping()),
    )
    known = nodes or []
    # While nobody can be asked for the others, there is still this one.
    listed = known if any(node.id == pulse.node.id for node in known) else [*known, pulse.node]
    document = {
        "at": timestamp(now),
        "node": pulse.node.id,
        "database": "away" if backlog is None else "ok",
        "ranking": "ok" if ranking else "away",
        "outbox": None if backlog is None else {"rows": backlog[0], "age": backlog[1]},
        "dead_letters": None if dead is None else asdict(dead),
        "nodes": [_document(node) for node in listed if node.kind == "node"],
        "workers": [_document(node) for node in listed if node.kind == "worker"],
    }
    return Response(orjson.dumps(document), 200, {"Cache-Control": "no-store"}, "application/json")


def _document(node: Node) -> dict[str, Any]:
    about = {"id": node.id, "address": node.address, "started": timestamp(node.started), "seen": timestamp(node.seen)}
    return about | dict(node.numbers)


async def _asked(question: Awaitable[Answer]) -> Answer | None:
    """The answer, if there is one in time."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await question
    except (RankcastError, TimeoutError):
        return None


async def _answers(question: Awaitable[None]) -> bool:
    """Whether it answers in time."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await question
    except (RankcastError, TimeoutError):
        return False
    return True
