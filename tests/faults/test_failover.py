from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest

from infra.local.replica import start_replica
from infra.timeline_postgres import follow_timeline
from tests.harness import PATIENCE, Watcher, eventually
from workers.process import _VERIFY_EVERY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.postgres import EmbeddedPostgres
    from tests.harness import Stack


@pytest.fixture
def standby(postgres: EmbeddedPostgres, database_url: str) -> Iterator[EmbeddedPostgres]:
    assert database_url, "the standby is taken when the test's database is there"
    # Not pytest's own folder: a second run by root closes that one to the server's user.
    with tempfile.TemporaryDirectory(prefix="rankcast-test-") as folder:
        server = start_replica(postgres, Path(folder, "standby"))
        try:
            yield server
        finally:
            server.stop()


async def test_after_a_failover_of_postgres_no_number_is_given_out_twice_and_every_board_has_a_new_epoch(
    stack: Stack, standby: EmbeddedPostgres
) -> None:
    promoted = dataclasses.replace(
        stack,
        settings=dataclasses.replace(
            stack.settings, database_url=standby.url_of(urlsplit(stack.settings.database_url).path.lstrip("/"))
        ),
    )
    async with stack.running() as (before,):
        await before.http.put("/v1/boards/arcade", json={"columns": [{"name": "score"}]})
        written = (await before.http.post("/v1/boards/arcade/scores", json={"player": "ada", "score": 7})).json()
        async with Watcher.on(before.live_url, "arcade") as watcher:
            await watcher.until(lambda watcher: watcher.total == 1)
            epoch = watcher.epoch

    connection = await asyncpg.connect(promoted.settings.database_url, timeout=PATIENCE)
    await eventually(lambda: connection.fetchval("SELECT count(*) = 1 FROM entry"))
    assert await connection.fetchval("SELECT pg_promote(true, 20)")
    async with promoted.running() as (after,), Watcher.on(after.live_url, "arcade") as watcher:
        await watcher.until(lambda watcher: watcher.epoch > epoch + 1_000_000)
        assert [one["player"] for one in watcher.entries] == ["ada"]
        again = (await after.http.post("/v1/boards/arcade/scores", json={"player": "bob", "score": 9})).json()
        assert again["seq"] > written["seq"] + 1_000_000
        await watcher.until(lambda watcher: watcher.total == 2)
    await connection.close()


async def test_boards_are_rebuilt_at_once_where_an_api_node_is_the_first_to_notice(stack: Stack) -> None:
    """Sooner than the worker looks whether the ranking is whole."""
    async with stack.running() as (node,):
        await node.http.put("/v1/boards/arcade", json={"columns": [{"name": "score"}]})
        await node.http.post("/v1/boards/arcade/scores", json={"player": "ada", "score": 7})
        async with Watcher.on(node.live_url, "arcade") as watcher:
            await watcher.until(lambda watcher: watcher.total == 1)
            epoch = watcher.epoch
            # Nothing is left that would be refused under the new epoch.
            await stack.settled()
            connection = await asyncpg.connect(stack.settings.database_url, timeout=PATIENCE)
            # In one transaction: the worker, which looks every second, finds it done.
            async with connection.transaction():
                await connection.execute("UPDATE timeline SET id = '00000000'")
                assert await follow_timeline(connection)
            await connection.close()
            async with asyncio.timeout(_VERIFY_EVERY / 3):
                await watcher.until(lambda watcher: watcher.epoch > epoch + 1_000_000)
            assert [one["player"] for one in watcher.entries] == ["ada"]
