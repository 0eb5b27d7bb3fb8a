"""Score submission."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.responses import Response

from api import problems
from api.auth import authenticate, caller, require
from api.body import decode, read_json, receive_body
from realtime.core.errors import BadRequest, BatchTooLarge, FieldInvalid, Forbidden, RankcastError, ScoreRefused
from realtime.core.fold import Outcome, Submission
from realtime.core.identity import Role
from realtime.core.model import Writes, check_id, shown
from realtime.core.scores import parse_score, wire_score

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from api.service import Service
    from realtime.core.identity import Principal
    from realtime.core.model import Board
    from realtime.core.ports import Result

_BATCH: Final = 1000
_FIELDS: Final = {"player", "score", "name", "metadata"}
_MAX_NAME: Final = 64
_MAX_METADATA: Final = 1024
_MAX_KEY: Final = 255
_JSON: Final = (b"content-type", b"application/json")


class SubmitEndpoint:
    """`POST /v1/boards/{board}/scores`, as a bare ASGI application: it is the busiest route of all."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one submission."""
        service: Service = scope["app"].state.service
        headers = scope["headers"]
        principal = require(await authenticate(service.identity, headers))
        name = scope["path_params"]["board"]
        board = service.directory.known(name) or await service.directory.get(check_id(name, "board"))
        may_submit(board, principal)
        document = decode(await receive_body(headers, receive, service.settings.max_body))
        key = _idempotency_key(headers)
        results = await service.submit(board, lambda board: [parse(board, principal, document, key, 0)])
        result = results[0]
        if isinstance(result, Outcome):
            await _send_json(send, orjson.dumps(answer(result)))
        else:
            await problems.respond(result)(scope, receive, send)


async def _send_json(send: Send, body: bytes) -> None:
    length = b"content-length", str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [_JSON, length]})
    await send({"type": "http.response.body", "body": body})


async def submit_batch(request: Request) -> Response:
    """`POST /v1/boards/{board}/scores/batch`: each row is taken or refused for itself."""
    service: Service = request.app.state.service
    principal = require(await caller(request.scope), Role.SERVER, Role.ADMIN)
    board = await service.directory.get(check_id(request.path_params["board"], "board"))
    rows = await read_json(request, service.settings.max_body)
    if not isinstance(rows, list):
        raise FieldInvalid("a batch is a JSON array")
    if len(rows) > _BATCH:
        raise BatchTooLarge(f"a batch has at most {_BATCH} rows")
    results = await _commit(service, board, principal, rows, _idempotency_key(request.scope["headers"]))
    body = orjson.dumps(
        {"results": [row_answer(one) if isinstance(one, Outcome) else problems.problem(one) for one in results]}
    )
    return Response(body, media_type="application/json")


async def _commit(
    service: Service, board: Board, principal: Principal, rows: list[Any], key: str | None
) -> list[Result | RankcastError]:
    """One result a row: what cannot even be read is refused in its place."""
    refused: dict[int, RankcastError] = {}

    def make(board: Board) -> list[Submission]:
        refused.clear()
        submissions = []
        for index, row in enumerate(rows):
            try:
                submissions.append(parse(board, principal, row, key, index))
            except (BadRequest, ScoreRefused, Forbidden) as error:
                refused[index] = error
        return submissions

    taken = iter(await service.submit(board, make)) if rows else iter(())
    return [refused[index] if index in refused else next(taken) for index in range(len(rows))]


def may_submit(board: Board, principal: Principal) -> None:
    """Whether this caller may submit at all. Raises Forbidden."""
    if principal.role is Role.PLAYER and board.spec.writes is not Writes.PLAYER:
        raise Forbidden(f"scores of board {board.name!r} come from servers")


def parse(board: Board, principal: Principal, document: object, key: str | None, row: int) -> Submission:
    """A submission as it was sent. Raises FieldInvalid, IdInvalid, ScoreRefused, Forbidden."""
    if not isinstance(document, dict):
        raise FieldInvalid("a submission is a JSON object")
    if not document.keys() <= _FIELDS:
        raise FieldInvalid(f"a submission has no field {min(document.keys() - _FIELDS)!r}")
    player = check_id(document.get("player", principal.subject), "player")
    if principal.role is Role.PLAYER and player != principal.subject:
        raise Forbidden("a player submits for itself only")
    if "player" not in document and principal.role is not Role.PLAYER:
        raise FieldInvalid("a server names the player")
    if "score" not in document:
        raise FieldInvalid("a submission has a score")
    score = parse_score(document["score"], len(board.spec.columns))
    name = check_name(document.get("name"))
    metadata = _metadata(document.get("metadata"))
    if key is None:
        return Submission(board=board, player=player, score=score, name=name, metadata=metadata)
    return Submission(
        board=board,
        player=player,
        score=score,
        name=name,
        metadata=metadata,
        key=_digest(f"{principal.client_id}\0{principal.subject}\0{board.key.board}\0{key}\0{row}".encode()),
        body=_digest(orjson.dumps([player, [str(value) for value in score], name, metadata.decode()])),
    )


def answer(outcome: Outcome) -> dict[str, Any]:
    """An accepted submission's answer."""
    return {
        "player": outcome.player,
        "score": wire_score(outcome.score),
        "best": wire_score(outcome.best),
        "improved": outcome.improved,
        "seq": outcome.seq,
    }


def row_answer(outcome: Outcome) -> dict[str, Any]:
    """The answer to a batch's row. Whoever sends a batch again wants to know what of it was new; to one alone a repeat is
    answered as the first was.
    """  # noqa: D205 - one thought
    return answer(outcome) | ({"repeated": True} if outcome.repeated else {})


def check_name(value: object) -> str | None:
    """A display name: 1 to 64 characters, none of them a control character. Raises FieldInvalid."""
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= _MAX_NAME or not all(map(shown, value)):
        raise FieldInvalid(f"name must be 1 to {_MAX_NAME} characters without control characters")
    return value


def _metadata(value: object) -> bytes:
    if value is None:
        return b""
    try:
        packed = orjson.dumps(value) if isinstance(value, dict) else b""
    except TypeError as error:
        raise FieldInvalid("metadata must be JSON, without NaN, Infinity, or a number beyond a double") from error
    if not packed or len(packed) > _MAX_METADATA:
        raise FieldInvalid(f"metadata must be a JSON object of at most {_MAX_METADATA} bytes")
    return packed


def _idempotency_key(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    values = [value for name, value in headers if name == b"idempotency-key"]
    if not values:
        return None
    key = values[0].decode("latin-1")
    if len(values) > 1 or not (0 < len(key) <= _MAX_KEY and key.isprintable()):
        raise FieldInvalid(f"Idempotency-Key must be 1 to {_MAX_KEY} printable characters")
    return key


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()
