"""10,000 clients whose node drains come back to another one and resume: until the last is current, and what it costs that node.

The node that leaves is told to (SIGTERM) and spreads its clients over the window; the board moves on at the same moment, so that
everybody has something to catch up with. Beside it, the CPU of a plain Starlette that accepts as many and tells them nothing.
"""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import psutil

from tests.benchmarks.audience import LIVE, audience, port_of
from tests.benchmarks.hot import hot_board
from tests.benchmarks.rig import SERVER_CPU, Figure, full, off_the_server_core, peer_process, rig

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from tests.benchmarks.hot import Hot

CONNECTIONS = full(10_000, 1_000)
WINDOW = full(10, 4)
"""Seconds over which the node that leaves spreads the return."""
MISSED = 20
"""Versions made while they are away."""


async def run() -> list[Figure]:
    with off_the_server_core():
        async with rig() as stack, hot_board(stack, "hot") as hot:
            watch = hot.watch()
            again = json.dumps(watch | {"resume": {"epoch": "{epoch}", "version": "{version}"}})
            for field in ("{epoch}", "{version}"):
                again = again.replace(f'"{field}"', field)
            async with (
                stack.serving(cpu=SERVER_CPU) as (stays, process),
                stack.serving(drain_window=WINDOW) as (leaves, leaving),
                audience(
                    port_of(leaves),
                    CONNECTIONS,
                    **LIVE,
                    in_flight=CONNECTIONS,
                    say=[watch],
                    next=port_of(stays),
                    resume=again,
                ) as clients,
            ):
                before, started = cpu(process), time.monotonic_ns()
                leaving.send_signal(signal.SIGTERM)
                clients.tell(f"target {await missed(hot)}")
                seen = await clients.answer("current")
                used = cpu(process) - before
                await leaving.wait()
        async with peer_process(cpu=SERVER_CPU) as (url, other):
            before = cpu(other)
            async with audience(port_of(url), CONNECTIONS, path="/viewers", in_flight=64):
                accepted = cpu(other) - before
    if seen["gaps"]:
        raise RuntimeError(f"{seen['gaps']} clients had a gap or a repeat")
    last = (int(seen["last_ns"]) - started) / 1e9
    return [
        Figure(
            f"{CONNECTIONS:,} come back after a drain over {WINDOW} s ({seen['resumed']:,} resumed, {seen['snapshots']:,} by "
            "snapshot): CPU of the node : a Starlette that accepts as many",
            f"{used:.2f} s",
            f"{accepted:.2f} s",
            used / accepted,
            "—",
        ),
        Figure(
            "the same: from the signal until the last is current", f"{last:.2f} s", f"{WINDOW} s", last / WINDOW, "—"
        ),
        Figure(
            "the same: one client, from its connect until it is current, p50, p99, slowest",
            f"{seen['p50_ms']:.1f} ms, {seen['p99_ms']:.1f} ms, {seen['max_ms']:.1f} ms",
            "—",
            0,
            "—",
        ),
    ]


async def missed(hot: Hot) -> int:
    """The version that everybody is to reach."""
    for _ in range(MISSED - 1):
        await hot.lead()
    return await hot.lead()


def cpu(process: Process) -> float:
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)
