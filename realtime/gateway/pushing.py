"""Who wants to know how long a commit took to be pushed."""

from __future__ import annotations

from collections.abc import Callable

from realtime.core.announcement import Origin

Pushing = Callable[[Origin], Callable[[], None]]
"""Told where what is about to be handed to sockets comes from; what it answers is called when all in step have it."""


def nothing() -> None:
    """Nobody wants to know."""


def untold(_: Origin) -> Callable[[], None]:
    """Nobody wants to know."""
    return nothing
