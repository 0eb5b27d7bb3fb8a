"""What a browser loads, and the contract documents.

A node serves what the bucket on AWS holds, under the same names and as long to be kept: one function lays both out
(`infra/deploy/site.py`), and CloudFront says of each page what the table here says (`infra/aws/edge.yaml`; a test compares them).
"""

from __future__ import annotations

import re
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route

from infra.deploy.site import ASKED_ANEW, WEB, SiteFile, site, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

_HERE: Final = Path(__file__).parent


def policy(**changes: str) -> str:
    """A Content-Security-Policy: neither script nor style in a page itself, nothing from elsewhere but pictures."""
    directives = {
        "default-src": "'self'",
        "img-src": "'self' https: data:",
        "connect-src": "'self' ws: wss:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "object-src": "'none'",
    }
    for name, value in changes.items():
        directives[name.replace("_", "-")] = value
    return "; ".join(f"{name} {value}" for name, value in directives.items())


_OWN: Final = policy()
_FRAMED: Final = policy(frame_ancestors="*")
_ADMIN: Final = policy(img_src="'self' data:", connect_src="'self'")
"""Whoever runs the service has a token in this page: it speaks to nobody else."""

PAGES: Final[Mapping[str, str]] = {
    "/": _OWN,
    "/docs": _OWN,
    "/console": _ADMIN,
    "/overlay": _FRAMED,
    "/overlay/build": _OWN,
    "/embed": _FRAMED,
}
"""Every page, with what it may do. Only what is made for other sites may stand in their frames."""

_ANYWHERE: Final = {"Access-Control-Allow-Origin": "*"}
"""A page of any site may load the client and read the contract: there is nothing of a user's in them."""
_OTHER_MAKE: Final = re.compile(r"web/[0-9a-f]{16}/(.+)")
_LOOK_AGAIN: Final = 1.0
"""Seconds after which somebody may have edited a file."""


class Files:
    """The laid-out files of a folder, by key, and laid out anew when one of them has changed."""

    def __init__(self, folder: Path = WEB, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._looked = -_LOOK_AGAIN
        self._stamp: object = None
        self._files: dict[str, tuple[SiteFile, str]] = {}

    def get(self, key: str) -> tuple[SiteFile, str] | None:
        """A file and its entity tag; None where there is none."""
        self._look()
        found = self._files.get(key)
        other = None if found else _OTHER_MAKE.fullmatch(key)
        if other is None:
            return found
        # A page of another make, from a node of another release: it gets what there is, and does not keep it under that name.
        return self._files.get(f"web/{other[1]}")

    def _look(self) -> None:
        now = self._clock()
        if now - self._looked < _LOOK_AGAIN:
            return
        self._looked = now
        if (seen := stamp(self._folder)) != self._stamp:
            self._files = {
                file.key: (file, f'"{sha256(file.body).hexdigest()[:32]}"') for file in site(self._folder).files
            }
            self._stamp = seen


_FILES: Final = Files()


async def page(request: Request) -> Response:
    """`GET` of one of PAGES."""
    path = request.url.path
    return _respond(request, path.removeprefix("/") or "index.html", {"Content-Security-Policy": PAGES[path]})


async def file(request: Request) -> Response:
    """`GET /web/…`: only what a browser loads."""
    key = f"web/{request.path_params['path']}"
    return _respond(request, key, {"Content-Security-Policy": _OWN, **_ANYWHERE})


async def openapi(_: Request) -> Response:
    """`GET /openapi.json`."""
    return FileResponse(_HERE / "openapi.json", headers=_safe(ASKED_ANEW) | _ANYWHERE)


async def asyncapi(_: Request) -> Response:
    """`GET /asyncapi.json`."""
    return FileResponse(_HERE / "asyncapi.json", headers=_safe(ASKED_ANEW) | _ANYWHERE)


def _respond(request: Request, key: str, headers: Mapping[str, str]) -> Response:
    found = _FILES.get(key)
    if found is None:
        raise HTTPException(404)
    held, tag = found
    told = {**_safe(held.cache_control), **headers, "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=told)
    return Response(held.body, headers=told | {"Content-Type": held.content_type})


def _safe(cache_control: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": _OWN,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": cache_control,
    }


ROUTES: Final = [
    *[Route(path, page) for path in PAGES],
    Mount("/web", routes=[Route("/{path:path}", file)]),
]
