from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import psutil
import pytest

from infra.local.errors import LocalStackError
from infra.local.postgres import EmbeddedPostgres
from infra.local.replica import EmbeddedReplica, start_replica

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = 10.0


async def replayed(replica: asyncpg.Connection, position: str) -> bool:
    return await replica.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", position, timeout=TIMEOUT)


async def write(primary: EmbeddedPostgres, replica: EmbeddedPostgres, statement: str) -> None:
    """Run a statement on the primary and return when the replica has replayed it."""
    connection = await asyncpg.connect(primary.url, timeout=TIMEOUT)
    reader = await asyncpg.connect(replica.url, timeout=TIMEOUT)
    try:
        await connection.execute(statement, timeout=TIMEOUT)
        position = await connection.fetchval("SELECT pg_current_wal_lsn()::text", timeout=TIMEOUT)
        while not await replayed(reader, position):
            assert replica.child.exit_code is None
    finally:
        await connection.close(timeout=TIMEOUT)
        await reader.close(timeout=TIMEOUT)


async def read(server: EmbeddedPostgres, query: str) -> object:
    connection = await asyncpg.connect(server.url, timeout=TIMEOUT)
    try:
        return await connection.fetchval(query, timeout=TIMEOUT)
    finally:
        await connection.close(timeout=TIMEOUT)


@pytest.mark.timeout(60)
async def test_a_replica_streams_what_is_written_later_and_refuses_writes(folder: Path) -> None:
    with EmbeddedPostgres(folder / "pg", max_connections=30) as primary:
        replica = start_replica(primary, folder / "replica")
        try:
            assert await read(replica, "SELECT pg_is_in_recovery()") is True
            await write(primary, replica, "CREATE TABLE kept AS SELECT 7 AS i")
            assert await read(replica, "SELECT i FROM kept") == 7
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await read(replica, "INSERT INTO kept VALUES (8) RETURNING i")
        finally:
            pid = replica.pid
            replica.stop()
        assert not psutil.pid_exists(pid)


@pytest.mark.timeout(60)
async def test_a_replica_that_was_away_catches_up(folder: Path) -> None:
    with EmbeddedPostgres(folder / "pg") as primary:
        replica = start_replica(primary, folder / "replica")
        replica.stop()
        await read(primary, "CREATE TABLE kept (i int)")
        with replica:
            await write(primary, replica, "INSERT INTO kept VALUES (1)")
            assert await read(replica, "SELECT count(*) FROM kept") == 1


def test_without_a_running_primary_there_is_one_clear_line(folder: Path) -> None:
    with pytest.raises(LocalStackError, match="not running"):
        EmbeddedReplica(EmbeddedPostgres(folder / "pg"), folder / "replica").start()
