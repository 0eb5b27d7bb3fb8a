"""The outbox as a queue: leases in short transactions, and a bell.

A lease expires, so that a worker that stops in the middle hides nothing for long; a lock held through the work
(SKIP LOCKED in one long transaction) would hide its rows for as long as the stopped worker stays connected.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from infra.postgres import wrapped
from realtime.core.letters import Letter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.postgres import Connection, PasswordOf, Pool

CHANNEL: Final = "rankcast_outbox"
_PAUSE: Final = 0.01
_BY_ID: Final = attrgetter("id")
_CLAIM: Final = """
UPDATE outbox
SET leased_until = now() + $2::float8 * (1 << least(claims, $3::integer)) * interval '1 second', claims = least(claims, 99) + 1
WHERE id = ANY (ARRAY(
    SELECT id FROM outbox WHERE id > $4 AND leased_until < now() ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING id, payload, trace, (extract(epoch FROM created_at) * 1000000)::bigint
"""
_READ: Final = """
SELECT id, payload, trace, (extract(epoch FROM created_at) * 1000000)::bigint FROM outbox WHERE id = ANY ($1) ORDER BY id
"""
_RELEASE: Final = "UPDATE outbox SET leased_until = now() + $2 * interval '1 second', claims = 0 WHERE id = ANY ($1)"
_HOLD: Final = "UPDATE outbox SET leased_until = 'infinity', reason = $2 WHERE id = ANY ($1)"
# By the clock: a row may have come since the statement began, which is what now() tells.
_BACKLOG: Final = """
SELECT count(*) AS n, greatest(coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0), 0)::float8 AS age
FROM outbox WHERE leased_until < 'infinity'
"""


class PostgresOutbox:
    """The port `Outbox` on the primary. A lease is of `lease` seconds, and twice as long with each claim that was not released:
    so often at the most as `doublings` says.
    """  # noqa: D205 - one thought

    def __init__(self, pool: Pool, lease: float, doublings: int = 0) -> None:
        self._pool = pool
        self._lease = lease
        self._doublings = doublings

    async def claim(self, limit: int, after: int = 0) -> list[Letter]:
        """At most `limit` rows with ids above `after`, the oldest first; nobody else sees them until the lease is over."""
        with wrapped():
            rows = await self._pool.fetch(_CLAIM, limit, self._lease, self._doublings, after)
        return sorted([Letter(*row) for row in rows], key=_BY_ID)

    async def read(self, ids: Sequence[int]) -> list[Letter]:
        """Those of these rows that are still there, whoever claimed them."""
        with wrapped():
            rows = await self._pool.fetch(_READ, list(ids))
        return [Letter(*row) for row in rows]

    async def settle(self, ids: Sequence[int]) -> None:
        """These are applied: they go."""
        with wrapped():
            await self._pool.execute("DELETE FROM outbox WHERE id = ANY ($1)", list(ids))

    async def release(self, ids: Sequence[int], delay: float) -> None:
        """These could not be applied: anybody may try again after `delay` seconds."""
        with wrapped():
            await self._pool.execute(_RELEASE, list(ids), delay)

    async def hold(self, ids: Sequence[int], reason: str) -> None:
        """These never can be applied: nobody sees them any more until they are redriven."""
        with wrapped():
            await self._pool.execute(_HOLD, list(ids), reason)

    async def backlog(self) -> tuple[int, float]:
        """How many rows wait, and for how many seconds the oldest. What is held does not wait."""
        with wrapped():
            row = await self._pool.fetchrow(_BACKLOG)
        return row["n"], row["age"]


class OutboxBell:
    """Tells workers that there is something. Rung after a commit and coalesced: a NOTIFY inside each commit would take a
    lock that all commits share.
    """  # noqa: D205 - one thought

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """There is something in the outbox. Never waits."""
        self._rung.set()

    async def run(self) -> None:
        """Pass rings on until cancelled. A ring that is lost is made up for by the workers' polling."""
        while True:
            await self._rung.wait()
            self._rung.clear()
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await self._pool.execute(f"NOTIFY {CHANNEL}")
            # The first ring goes out at once; what follows within this time goes together, and is refreshed together.
            await asyncio.sleep(_PAUSE)

    async def flush(self) -> None:
        """Nothing to do for a node that leaves: the workers poll."""


class OutboxListener:
    """Hears the bell on a connection of its own, and mends that connection while polling goes on."""

    def __init__(self, url: str, timeout: float, password: PasswordOf | None = None) -> None:
        self._url = url
        self._password = password
        self._timeout = timeout
        self._rung = asyncio.Event()
        self._connection: Connection | None = None

    async def wait(self, seconds: float) -> None:
        """Return when the bell rings, or after `seconds` at the latest."""
        if self._connection is None or self._connection.is_closed():
            await self._connect()
        with suppress(TimeoutError):
            # Not wait_for: before Python 3.12 it loses a cancellation that comes together with what it waits for.
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        self._rung.clear()

    async def _connect(self) -> None:
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            self._connection = await asyncpg.connect(
                self._url, password=self._password, timeout=self._timeout, command_timeout=self._timeout
            )
            await self._connection.add_listener(CHANNEL, self._hear)
            # What was committed before the LISTEN took hold rang for nobody.
            self._rung.set()

    def _hear(self, *_: Any) -> None:
        self._rung.set()

    async def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await self._connection.close(timeout=self._timeout)
