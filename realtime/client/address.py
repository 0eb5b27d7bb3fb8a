"""Where nodes are, and which is tried next."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def live_address(url: str) -> str:
    """Where a node's WebSocket is: `http://host:port` becomes `ws://host:port/v1/live`. A full address is kept."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    path = parts.path if parts.path.endswith("/v1/live") else parts.path.rstrip("/") + "/v1/live"
    return urlunsplit((scheme, parts.netloc, path, parts.query, ""))


def in_turn(urls: Sequence[str], chance: float) -> Iterator[str]:
    """The addresses of nodes, one after the other without end, from one that `chance` (in [0, 1)) picks.

    Clients with the same list must not all begin with the same node. Raises ValueError for an empty list.
    """
    if not urls:
        raise ValueError("no address of a node was given")
    start = int(chance * len(urls))
    return itertools.cycle(live_address(url) for url in (*urls[start:], *urls[:start]))
