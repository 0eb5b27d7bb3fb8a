"""Domain errors as RFC 9457 problem documents: one table from error to status."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from realtime.core import errors

if TYPE_CHECKING:
    from starlette.requests import Request

STATUS: Final[dict[type[errors.RankcastError], HTTPStatus]] = {
    errors.BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.BadRequest: HTTPStatus.BAD_REQUEST,
    errors.ScoreRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.IdempotencyMismatch: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UpgradeRequired: HTTPStatus.UPGRADE_REQUIRED,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.TopicsExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    errors.AddressLimit: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.BoardChanged: HTTPStatus.SERVICE_UNAVAILABLE,
}
_CODES: Final = {404: "not_found", 405: "method_not_allowed"}
_RETRY_AFTER: Final = "1"


def status_of(error: errors.RankcastError) -> HTTPStatus:
    """The status of the nearest class in the table; 500 for what nobody should see."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem(error: errors.RankcastError) -> dict[str, Any]:
    """The problem document of an error."""
    return _document(error.code, status_of(error), str(error))


def respond(error: errors.RankcastError) -> Response:
    """The response to an error."""
    status = status_of(error)
    headers = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="rankcast"'
    if status is HTTPStatus.UPGRADE_REQUIRED:
        headers["Upgrade"] = "websocket"
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers["Retry-After"] = _RETRY_AFTER
    return _response(problem(error), status, headers)


async def on_rankcast_error(_: Request, error: Exception) -> Response:
    """Starlette's handler for our own errors."""
    return respond(error if isinstance(error, errors.RankcastError) else errors.RankcastError())


async def on_http_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for what it raises itself: no such route, no such method."""
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    return _response(_document(_CODES.get(status, "http_error"), HTTPStatus(status), ""), status, headers)


def _methods(request: Request) -> set[str]:
    """Every method of a path: each has a route of its own, and the router names those of the first only."""
    alike = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in alike for method in getattr(route, "methods", None) or ()}


async def on_crash(_: Request, __: Exception) -> Response:
    """Starlette's handler for defects: nothing of them is told."""
    return _response(_document("internal", HTTPStatus.INTERNAL_SERVER_ERROR, "an internal error"), 500, {})


def _document(code: str, status: HTTPStatus, detail: str) -> dict[str, Any]:
    named = {"detail": detail} if detail else {}
    return {"type": "about:blank", "title": status.phrase, "status": int(status), "code": code, **named}


def _response(document: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
    headers["Cache-Control"] = "no-store"
    return Response(orjson.dumps(document), status, headers, media_type="application/problem+json")
