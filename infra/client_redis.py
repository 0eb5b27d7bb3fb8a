"""Connections to Redis."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

if TYPE_CHECKING:
    from redis.credentials import CredentialProvider

_CONNECTIONS: Final = 32


class BoundedRedis(Redis):
    """A client of the server at `url`, over a bounded pool. Each command takes at most `seconds`; past it, TimeoutError.

    Without `credentials` the URL says who it is. It does not retry: who calls knows what a repetition would mean. Nor does it use redis-py's `socket_timeout`, under which
    every command is sent through `asyncio.wait_for`: before Python 3.12 that loses a cancellation which comes in the
    same turn of the loop, and a task that missed its end waits for ever.
    """

    def __init__(self, url: str, *, seconds: float, credentials: CredentialProvider | None = None) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=seconds,
            socket_timeout=None,
            socket_connect_timeout=seconds,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            credential_provider=credentials,
        )
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self._seconds = seconds

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """See redis-py. Raises TimeoutError, too."""
        async with asyncio.timeout(self._seconds):
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
