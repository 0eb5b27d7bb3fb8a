"""Durable submissions: one by one against a JSON echo and against unbatched commits; in batches against the bare upsert."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import asyncpg

from tests.benchmarks.load import PLAYERS
from tests.benchmarks.rig import Figure, load, median, peer, rig

if TYPE_CHECKING:
    from tests.benchmarks.rig import Rig

RUNS = 5
MANY, FEW = 256, 64
SECONDS = 3
UNBATCHED_POOLS = (8, 16, 32)
UPSERT = """
INSERT INTO entry (player, board_id, season, seq, sort_key, c1)
SELECT u.player, 999, 1, nextval('change_seq'), u.sort_key, u.c1 FROM unnest($1::text[], $2::bytea[], $3::bigint[]) AS u(player, sort_key, c1)
ON CONFLICT (player, board_id, season) DO UPDATE SET seq = EXCLUDED.seq, sort_key = EXCLUDED.sort_key, c1 = EXCLUDED.c1
"""


async def run() -> list[Figure]:
    async with rig() as stack:
        return [*await single(stack), await batches(stack)]


async def single(stack: Rig) -> list[Figure]:
    """fsync on, tokens checked, the worker at work; everything, the load client too, on the same cores."""
    ours: dict[int, list[float]] = {MANY: [], FEW: []}
    echo: dict[int, list[float]] = {MANY: [], FEW: []}
    async with stack.worker(), stack.node() as url, peer() as other:
        # `latest`: every submission changes the entry, none is answered from what already stands.
        await stack.board(url, "arcade", columns=[{"name": "score"}], operator="latest")
        await posted(stack, url, MANY)
        for _ in range(RUNS):
            for connections in (MANY, FEW):
                ours[connections].append(await posted(stack, url, connections))
                seen = await load(other, path="/echo", seconds=SECONDS, connections=connections)
                echo[connections].append(seen["per_second"])
        pool, unbatched = await one_by_one(stack)
    figures = [
        Figure(
            f"durable POST submissions/s, {connections} connections : Starlette JSON echo",
            f"{median(ours[connections]):,.0f}/s",
            f"{median(echo[connections]):,.0f}/s",
            median(ours[connections]) / median(echo[connections]),
            target,
        )
        for connections, target in ((MANY, "≥ 0.45"), (FEW, "—"))
    ]
    rate = median(ours[MANY])
    return [
        *figures,
        Figure(
            f"durable POST submissions/s, {MANY} connections : the same node, batches of one (pool {pool})",
            f"{rate:,.0f}/s",
            f"{unbatched:,.0f}/s",
            rate / unbatched,
            "≥ 3",
        ),
    ]


async def posted(stack: Rig, url: str, connections: int) -> float:
    token = stack.issuer.token("server")
    seen = await load(url, "/v1/boards/arcade/scores", token=token, seconds=SECONDS, connections=connections)
    return float(seen["per_second"])


async def one_by_one(stack: Rig) -> tuple[int, float]:
    """The best pool size of a node that commits each submission by itself, and its rate."""
    rates = {}
    for pool in UNBATCHED_POOLS:
        async with stack.node(batch_size=1, batches_in_flight=pool) as alone:
            rates[pool] = median([await posted(stack, alone, MANY) for _ in range(3)])
    best = max(rates, key=lambda pool: rates[pool])
    return best, rates[best]


async def batches(stack: Rig) -> Figure:
    """Rows through the batch route against the bare statement, 500 rows each, one after the other on two connections."""
    plan = {
        "path": "/v1/boards/rows/scores/batch",
        "token": stack.issuer.token("server"),
        "kind": "batch",
        "connections": 2,
        "seconds": SECONDS,
    }
    ours, bare = [], []
    async with stack.worker(), stack.node() as url:
        await stack.board(url, "rows", columns=[{"name": "score"}], operator="latest")
        await load(url, **plan)
        await upserts(stack, 1.0)
        for _ in range(RUNS):
            ours.append((await load(url, **plan))["per_second"] * 500)
            bare.append(await upserts(stack, SECONDS))
    return Figure(
        "batch submissions, rows/s : bare 500-row upsert statement",
        f"{median(ours):,.0f}/s",
        f"{median(bare):,.0f}/s",
        median(ours) / median(bare),
        "≥ 0.5",
    )


async def upserts(stack: Rig, seconds: float) -> float:
    chance = random.Random(3)

    async def one() -> int:
        connection = await asyncpg.connect(stack.settings.database_url, timeout=30)
        until, rows = time.perf_counter() + seconds, 0
        while time.perf_counter() < until:
            # Sorted, or the two connections would deadlock.
            players = sorted(f"p{number}" for number in chance.sample(range(PLAYERS), 500))
            scores = [chance.randrange(10**9) for _ in players]
            keys = [(2**63 - 1 - score).to_bytes(8) + bytes(8) for score in scores]
            await connection.execute(UPSERT, players, keys, scores)
            rows += 500
        await connection.close()
        return rows

    started = time.perf_counter()
    done = sum(await asyncio.gather(one(), one()))
    return done / (time.perf_counter() - started)
