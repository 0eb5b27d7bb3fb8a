"""What a delivery of the same 400 bytes costs the server, to 1,000 and to 10,000 connections, beside everybody else's.

Ours is a real node with its Valkey and PostgreSQL: each fan-out is a version that the apply script announces, heard over
pub/sub, made into a delta and sent; the rivals send bytes that they hold. Counted is user and system time of all processes of
the server (ours: the API node), whose one core nobody else uses; beside it the wall time from the order to the last viewer's
last byte, and the CPU of the whole machine, clients included, for what the kernel moves elsewhere. All servers run and keep
their audiences at the same time and take turns. Each run has servers of its own: where the kernel has put one's memory makes a
fifth more or less, for as long as it lives. Ours pings its clients every 25 s meanwhile, the rivals never.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from tests.benchmarks.audience import LIVE, Audience, audience, port_of
from tests.benchmarks.hot import hot_board
from tests.benchmarks.rig import SERVER_CPU, Figure, full, median, off_the_server_core, rig
from tests.benchmarks.rivals import RIVALS, Missing, Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RUNS = full(5, 2)
DELIVERIES = full(200_000, 40_000)
"""In one run of one server."""
TARGETS = {
    1_000: {"uWebSockets": "≤ 0.90", "C loop of send()": "≤ 1.15"},
    10_000: {"uWebSockets": "≤ 0.80", "C loop of send()": "≤ 1.10"},
}
CONNECTIONS = {1_000: full(1_000, 500), 10_000: full(10_000, 2_000)}


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU a delivery, of the server and of the machine, and milliseconds of a fan-out."""

    server: float
    machine: float
    wall: float

    def __str__(self) -> str:
        return f"{self.server:.2f} µs ({self.wall:.1f} ms, {self.machine:.1f} µs)"


@dataclass(slots=True)
class Match:
    """Everybody who sends, and who could not be had."""

    ours: Server
    rivals: list[Server]
    missing: list[str]
    size: int


async def run() -> list[Figure]:
    figures = []
    missing: dict[str, None] = {}
    with off_the_server_core():
        for connections in TARGETS:
            figures += await compared(connections, missing)
    return figures + [Figure("fan-out", "—", f"not on this machine: {name}", 0, "—") for name in missing]


@contextlib.asynccontextmanager
async def match() -> AsyncIterator[Match]:
    """Our node, and every rival that is to be had, which sends as many bytes as we do."""
    async with contextlib.AsyncExitStack() as opened:
        stack = await opened.enter_async_context(rig())
        hot = await opened.enter_async_context(hot_board(stack, "hot"))
        node = stack.serving(cpu=SERVER_CPU, tick_ms=1, check_every=3600)
        url, process = await opened.enter_async_context(node)
        ours = Server("Rankcast", process, port_of(url), hot.lead, LIVE | {"say": [hot.watch()]})
        async with audience(ours.port, 1, **ours.plan) as one:
            await once(ours, one)
            size = one.seen["bytes"] - 4
        rivals, missing = [], []
        for start in RIVALS:
            try:
                rivals.append(await opened.enter_async_context(start(size)))
            except Missing as error:
                missing.append(str(error))
        yield Match(ours, rivals, missing, size)


async def compared(asked: int, missing: dict[str, None]) -> list[Figure]:
    """Every run's costs, the middle one of each server; adds who could not be had."""
    costs: dict[str, list[Cost]] = {}
    size = 0
    for _ in range(RUNS):
        async with match() as everybody:
            size = everybody.size
            missing.update(dict.fromkeys(everybody.missing))
            for name, seen in (await taking_turns([everybody.ours, *everybody.rivals], CONNECTIONS[asked])).items():
                costs.setdefault(name, []).append(seen)
    ours, *rivals = ((name, middle(seen)) for name, seen in costs.items())
    return [
        Figure(
            f"{size} B to {asked:,}: CPU a delivery (wall of all, whole machine) : {name}",
            str(ours[1]),
            str(theirs),
            ours[1].server / theirs.server,
            TARGETS[asked].get(name, "—"),
        )
        for name, theirs in rivals
    ]


async def taking_turns(servers: list[Server], connections: int) -> dict[str, Cost]:
    async with contextlib.AsyncExitStack() as opened:
        audiences = [
            await opened.enter_async_context(audience(server.port, connections, in_flight=64, **server.plan))
            for server in servers
        ]
        for server, watching in zip(servers, audiences, strict=True):
            await once(server, watching)
        return {server.name: await cost(server, watching) for server, watching in zip(servers, audiences, strict=True)}


async def once(server: Server, watching: Audience) -> float:
    """One fan-out, seen by every viewer exactly once; its milliseconds."""
    watching.tell("expect 1")
    started = time.monotonic_ns()
    await server.send()
    seen = await watching.answer("got")
    if seen["uneven"]:
        raise RuntimeError(f"{server.name}: {seen['uneven']} viewers did not get exactly one message")
    return (int(seen["last_ns"]) - started) / 1e6


async def cost(server: Server, watching: Audience) -> Cost:
    rounds = DELIVERIES // watching.connections
    before, machine = server.cpu(), machine_cpu()
    walls = [await once(server, watching) for _ in range(rounds)]
    deliveries = rounds * watching.connections
    return Cost((server.cpu() - before) / deliveries * 1e6, (machine_cpu() - machine) / deliveries * 1e6, median(walls))


def machine_cpu() -> float:
    """Seconds that all cores have worked, from /proc/stat."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def middle(costs: list[Cost]) -> Cost:
    return Cost(*(median([getattr(cost, part) for cost in costs]) for part in ("server", "machine", "wall")))
