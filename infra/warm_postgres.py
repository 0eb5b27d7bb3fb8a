"""Connections that stand ready inside a transaction, so that a batch does not wait for its BEGIN.

Under load each round trip costs a turn of a busy event loop, many times what PostgreSQL takes. A transaction that has begun and
done nothing holds no snapshot and no locks; only `now()` stands still in it, so statements use `clock_timestamp()`.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import asyncpg

from infra.postgres import WRITER
from infra.timeline_postgres import follow_timeline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from infra.postgres import Connection, PasswordOf

_CONNECT_TIMEOUT: Final = 5.0
_SETTINGS: Final = WRITER | {"idle_in_transaction_session_timeout": "0"}


class WarmConnections:
    """`size` connections to the primary; each statement may take `seconds`. Without `password` the URL says it."""

    def __init__(self, url: str, *, size: int, seconds: float, password: PasswordOf | None = None) -> None:
        self._url = url
        self._password = password
        self._seconds = seconds
        self._ready: asyncio.Queue[Connection | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        for _ in range(size):
            self._ready.put_nowait(None)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction that commits when the block ends. Raises what the driver raises."""
        async with asyncio.timeout(self._seconds):
            connection = await self._ready.get()
        try:
            if connection is None or connection.is_closed():
                connection = None
                connection = await self._connect()
            yield connection
            await connection.execute("COMMIT")
        except BaseException:
            # Closed, the transaction is rolled back; a new connection is made when one is needed.
            if connection is not None:
                connection.terminate()
            self._ready.put_nowait(None)
            raise
        task = asyncio.create_task(self._begin(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> Connection:
        connection = await asyncpg.connect(
            self._url,
            password=self._password,
            timeout=_CONNECT_TIMEOUT,
            command_timeout=self._seconds,
            server_settings=_SETTINGS,
        )
        # It may be a standby that was promoted: no batch draws a number there before this is settled.
        await follow_timeline(connection)
        await connection.execute("BEGIN")
        return connection

    async def _begin(self, connection: Connection) -> None:
        try:
            await connection.execute("BEGIN")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            connection.terminate()
        self._ready.put_nowait(connection)

    async def close(self) -> None:
        """Close all; call it when no batch is in flight any more."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while not self._ready.empty():
            connection = self._ready.get_nowait()
            if connection is not None:
                with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                    await connection.close(timeout=_CONNECT_TIMEOUT)
