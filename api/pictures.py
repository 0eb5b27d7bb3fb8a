"""Pictures of players: tickets to upload one; and where there is no S3, the upload itself and what is shown."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from api import problems
from api.auth import caller, require
from api.body import read_json
from api.form import receive_file
from realtime.core.errors import FieldInvalid, Forbidden, PictureRefused, PicturesOff, QueryInvalid
from realtime.core.identity import Role
from realtime.core.model import check_id
from realtime.core.pictures import MAX_BYTES, TICKET_SECONDS, Upload, check_type, made_at

if TYPE_CHECKING:
    from starlette.requests import Request

    from api.service import Service
    from infra.pictures_folder import FolderPictures

_MADE: Final = re.compile(r"[0-9]{13}-[0-9a-f]{32}/[0-9]{2,3}\.webp")
SHOWN: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    # Whatever a browser might make of what a player has sent: it is a picture and nothing else.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    # To all, and not only where an origin asks: a cache keeps one answer for a year.
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


async def ticket(request: Request) -> Response:
    """`POST /v1/players/{player}/image`: leave to upload the content that has this SHA-256, once or several times."""
    service: Service = request.app.state.service
    player = await _whose(request)
    document = await read_json(request, service.settings.max_body)
    if not isinstance(document, dict) or document.keys() != {"content_type", "sha256"}:
        raise FieldInvalid("a ticket is asked for with content_type and sha256")
    if not isinstance(document["sha256"], str):
        raise FieldInvalid("sha256 is 64 hexadecimal digits in lower case")
    upload = Upload(player, document["sha256"], time.time_ns() // 1_000_000)
    content_type = check_type(document["content_type"])
    if service.pictures is None:
        raise PicturesOff("this service keeps no pictures")
    given = await service.pictures.ticket(upload, content_type)
    answer = {
        "url": urljoin(str(request.base_url), given.url),
        "fields": given.fields,
        "expires_in": TICKET_SECONDS,
        "max_bytes": MAX_BYTES,
        "picture": upload.address,
    }
    return _json(answer)


async def state(request: Request) -> Response:
    """`GET /v1/players/{player}/image?picture=`: what became of an upload, by the `picture` that its ticket named."""
    service: Service = request.app.state.service
    player = await _whose(request)
    address = request.query_params.get("picture", "")
    at = made_at(player, address.removeprefix("/"))
    if at < 0:
        raise QueryInvalid("picture must be what a ticket of this player has named")
    known = await service.players.portrait(player)
    became = known.became(address, at)
    why = {"problem": problems.problem(PictureRefused(known.refused))} if became == "refused" else {}
    return _json({"player": player, "picture": known.picture, "state": became, **why})


async def upload(request: Request) -> Response:
    """`POST /v1/uploads`: what S3 is on AWS. The ticket in the form's fields says who may send what."""
    folder = _folder(request)
    with ExitStack() as room:
        upload, content = await receive_file(
            request, MAX_BYTES, lambda fields: room.enter_context(folder.admit(fields))
        )
        await folder.keep(upload, content)
    return Response(status_code=204)


async def picture(request: Request) -> Response:
    """`GET /pictures/{player}/{upload}/{size}`: one that was made of an upload; on AWS CloudFront shows them."""
    player, made = request.path_params["player"], "{upload}/{size}".format_map(request.path_params)
    path = _folder(request).path(f"pictures/{check_id(player, 'player')}/{made}") if _MADE.fullmatch(made) else None
    if path is None:
        raise HTTPException(404)
    return FileResponse(path, headers=SHOWN, media_type="image/webp")


async def _whose(request: Request) -> str:
    """The player of the path, for who may give it a picture."""
    principal = require(await caller(request.scope))
    player = check_id(request.path_params["player"], "player")
    if principal.role is Role.PLAYER and player != principal.subject:
        raise Forbidden("a player has a picture of its own only")
    return player


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), headers={"Cache-Control": "no-store"}, media_type="application/json")


def _folder(request: Request) -> FolderPictures:
    service: Service = request.app.state.service
    if service.folder is None:
        raise PicturesOff("this node keeps no pictures itself")
    return service.folder
