from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from infra.migrations import migrate
from tests.turned import TurnedLoop

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.postgres import EmbeddedPostgres

_EMPTY = """
DELETE FROM outbox; DELETE FROM entry; DELETE FROM player; DELETE FROM idempotency; DELETE FROM season;
DELETE FROM board; UPDATE view_refresh SET refreshed_at = '-infinity'
"""


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], Any]]:
    """What waits for minutes and talks to nobody waits on a loop whose time is turned on."""
    turned = item.path.stem in {"test_pulse", "test_relay", "test_cli_replaying"}
    return {"turned": TurnedLoop} if turned else {"asyncio": asyncio.new_event_loop}


@pytest.fixture(scope="session")
def used_database(postgres: EmbeddedPostgres) -> str:
    url = postgres.create_database("unit_infra")
    asyncio.run(migrate(url))
    return url


@pytest.fixture
def emptied_database(used_database: str) -> str:
    """A database without rows: much sooner there than a new one."""
    asyncio.run(_execute(used_database, _EMPTY))
    return used_database


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close(timeout=10)
