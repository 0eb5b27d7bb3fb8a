"""Redis goes and comes back under a watched board: what REST and the live connection say meanwhile and afterwards."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg

from infra.local.valkey import EmbeddedValkey
from tests.harness import Node, eventually, without_rank
from tests.integration.held import HeldStack, HeldWatcher, problem, put_board, submit, submit_all

PATH = "/v1/boards/points"


async def materialise(stack: HeldStack) -> None:
    """What the worker does every half minute."""
    connection = await asyncpg.connect(stack.settings.database_url, timeout=10)
    try:
        await connection.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY leaderboard_ranking")
    finally:
        await connection.close()


async def read(node: Node, path: str, **params: Any) -> dict[str, Any]:
    answer = await node.http.get(f"{PATH}/{path}", params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    if body.get("stale"):
        assert (body["epoch"], body["version"]) == (None, None)
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers
    return body


async def test_a_board_outlives_a_restart_of_redis(held: HeldStack, valkey: EmbeddedValkey) -> None:
    # The worker refreshes the view at its start and not again: what is in it here is what the test had put there.
    async with held.worker(view_interval=3600), held.node(check_every=0.3, after_timeout=0.1) as node:
        await put_board(node, "points")
        await submit_all(node, "points", {"ada": 9, "bob": 7, "cid": 7, "dee": 1})
        async with HeldWatcher.talking(node.live_url) as watcher:
            await watcher.watch("points")
            await watcher.until(lambda watcher: len(watcher.entries) == 4)
            before, epoch = await read(node, "top"), watcher.epoch
            await materialise(held)

            stopped = int(time.time())
            await asyncio.to_thread(valkey.stop)
            notice = await watcher.next("stale")
            assert stopped <= notice["as_of"] <= time.time()
            assert watcher.entries == without_rank(before["entries"])

            # The store goes on: scores are taken, the top comes of the materialised view, the rest of the entries.
            seq = (await submit(node, "points", "eve", 8))["seq"]
            top = await read(node, "top")
            assert top["stale"]
            assert top["entries"] == before["entries"]
            alone = await read(node, "players/eve")
            assert (alone["stale"], alone["rank"], alone["position"], alone["total"]) == (True, 2, 1, 5)
            around = await read(node, "players/dee/around", radius=2)
            assert around["stale"]
            ranks = (await node.http.post(f"{PATH}/ranks", json={"players": ["eve", "nobody"]})).json()
            assert (ranks["stale"], [one["rank"] for one in ranks["entries"]]) == (True, [2, None])
            late = await node.http.get(f"{PATH}/top", params={"after": f"eve:{seq}"})
            assert problem(late) == (503, "not_yet")
            ready = await node.http.get("/readyz")
            assert (ready.status_code, ready.json()["ranking"]) == (200, "away")
            async with held.node(subscribe_timeout=0.3) as hasty, HeldWatcher.talking(hasty.live_url) as other:
                refused = await other.ask("error", op="subscribe", id=1, board="points", view="top", limit=25)
                assert (refused["id"], refused["code"]) == (1, "ranking_unavailable")

            await asyncio.to_thread(valkey.start)
            await watcher.next("fresh")
            await watcher.until(lambda watcher: len(watcher.entries) == 5)
            assert watcher.epoch > epoch

            async def whole() -> Any:
                top = await read(node, "top")
                return "stale" not in top and len(top["entries"]) == 5 and top

            now = await eventually(whole)
            assert [(one["rank"], one["player"]) for one in now["entries"]] == [
                (1, "ada"),
                (2, "eve"),
                (3, "bob"),
                (3, "cid"),
                (5, "dee"),
            ]
            assert watcher.entries == without_rank(now["entries"])
            assert (now["epoch"], now["version"]) >= (watcher.epoch, watcher.version)
            await submit(node, "points", "dee", 10)
            await watcher.next("delta")
            assert watcher.entries[0]["player"] == "dee"


async def test_a_node_that_starts_while_redis_is_away_reads_and_writes(held: HeldStack, valkey: EmbeddedValkey) -> None:
    async with held.node() as node:
        await put_board(node, "points")
    await asyncio.to_thread(valkey.stop)
    async with held.node() as node:
        await submit(node, "points", "ada", 1)
        assert [one["player"] for one in (await read(node, "top"))["entries"]] == ["ada"]
