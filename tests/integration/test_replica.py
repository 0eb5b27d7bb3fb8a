from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest
from redis.asyncio import Redis

from infra.local.replica import start_replica
from infra.resources import worker_resources
from tests.harness import PATIENCE, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.local.postgres import EmbeddedPostgres
    from infra.local.valkey import EmbeddedValkey
    from tests.harness import Stack


@pytest.fixture
def replica(postgres: EmbeddedPostgres, database_url: str, tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    assert database_url, "the replica is taken when the test's database is there"
    server = start_replica(postgres, tmp_path / "replica")
    try:
        yield server
    finally:
        server.stop()


async def test_reads_that_redis_cannot_answer_go_to_the_replica_and_writes_to_the_primary(
    stack: Stack, replica: EmbeddedPostgres, valkey: EmbeddedValkey
) -> None:
    replica_url = replica.url_of(urlsplit(stack.settings.database_url).path.lstrip("/"))
    async with stack.node(replica_url=replica_url) as node, Redis.from_url(valkey.url) as redis:
        await node.http.put("/v1/boards/arcade", json={"columns": [{"name": "score"}]})
        await node.http.post("/v1/boards/arcade/scores", json={"player": "ada", "score": 7})

        async def replayed() -> bool:
            read = await node.http.get("/v1/boards/arcade/players/ada")
            return read.status_code == 200

        await eventually(replayed)
        paused = await asyncpg.connect(replica_url, timeout=PATIENCE)
        await paused.execute("SELECT pg_wal_replay_pause()")
        await eventually(lambda: paused.fetchval("SELECT pg_get_wal_replay_pause_state() = 'paused'"))
        written = await node.http.post("/v1/boards/arcade/scores", json={"player": "bob", "score": 9})
        assert written.status_code == 200, "the primary takes writes whatever the replica does"
        for path in ("top", "players/ada", "players/ada/around"):
            answer = (await node.http.get(f"/v1/boards/arcade/{path}")).json()
            assert answer["stale"]
            assert answer["epoch"] is None
            assert answer["total"] == 1, "what the replica has not replayed is not seen"
        assert (await node.http.get("/v1/boards/arcade/players/bob")).status_code == 404
        await paused.execute("SELECT pg_wal_replay_resume()")
        await paused.close()

        async def seen() -> bool:
            return bool((await node.http.get("/v1/boards/arcade/top")).json().get("total") == 2)

        await eventually(seen)
        kept = await redis.keys()
        assert kept in ([], [b"rc:nodes"]), "no worker ran: beside its heartbeat Redis had nothing to answer with"


async def test_ranks_from_the_view_begin_at_one_though_newer_scores_are_better(stack: Stack) -> None:
    async with stack.node() as node, worker_resources(stack.settings) as resources:
        await node.http.put("/v1/boards/arcade", json={"columns": [{"name": "score"}]})
        rows = [{"player": f"p{number}", "score": number} for number in range(5)]
        await node.http.post("/v1/boards/arcade/scores/batch", json=rows)
        assert await resources.ledger.refresh_view(0)
        leaders = [{"player": "new", "score": 90}, {"player": "newer", "score": 91}]
        await node.http.post("/v1/boards/arcade/scores/batch", json=leaders)
        top = (await node.http.get("/v1/boards/arcade/top", params={"limit": 3})).json()
        assert top["stale"]
        assert [(one["rank"], one["player"]) for one in top["entries"]] == [(1, "p4"), (2, "p3"), (3, "p2")]
