"""Which pages of other sites may read what a node answers (the Fetch standard's CORS protocol)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

if TYPE_CHECKING:
    from collections.abc import Sequence

_METHODS: Final = ("GET", "POST", "PUT", "DELETE")
_HEADERS: Final = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID")
_EXPOSED: Final = ("ETag", "Retry-After")
_REMEMBERED: Final = 7200
"""Seconds for which a browser need not ask again: Chromium's own bound."""


def cross_origin(origins: Sequence[str]) -> Middleware:
    """The middleware: these origins may, or all where none is named, as for live connections.

    Never with credentials: who is calling is said by a token, and no cookie is ever set.
    """
    return Middleware(
        CORSMiddleware,
        allow_origins=tuple(origins) or ("*",),
        allow_methods=_METHODS,
        allow_headers=_HEADERS,
        expose_headers=_EXPOSED,
        max_age=_REMEMBERED,
    )
