"""The processes of this service, in one hash of Redis: who beats is there."""

from __future__ import annotations

from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import orjson
from redis.exceptions import RedisError

from realtime.core.errors import RankingUnavailable
from realtime.core.ports import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis.asyncio import Redis

KEY: Final = "rc:nodes"
LOST: Final = 4
"""So many beats may fail to come before a process is missed."""
_FORGOTTEN: Final = 86_400
"""Seconds after which the last of all is forgotten."""


class RedisNodes:
    """The port `Nodes`; a beat is due every `every` seconds. Who is missed is cleared away by whoever looks."""

    def __init__(self, redis: Redis, every: float) -> None:
        self._redis = redis
        self._patience = LOST * every

    async def beat(self, node: Node) -> None:
        """See the port."""
        told = {"kind": node.kind, "address": node.address, "started": node.started, "seen": node.seen}
        with _wrapped():
            await self._redis.hset(KEY, node.id, orjson.dumps(told | {"numbers": dict(node.numbers)}))
            await self._redis.expire(KEY, _FORGOTTEN)

    async def leave(self, node: str) -> None:
        """See the port."""
        with _wrapped():
            await self._redis.hdel(KEY, node)

    async def all(self, now: float) -> list[Node]:
        """See the port."""
        with _wrapped():
            found: Any = await self._redis.hgetall(KEY)
            nodes = {name: _node(name, told) for name, told in found.items()}
            there = {
                name: node for name, node in nodes.items() if node is not None and node.seen >= now - self._patience
            }
            if missed := [name for name in found if name not in there]:
                await self._redis.hdel(KEY, *missed)
        return sorted(there.values(), key=attrgetter("started", "id"))


def _node(name: bytes, told: bytes) -> Node | None:
    """What a process told of itself; None where it cannot be read."""
    try:
        fields: dict[str, Any] = orjson.loads(told)
        return Node(id=name.decode(), **fields)
    except (orjson.JSONDecodeError, TypeError):
        return None


@contextmanager
def _wrapped() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise RankingUnavailable(f"Redis: {type(error).__name__}: {error}") from error
