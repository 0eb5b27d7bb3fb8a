"""Reads that rank: top, one player, the neighbours, many players."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from api.auth import caller, require
from api.body import after, integer, read_json
from realtime.core import messages
from realtime.core.delta import entry
from realtime.core.errors import BatchTooLarge, BoardChanged, FieldInvalid, PlayerUnknown, QueryInvalid
from realtime.core.identity import Role
from realtime.core.model import WINDOW, check_id
from realtime.core.ranks import percentile, rank_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from starlette.types import Receive, Scope, Send

    from api.service import Service
    from realtime.core.model import Board, Standing
    from realtime.core.ports import Page, Standings
    from realtime.core.window import Window
    from realtime.gateway.feed import Feed

_ANSWERS: Final = 64
"""Answers kept of one version of a board, by query string."""
_PAGE: Final = 1000
_DEFAULT: Final = 10
_MAX_OFFSET: Final = 100_000_000
_MAX_PLAYERS: Final = 1000
_MAX_RADIUS: Final = 100
_MAX_BEGINNING: Final = 64
_FOUND: Final = 20
_MOST_FOUND: Final = 100
_EDITS: Final = 3
_PUBLIC: Final = "public, max-age=0, must-revalidate"
_PRIVATE: Final = "private, no-store"


_Found = TypeVar("_Found", bound="Page | Standings | None")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What every read has in common: the board, and whether the answer may be kept (not by who waits for a write)."""

    service: Service
    board: Board
    cached: bool


async def _ask(request: Request) -> _Asked:
    service: Service = request.app.state.service
    board = await service.board(request.path_params["board"], await caller(request.scope))
    wanted = after(request)
    if wanted is not None:
        await service.wait_for(board, *wanted)
    return _Asked(service, board, wanted is None)


async def _read(asked: _Asked, read: Callable[[Board], Awaitable[_Found]]) -> tuple[_Asked, _Found]:
    """What `read` finds, and the board to show it by: the one of the epoch that was found. Raises BoardChanged."""
    service = asked.service
    for _ in range(_EDITS):
        try:
            found = await read(asked.board)
        except BoardChanged:
            # Redis has other columns than we knew of.
            service.directory.forget(asked.board.name)
            asked = replace(asked, board=await service.directory.get(asked.board.name))
            continue
        if found is None or not found.epoch:
            return asked, found
        board, fits = await service.editions.of(asked.board, found.epoch)
        if board == asked.board:
            return replace(asked, cached=asked.cached and fits), found
        asked = replace(asked, board=board)
    raise BoardChanged("the board is being edited")


class TopEndpoint:
    """`GET /v1/boards/{board}/top`, as a bare ASGI application: what a hot board is asked most is answered from memory."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from the frame's own bytes where nothing but the version decides; else read."""
        service: Service = scope["app"].state.service
        board = service.directory.known(scope["path_params"]["board"])
        if board is not None and board.spec.public and not _particular(scope["headers"]):
            feed = service.hub.feed(board)
            answer = feed.answers.get(scope["query_string"]) if feed is not None else None
            if answer is not None:
                start, body = answer
                await send(start)
                await send(body)
                return
        response = await _top(Request(scope, receive))
        await response(scope, receive, send)


