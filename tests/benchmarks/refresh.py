"""What a change costs the worker and Redis on a small and on a large board, and what a ranked view would cost instead."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import asyncpg

from infra.boards_postgres import PostgresBoards
from infra.postgres import open_pool
from infra.resources import worker_resources
from infra.submissions_postgres import PostgresSubmissions
from infra.warm_postgres import WarmConnections
from realtime.core import boarddoc
from realtime.core.fold import Submission
from tests.benchmarks.rig import Figure, median, rig
from workers.refreshing import Refresh

if TYPE_CHECKING:
    from realtime.core.model import Board
    from tests.benchmarks.rig import Rig

SMALL, LARGE = 10_000, 1_000_000
CHANGES = 20_000
RUNS = 3
FILL = """
INSERT INTO entry (player, board_id, season, seq, sort_key, c1)
SELECT 'p' || n, $1, 1, s, int8send(9223372036854775807 - c) || int8send(s), c
FROM (SELECT n, (random() * 1e9)::bigint AS c, nextval('change_seq') AS s FROM generate_series(1, $2::integer) AS n) AS rows
"""
RANKED = """
CREATE MATERIALIZED VIEW ranked AS
SELECT player, c1, rank() OVER (ORDER BY c1 DESC) AS rank FROM entry WHERE board_id = $1
"""


async def run() -> list[Figure]:
    async with rig() as stack, worker_resources(stack.settings) as resources:
        refresh = Refresh(resources.outbox, resources.ledger, resources.boards, resources.ranking)
        pool = await open_pool(stack.settings.database_url, size=4, seconds=600, writer=True)
        warm = WarmConnections(stack.settings.database_url, size=2, seconds=60)
        submissions = PostgresSubmissions(warm)
        small, large = await filled(pool, "small", SMALL), await filled(pool, "large", LARGE)
        started = time.perf_counter()
        while await refresh.step() or not await refresh.verify():
            await refresh.settle_rebuilds()
        rebuilt = time.perf_counter() - started
        costs: dict[str, list[float]] = {"small": [], "large": []}
        chance = random.Random(17)
        for _ in range(RUNS):
            for board, players in ((small, SMALL), (large, LARGE)):
                costs[board.name].append(await cost(submissions, refresh, board, players, chance))
        await refresh.close()
        view = await ranked_view(stack, large)
        await warm.close()
        await pool.close()
    before, after = median(costs["small"]), median(costs["large"])
    return [
        Figure(
            "refresh per change, worker and Redis: 1,000,000 players : 10,000 players",
            f"{after:.0f} µs",
            f"{before:.0f} µs",
            after / before,
            "≤ 2",
        ),
        Figure(
            "one change: refresh of ours : REFRESH … CONCURRENTLY of a full ranking, 1,000,000 players",
            f"{after / 1000:.3f} ms",
            f"{view * 1000:,.0f} ms",
            after / 1e6 / view,
            "—",
        ),
        Figure("rebuild from PostgreSQL of both boards, players/s", f"{(SMALL + LARGE) / rebuilt:,.0f}/s", "—", 0, "—"),
    ]


async def filled(pool: object, name: str, players: int) -> Board:
    board, _ = await PostgresBoards(pool).put(
        name, boarddoc.parse({"columns": [{"name": "score"}], "operator": "latest"})
    )
    await pool.execute(FILL, board.key.board, players)  # type: ignore[attr-defined]
    return board


async def cost(
    submissions: PostgresSubmissions, refresh: Refresh, board: Board, players: int, chance: random.Random
) -> float:
    """Microseconds a change, from the claim to the outbox row's end; the commits come before the clock starts."""
    for _ in range(CHANGES // 500):
        chosen = chance.sample(range(1, players + 1), 500)
        await submissions.submit(
            [Submission(board=board, player=f"p{one}", score=(chance.randrange(10**9),)) for one in chosen]
        )
    started = time.perf_counter()
    while await refresh.step():
        pass
    return (time.perf_counter() - started) / CHANGES * 1e6


async def ranked_view(stack: Rig, board: Board) -> float:
    """Seconds of a concurrent refresh after one change."""
    connection = await asyncpg.connect(stack.settings.database_url, timeout=30)
    await connection.execute(RANKED.replace("$1", str(board.key.board)))
    await connection.execute("CREATE UNIQUE INDEX ON ranked (player)")
    times = []
    for run_ in range(RUNS):
        await connection.execute(
            "UPDATE entry SET c1 = $2 WHERE board_id = $1 AND player = 'p7'", board.key.board, 10**9 + run_
        )
        started = time.perf_counter()
        await connection.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY ranked", timeout=600)
        times.append(time.perf_counter() - started)
    await connection.close()
    return median(times)
