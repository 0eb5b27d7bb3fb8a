"""Boards: create, edit, show, list, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.responses import Response

from api.auth import caller, require
from api.body import read_json
from realtime.core import boarddoc
from realtime.core.errors import BoardInvalid
from realtime.core.identity import Role
from realtime.core.model import check_id

if TYPE_CHECKING:
    from starlette.requests import Request

    from api.service import Service
    from realtime.core.model import Board

_READ_ONLY: Final = {"board", "season", "revision"}


async def listed(request: Request) -> Response:
    """`GET /v1/boards`: public boards; all of them for who has a token."""
    service: Service = request.app.state.service
    principal = await caller(request.scope)
    boards = [board for board in await service.boards.all() if board.spec.public or principal is not None]
    return _json({"boards": [_document(board) for board in boards]})


async def show(request: Request) -> Response:
    """`GET /v1/boards/{board}`."""
    service: Service = request.app.state.service
    board = await service.board(request.path_params["board"], await caller(request.scope))
    return _json(_document(board))


async def put(request: Request) -> Response:
    """`PUT /v1/boards/{board}`: 201 where it is new."""
    service: Service = request.app.state.service
    require(await caller(request.scope), Role.ADMIN)
    name = check_id(request.path_params["board"], "board")
    document = await read_json(request, service.settings.max_body)
    if isinstance(document, dict):
        document = _writable(document, name)
    spec = boarddoc.parse(document)
    with service.committing():
        board, created = await service.boards.put(name, spec)
    service.directory.forget(name)
    service.rang()
    return _json(_document(board), 201 if created else 200)


async def delete(request: Request) -> Response:
    """`DELETE /v1/boards/{board}`."""
    service: Service = request.app.state.service
    require(await caller(request.scope), Role.ADMIN)
    name = check_id(request.path_params["board"], "board")
    with service.committing():
        board = await service.boards.delete(name)
    service.directory.forget(board.name)
    service.rang()
    return Response(status_code=204)


def _writable(document: dict[str, Any], name: str) -> dict[str, Any]:
    """A document without what only the service sets: what was read can be edited and sent back as it is."""
    if document.get("board", name) != name:
        raise BoardInvalid("the document names another board")
    return {field: value for field, value in document.items() if field not in _READ_ONLY}


def _document(board: Board) -> dict[str, Any]:
    return {"board": board.name, **boarddoc.render(board.spec), "season": board.key.season, "revision": board.revision}


def _json(document: object, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status, {"Cache-Control": "no-store"}, "application/json")
