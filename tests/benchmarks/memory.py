"""Resident memory of the server per connection that is subscribed and idle, beside uvicorn with Starlette.

A fresh server each time, warmed by a few connections. Counted is what its process holds more when all are there than before.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psutil

from tests.benchmarks.audience import LIVE, audience, port_of
from tests.benchmarks.hot import hot_board
from tests.benchmarks.rig import SERVER_CPU, Figure, full, off_the_server_core, peer_process, rig

if TYPE_CHECKING:
    from asyncio.subprocess import Process

CONNECTIONS = full(10_000, 2_000)
WARM = 50
SETTLED = 1.0
"""Seconds after the last has come: an answer that is still being freed is not idle."""
KINDS = (("in turn", 1, "≤ 2.5 KB"), ("in a storm of all at once", CONNECTIONS, "≤ 5 KB"))


async def run() -> list[Figure]:
    figures = []
    with off_the_server_core():
        async with rig() as stack, hot_board(stack, "hot") as hot:
            for kind, in_flight, target in KINDS:
                async with stack.serving(cpu=SERVER_CPU) as (url, process):
                    ours = await held(process, url, in_flight, **LIVE, say=[hot.watch()])
                async with peer_process(cpu=SERVER_CPU) as (url, process):
                    theirs = await held(process, url, in_flight, path="/viewers")
                figures.append(
                    Figure(
                        f"memory per idle connection, {CONNECTIONS:,} that came {kind} : uvicorn with Starlette",
                        f"{ours:.2f} KB",
                        f"{theirs:.2f} KB",
                        ours / theirs,
                        target,
                    )
                )
    return figures


async def held(process: Process, url: str, in_flight: int, **plan: Any) -> float:
    """Kilobytes a connection."""
    server = psutil.Process(process.pid)
    async with audience(port_of(url), WARM, **plan):
        pass
    await asyncio.sleep(SETTLED)
    before = server.memory_info().rss
    async with audience(port_of(url), CONNECTIONS, in_flight=in_flight, **plan):
        await asyncio.sleep(SETTLED)
        return float(server.memory_info().rss - before) / CONNECTIONS / 1024
