"""Waiting for what a topic has to have before anybody can be told of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from realtime.core.errors import RankingUnavailable

if TYPE_CHECKING:
    from realtime.gateway.topic import Topic


class Firsts:
    """Whoever waits for the first point of a topic, by the name under which it is looked for."""

    __slots__ = ("_waited", "closed")

    def __init__(self) -> None:
        self.closed = False
        self._waited: dict[str, asyncio.Future[None]] = {}

    async def of(self, topic: Topic, name: str) -> None:
        """Return when the topic has a point. Raises RankingUnavailable once nothing is to come any more."""
        while topic.point is None:
            if self.closed:
                raise RankingUnavailable("the board is not followed any more")
            waited = self._waited.get(name)
            if waited is None:
                waited = self._waited[name] = asyncio.get_running_loop().create_future()
            await asyncio.shield(waited)

    def came(self, name: str) -> None:
        """It was found."""
        if waited := self._waited.pop(name, None):
            waited.set_result(None)

    def close(self) -> None:
        """Nothing is to come any more: whoever waits is told."""
        self.closed = True
        for waited in self._waited.values():
            waited.set_result(None)
        self._waited.clear()
