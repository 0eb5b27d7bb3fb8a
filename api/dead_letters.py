"""What was put aside because it could not be read: looked at, and let go again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.responses import Response

from api.auth import caller, require
from api.body import integer
from realtime.core.identity import Role

if TYPE_CHECKING:
    from starlette.requests import Request

    from api.service import Service
    from realtime.core.ports import DeadLetter

_DEFAULT: Final = 100
_MOST: Final = 1000


async def listed(request: Request) -> Response:
    """`GET /v1/dead-letters`."""
    service: Service = request.app.state.service
    require(await caller(request.scope), Role.ADMIN)
    limit = integer(request, "limit", _DEFAULT, 1, _MOST)
    return _json({"dead_letters": [_document(one) for one in await service.dead_letters.oldest(limit)]})


async def redrive(request: Request) -> Response:
    """`POST /v1/dead-letters/redrive`."""
    service: Service = request.app.state.service
    require(await caller(request.scope), Role.ADMIN)
    redriven = await service.dead_letters.redrive()
    service.rang()
    return _json(asdict(redriven))


def _document(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "reason": letter.reason,
        "at": timestamp(letter.at),
        "rows": list(letter.rows),
        "size": letter.size,
    }


def timestamp(at: float) -> str:
    """A Unix time as the wire has it (RFC 3339)."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), headers={"Cache-Control": "no-store"}, media_type="application/json")