def _particular(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the answer depends on who asks, or on what they hold."""
    return any(name in (b"authorization", b"if-none-match") for name, _ in headers)


async def _top(request: Request) -> Response:
    asked = await _ask(request)
    limit = integer(request, "limit", _DEFAULT, 1, _PAGE)
    offset = integer(request, "offset", 0, 0, _MAX_OFFSET)
    if asked.cached and offset + limit <= WINDOW:
        feed = asked.service.hub.feed(asked.board)
        if feed is not None and feed.window is not None:
            return _hot(request, feed, feed.window, offset, limit)
        asked.service.hub.follow(asked.board)
    asked, page = await _read(asked, lambda board: asked.service.page(board, offset, limit))
    return _respond(request, asked, page.epoch, page.version, _stretch(asked.board, page))


def _hot(request: Request, feed: Feed, window: Window, offset: int, limit: int) -> Response:
    spec = feed.board.spec
    listed = messages.entries(window.rows[: offset + limit], spec.ranks)[offset:]
    body = orjson.dumps(_head(feed.board, window.epoch, window.version, window.total) | {"entries": listed})
    cache = _PUBLIC if spec.public else _PRIVATE
    headers = {"ETag": f'"{window.epoch}-{window.version}"', "Cache-Control": cache}
    whole = Response(body, headers=headers, media_type="application/json")
    if len(feed.answers) < _ANSWERS:
        start = {"type": "http.response.start", "status": 200, "headers": whole.raw_headers}
        feed.answers[request.scope["query_string"]] = start, {"type": "http.response.body", "body": body}
    return _unless_matched(request, body, headers)


async def player(request: Request) -> Response:
    """`GET /v1/boards/{board}/players/{player}`."""
    asked = await _ask(request)
    name = check_id(request.path_params["player"], "player")
    asked, found = await _read(asked, lambda board: asked.service.standings(board, [name]))
    standing = found.standings[0]
    if standing is None:
        raise PlayerUnknown(f"{name!r} is not ranked on board {asked.board.name!r}")
    body = _head(asked.board, found.epoch, found.version, found.total, stale=found.stale)
    body |= _placed(asked.board, standing, found.total)
    body["metadata"] = orjson.loads(standing.metadata) if standing.metadata else None
    return _respond(request, asked, found.epoch, found.version, body)


async def around(request: Request) -> Response:
    """`GET /v1/boards/{board}/players/{player}/around`."""
    asked = await _ask(request)
    name = check_id(request.path_params["player"], "player")
    radius = integer(request, "radius", 5, 1, _MAX_RADIUS)
    asked, page = await _read(asked, lambda board: asked.service.around(board, name, radius))
    if page is None:
        raise PlayerUnknown(f"{name!r} is not ranked on board {asked.board.name!r}")
    body = _stretch(asked.board, page) | {"position": page.position}
    return _respond(request, asked, page.epoch, page.version, body)


async def age(request: Request) -> Response:
    """`GET /v1/boards/{board}/players/{player}/age`: for whoever measures how long a score takes to a screen."""
    asked = await _ask(request)
    name = check_id(request.path_params["player"], "player")
    found = await asked.service.age(asked.board, name)
    if found is None:
        raise PlayerUnknown(f"{name!r} is not ranked on board {asked.board.name!r}")
    seq, seconds = found
    body = {"board": asked.board.name, "player": name, "seq": seq, "age_ms": round(seconds * 1000, 1)}
    return Response(orjson.dumps(body), headers={"Cache-Control": "no-store"}, media_type="application/json")


async def ranks(request: Request) -> Response:
    """`POST /v1/boards/{board}/ranks`: the ranks of a list of players, in the order asked."""
    asked = await _ask(request)
    document = await read_json(request, asked.service.settings.max_body)
    players = document.get("players") if isinstance(document, dict) else None
    if not isinstance(players, list) or not players:
        raise FieldInvalid('the body is {"players": [id, …]}')
    if len(players) > _MAX_PLAYERS:
        raise BatchTooLarge(f"at most {_MAX_PLAYERS} players are ranked at once")
    players = [check_id(one, "player") for one in players]
    asked, found = await _read(asked, lambda board: asked.service.standings(board, players))
    body = _head(asked.board, found.epoch, found.version, found.total, stale=found.stale)
    body["entries"] = [
        {"player": name, "rank": None} if standing is None else _placed(asked.board, standing, found.total)
        for name, standing in zip(players, found.standings, strict=True)
    ]
    return Response(orjson.dumps(body), headers={"Cache-Control": "no-store"}, media_type="application/json")


async def find(request: Request) -> Response:
    """`GET /v1/boards/{board}/players`: who of a board is called so, the best first."""
    service: Service = request.app.state.service
    require(await caller(request.scope), Role.ADMIN)
    beginning = request.query_params.get("q", "")
    if not 1 <= len(beginning) <= _MAX_BEGINNING or "\0" in beginning:
        raise QueryInvalid(f"q must be 1 to {_MAX_BEGINNING} characters")
    limit = integer(request, "limit", _FOUND, 1, _MOST_FOUND)
    board = await service.directory.get(check_id(request.path_params["board"], "board"))
    players = await service.fallback.find(board, beginning, limit)
    asked, found = await _read(_Asked(service, board, False), lambda board: service.standings(board, players))
    ranked = sorted((one for one in found.standings if one is not None), key=attrgetter("position"))
    body = _head(asked.board, found.epoch, found.version, found.total, stale=found.stale)
    body["entries"] = [_placed(asked.board, standing, found.total) for standing in ranked]
    return Response(orjson.dumps(body), headers={"Cache-Control": "no-store"}, media_type="application/json")


def _head(board: Board, epoch: int, version: int, total: int, *, stale: bool = False) -> dict[str, Any]:
    head: dict[str, Any] = {
        "board": board.name,
        "epoch": epoch or None,
        "version": version or None,
        "total": total,
        "ranks": board.spec.ranks,
    }
    return head | {"stale": True} if stale else head


def _stretch(board: Board, page: Page) -> dict[str, Any]:
    head = _head(board, page.epoch, page.version, page.total, stale=page.stale)
    return head | {"entries": messages.entries(page.rows, board.spec.ranks, page.rank, page.position)}


def _placed(board: Board, standing: Standing, total: int) -> dict[str, Any]:
    """Rank and position are null where the store could not count in time."""
    counted = standing.position >= 0
    return {
        "rank": rank_of(standing, board.spec.ranks) if counted else None,
        "position": standing.position if counted else None,
        "percentile": percentile(standing, total) if counted else None,
        **entry(standing.row),
    }


def _respond(request: Request, asked: _Asked, epoch: int, version: int, body: dict[str, Any]) -> Response:
    if not asked.cached or not epoch:
        headers = {"Cache-Control": "no-store"}
    else:
        cache = _PUBLIC if asked.board.spec.public else _PRIVATE
        headers = {"ETag": f'"{epoch}-{version}"', "Cache-Control": cache}
    return _unless_matched(request, orjson.dumps(body), headers)


def _unless_matched(request: Request, body: bytes, headers: dict[str, str]) -> Response:
    wanted = request.headers.get("if-none-match")
    if wanted is not None and "ETag" in headers and _matches(wanted, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def _matches(wanted: str, tag: str) -> bool:
    # By the weak comparison of RFC 9110: a proxy that compresses makes our tag a weak one.
    return wanted.strip() == "*" or tag in [one.strip().removeprefix("W/") for one in wanted.split(",")]
