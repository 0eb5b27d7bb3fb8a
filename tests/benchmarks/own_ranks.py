"""The node's CPU while 10,000 players each watch their own rank on a board of 1,000,000 under 1,000 changes a second.

Beside it what the sends alone would cost: the frames that came, each at the price of a `send()` in a bare C loop to as many
connections, measured in the same run.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import psutil

from realtime.core import record
from tests.benchmarks.audience import LIVE, audience, port_of
from tests.benchmarks.fanout import cost
from tests.benchmarks.hot import hot_board
from tests.benchmarks.rig import SERVER_CPU, Figure, full, off_the_server_core, rig
from tests.benchmarks.rivals import floor

if TYPE_CHECKING:
    from tests.benchmarks.hot import Hot

PLAYERS = full(1_000_000, 50_000)
WATCHERS = full(10_000, 1_000)
CHANGES = 50
"""In one version."""
VERSIONS = 20
"""A second: 1,000 changes."""
SECONDS = full(20, 5)
SIZE = 300
"""About what a rank takes."""


async def run() -> list[Figure]:
    with off_the_server_core():
        async with floor(SIZE) as loop, audience(loop.port, WATCHERS, in_flight=64, **loop.plan) as many:
            price = (await cost(loop, many)).server
        async with rig() as stack, hot_board(stack, "hot", players=PLAYERS) as hot:
            watch = {"op": "subscribe", "id": 1, "board": "hot", "view": "player", "player": "p{n}"}
            async with (
                stack.serving(cpu=SERVER_CPU) as (url, process),
                audience(port_of(url), WATCHERS, in_flight=64, **LIVE, say=[watch]) as players,
            ):
                await players.report()
                node = psutil.Process(process.pid)
                used = sum(node.cpu_times()[:2])
                seconds = await changes(hot)
                share = (sum(node.cpu_times()[:2]) - used) / seconds
                frames = (await players.report())["messages"] / seconds
    sends = frames * price / 1e6
    return [
        Figure(
            f"{WATCHERS:,} watch their own rank, board of {PLAYERS:,}, {CHANGES * VERSIONS:,} changes/s, "
            f"{frames:,.0f} frames/s: share of a core : the sends alone, C loop",
            f"{share:.1%}",
            f"{sends:.1%}",
            share / sends if sends else 0,
            "—",
        ),
        Figure("the same, beside what the sends cost", f"{share - sends:.1%} of a core", "—", 0, "—"),
    ]


async def changes(hot: Hot) -> float:
    """Random players get random scores, at the pace; the seconds it took."""
    loop, chance = asyncio.get_running_loop(), random.Random(23)
    started = loop.time()
    for version in range(SECONDS * VERSIONS):
        await asyncio.sleep(max(0.0, started + version / VERSIONS - loop.time()))
        movers = chance.sample(range(1, PLAYERS + 1), CHANGES)
        await hot.apply((f"p{player}", (chance.randrange(10**9),), record.NO_DISPLAY) for player in movers)
    return loop.time() - started
