"""Connections to PostgreSQL, and how its errors become ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from realtime.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

Pool = Any
"""asyncpg publishes no types."""
Connection = Any
PasswordOf = Callable[[], Awaitable[str]]
"""Asked for a password by each new connection."""

TraceOf = Callable[[], str | None]
"""Asked for the trace of who is about to commit."""

ANNOUNCE: Final = "INSERT INTO outbox (payload, trace) VALUES ($1, $2)"
RETRIED: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)

WRITER: Final = {
    "application_name": "rankcast",
    # Batches always go by index; a plan made while the tables were small must not outlive their growth.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
_CONNECT_TIMEOUT: Final = 5.0
_READER: Final = {"application_name": "rankcast", "jit": "off"}


def untraced() -> None:
    """The trace of whoever is not traced."""


@contextmanager
def wrapped() -> Iterator[None]:
    """Turn what the driver raises when the server is away, slow or refusing into StoreUnavailable."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"PostgreSQL: {type(error).__name__}: {error}") from error


async def open_pool(
    url: str, *, size: int, seconds: float, writer: bool, lazy: bool = False, password: PasswordOf | None = None
) -> Pool:
    """A pool of at most `size` connections; each statement may take `seconds`.

    A `lazy` pool connects at its first use: a replica that is away must not keep a node from starting. Without `password`
    the URL says it.
    """
    with wrapped():
        return await asyncpg.create_pool(
            url,
            password=password,
            min_size=0 if lazy else 1,
            max_size=size,
            timeout=_CONNECT_TIMEOUT,
            command_timeout=seconds,
            server_settings=WRITER if writer else _READER,
            reset=_leave_as_is,
        )


async def _leave_as_is(_: Connection) -> None:
    # The driver would clear the session at every release: a round trip a batch, for a state that we never leave behind.
    return
