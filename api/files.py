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
    "base-uri 'none'; form-action 'none'; frame-ancestors {framed_by}; object-src 'none'"
)
_FRAMED_BY: Final = {"index.html": "'none'", "docs.html": "'none'", "embed.html": "*"}
"""Who may show a page in a frame: those that hold nobody's session and do nothing, anybody."""
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY.format(framed_by="'none'"),
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
    return _page("index.html")


async def docs(_: Request) -> Response:
    """`GET /docs`."""
    return _page("docs.html")


async def embed(_: Request) -> Response:
    """`GET /embed`: the widget alone, for frames in pages of others."""
    return _page("embed.html")


async def openapi(_: Request) -> Response:
    """`GET /openapi.json`."""
    return FileResponse(_HERE / "openapi.json", headers=_HEADERS | _ANYWHERE)


async def asyncapi(_: Request) -> Response:
    """`GET /asyncapi.json`."""
    return FileResponse(_HERE / "asyncapi.json", headers=_HEADERS | _ANYWHERE)


def _page(name: str) -> Response:
    policy = _POLICY.format(framed_by=_FRAMED_BY[name])
    return FileResponse(WEB / name, headers=_HEADERS | {"Content-Security-Policy": policy})
