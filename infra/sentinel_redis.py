"""The mark that tells whether a Redis server is the one that was filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from realtime.core.errors import RankingUnavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

KEY: Final = "rc:sentinel"


class RedisSentinel:
    """Reads and leaves the mark: the server's run and replication ids."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def read(self) -> tuple[str | None, str]:
        """The mark found, None where there is none, and what it should be. Raises RankingUnavailable."""
        try:
            found = await self._redis.get(KEY)
            info = await self._redis.info("everything")
        except (RedisError, OSError, TimeoutError) as error:
            raise RankingUnavailable(f"Redis: {error}") from error
        run = f"{info['run_id']}/{info['master_replid']}"
        return None if found is None else _text(found), run

    async def leave(self, run: str) -> None:
        """Leave the mark. Raises RankingUnavailable."""
        try:
            await self._redis.set(KEY, run)
        except (RedisError, OSError, TimeoutError) as error:
            raise RankingUnavailable(f"Redis: {error}") from error

    async def forget(self) -> None:
        """Take the mark away. Raises RankingUnavailable."""
        try:
            await self._redis.delete(KEY)
        except (RedisError, OSError, TimeoutError) as error:
            raise RankingUnavailable(f"Redis: {error}") from error


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()
