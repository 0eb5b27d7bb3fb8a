"""A process that tells of itself: to the others by heartbeats, to CloudWatch by lines of numbers."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from infra.metrics_emf import Emf, open_sink
from infra.readings import Between, Reading
from realtime.core.errors import RankcastError
from realtime.core.ports import Node

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from typing import Literal

    from prometheus_client.metrics_core import Metric

    from infra.settings import Settings
    from realtime.core.ports import Nodes

_LEAVING: Final = 0.5
"""Seconds in which a process that ends says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a process tells: `collect` gives its registry, `numbers` what of it goes into a heartbeat; `look` finds out before
    each beat what is not counted as it happens.
    """  # noqa: D205 - one thought

    collect: Callable[[], Iterable[Metric]]
    numbers: Callable[[Between], Mapping[str, float | None]]
    look: Callable[[], Awaitable[None]]


class Pulse:
    """Beats every `every` seconds, until cancelled; with `emf` it writes a line at least every `emf_every` seconds."""

    def __init__(
        self,
        node: Node,
        told: Told,
        nodes: Nodes,
        *,
        every: float,
        emf: Emf | None = None,
        emf_every: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.node = node
        """This process, as it last told of itself."""
        self._told = told
        self._nodes = nodes
        self._every = every
        self._emf = emf
        self._emf_every = emf_every
        self._clock = clock
        self._beaten = self._written = Reading(0.0)

    async def run(self) -> None:
        """Beat until cancelled. What cannot be told is not: the next beat is due soon."""
        self._beaten = self._written = self._read()
        try:
            while True:
                await self.beat()
                await asyncio.sleep(self._every)
        finally:
            self.write()
            with suppress(RankcastError, TimeoutError):
                async with asyncio.timeout(_LEAVING):
                    await self._nodes.leave(self.node.id)

    async def due(self) -> None:
        """Beat, if it is time: for who has no time of its own, as a function between two invocations."""
        if time.monotonic() - self._beaten.at >= self._every:
            await self.beat()

    async def beat(self) -> None:
        """Tell the others, and write a line where one is due."""
        with suppress(RankcastError):
            await self._told.look()
        reading = self._read()
        numbers = self._told.numbers(Between(self._beaten, reading))
        self._beaten = reading
        self.node = replace(self.node, seen=self._clock(), numbers=numbers)
        with suppress(RankcastError):
            await self._nodes.beat(self.node)
        if reading.at - self._written.at >= self._emf_every:
            self.write()

    def write(self) -> None:
        """Write what happened since the last line."""
        if self._emf is not None:
            reading = self._read()
            self._emf.tell(Between(self._written, reading))
            self._written = reading

    def _read(self) -> Reading:
        return Reading.of(self._told.collect(), time.monotonic())


def this_process(kind: Literal["node", "worker"], settings: Settings) -> Node:
    """The process that we are. Two of one address have different ids."""
    host = socket.gethostname()
    now = time.time()
    return Node(
        id=f"{host}-{secrets.token_hex(4)}",
        kind=kind,
        address=f"{host}:{settings.port}" if kind == "node" else host,
        started=now,
        seen=now,
        numbers={},
    )


def emf_of(node: Node, settings: Settings) -> Emf | None:
    """Who writes lines of numbers for CloudWatch; None where nobody asked for them. Raises SettingInvalid."""
    if not settings.emf_every:
        return None
    dimensions = {"AutoScalingGroupName": settings.group} if settings.group else {"Service": f"rankcast-{node.kind}"}
    return Emf(open_sink(settings.emf_endpoint), dimensions, {"Node": node.id, "Address": node.address})
