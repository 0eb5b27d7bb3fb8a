"""What a browser loads, and the contract documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from starlette.requests import Request
    from starlette.responses import Response

WEB: Final = Path(__file__).parent.parent / "web"
_HERE: Final = Path(__file__).parent
_POLICY: Final = (
    "default-src 'self'; img-src 'self' https: data:; connect-src 'self' ws: wss:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

_ANYWHERE: Final = {"Access-Control-Allow-Origin": "*"}
"""A page of any site may load the client and read the contract: there is nothing of a user's in them."""


class WebFiles(StaticFiles):
    """The files under `web/`; only what a browser loads."""

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        """Serve a file with the page's security headers."""
        response = await super().get_response("" if path.endswith((".py", ".pyc")) else path, scope)
        response.headers.update(_HEADERS | _ANYWHERE)
        return response


def web_files() -> WebFiles:
    """The application under `/web`."""
    return WebFiles(directory=WEB)


async def page(_: Request) -> Response:
    """`GET /`."""
    return FileResponse(WEB / "index.html", headers=_HEADERS)


async def docs(_: Request) -> Response:
    """`GET /docs`."""
    return FileResponse(WEB / "docs.html", headers=_HEADERS)


async def openapi(_: Request) -> Response:
    """`GET /openapi.json`."""
    return FileResponse(_HERE / "openapi.json", headers=_HEADERS | _ANYWHERE)


async def asyncapi(_: Request) -> Response:
    """`GET /asyncapi.json`."""
    return FileResponse(_HERE / "asyncapi.json", headers=_HEADERS | _ANYWHERE)
