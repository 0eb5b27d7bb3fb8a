"""Profiles, and the removal of an entry."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

import orjson
from starlette.responses import Response

from api.auth import caller, require
from api.body import read_json
from api.scores import check_name
from realtime.core.errors import FieldInvalid, Forbidden
from realtime.core.identity import Role
from realtime.core.model import check_id

if TYPE_CHECKING:
    from starlette.requests import Request

    from api.service import Service

_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_FIELDS: Final = {"name", "country", "picture"}


async def put(request: Request) -> Response:
    """`PUT /v1/players/{player}`: what is named is set, null clears, the rest stays."""
    service: Service = request.app.state.service
    principal = require(await caller(request.scope))
    player = check_id(request.path_params["player"], "player")
    if principal.role is Role.PLAYER and player != principal.subject:
        raise Forbidden("a player edits its own profile only")
    document = await read_json(request, service.settings.max_body)
    if not isinstance(document, dict) or not document.keys() <= _FIELDS:
        raise FieldInvalid("a profile has name, country and picture")
    if "name" in document:
        check_name(document["name"])
    country = document.get("country")
    if country is not None and not (isinstance(country, str) and _COUNTRY.fullmatch(country)):
        raise FieldInvalid("country is two capital letters (ISO 3166-1)")
    takes_picture_away = "picture" in document
    if document.pop("picture", None) is not None:
        raise FieldInvalid("picture can only be null here: a new one is uploaded")
    with service.committing():
        now = time.time_ns() // 1_000_000
        if takes_picture_away:
            # As of now: what was uploaded before and is not looked at yet does not bring one back.
            await service.players.portray(player, None, now)
        profile = await service.players.put(player, document)
    service.rang()
    if takes_picture_away and service.pictures is not None:
        # Whoever asked for it must know whether it goes: this call may be made again.
        await service.pictures.retire(player, now)
    fields = {"name": profile.name, "country": profile.country, "picture": profile.picture, "seq": profile.seq}
    return _json({"player": player, **fields})


async def remove(request: Request) -> Response:
    """`DELETE /v1/boards/{board}/players/{player}`."""
    service: Service = request.app.state.service
    require(await caller(request.scope), Role.ADMIN)
    board = await service.directory.get(check_id(request.path_params["board"], "board"))
    player = check_id(request.path_params["player"], "player")
    with service.committing():
        seq = await service.players.remove(board, player)
    service.rang()
    return _json({"player": player, "seq": seq})


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), headers={"Cache-Control": "no-store"}, media_type="application/json")
