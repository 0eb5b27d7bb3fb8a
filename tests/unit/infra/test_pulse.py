from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from infra.metrics_emf import Emf
from infra.nodes_memory import MemoryNodes
from infra.pulse import Pulse, Told, emf_of, this_process
from infra.settings import Settings
from realtime.core.errors import RankingUnavailable, SettingInvalid, StoreUnavailable
from realtime.core.ports import Node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.readings import Between

URLS: Any = dict.fromkeys(("database_url", "redis_url", "issuer", "jwks_url"), "")
NODE = Node(id="a", kind="node", address="a:1", started=1.0, seen=1.0, numbers={})


class Teller:
    """A process with one number; it finds out how far it is before each beat."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.deliveries = Counter("rankcast_deliveries", "Frames", registry=self.registry)
        self.looks = 0
        self.away = False
        self.lines: list[bytes] = []
        self.told = Told(collect=self.registry.collect, numbers=self.numbers, look=self.look)

    async def look(self) -> None:
        self.looks += 1
        if self.away:
            raise StoreUnavailable("away")

    def numbers(self, between: Between) -> Mapping[str, float | None]:
        return {"deliveries": between.more("rankcast_deliveries_total")}

    def write(self, line: bytes) -> None:
        self.lines.append(line)

    def close(self) -> None:
        pass

    def pulse(self, nodes: Any, **changes: Any) -> Pulse:
        given: dict[str, Any] = {"every": 5.0, "clock": lambda: 100.0}
        return Pulse(NODE, self.told, nodes, **given | changes)


class Away(MemoryNodes):
    async def beat(self, _: Node) -> None:
        raise RankingUnavailable("away")

    async def leave(self, _: str) -> None:
        raise RankingUnavailable("away")


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_process_tells_at_once_and_then_every_few_seconds_what_came_since() -> None:
    teller, nodes = Teller(), MemoryNodes(5.0)
    pulse = teller.pulse(nodes)
    task = asyncio.create_task(pulse.run())
    await asyncio.sleep(0.1)
    assert await nodes.all(100.0) == [dataclasses.replace(NODE, seen=100.0, numbers={"deliveries": 0.0})]
    teller.deliveries.inc(7)
    await asyncio.sleep(5)
    assert [node.numbers for node in await nodes.all(100.0)] == [{"deliveries": 7.0}]
    assert pulse.node.numbers == {"deliveries": 7.0}
    await asyncio.sleep(5)
    assert (pulse.node.numbers, teller.looks) == ({"deliveries": 0.0}, 3)
    await ended(task)
    assert await nodes.all(100.0) == [], "it said that it ends"


async def test_it_goes_on_while_nobody_can_be_told_or_asked() -> None:
    teller = Teller()
    teller.away = True
    pulse = teller.pulse(Away(5.0))
    task = asyncio.create_task(pulse.run())
    await asyncio.sleep(0.1)
    teller.deliveries.inc(3)
    await asyncio.sleep(5)
    assert pulse.node.numbers == {"deliveries": 3.0}
    await ended(task)


async def test_lines_have_their_own_time_and_the_last_one_is_written_at_the_end() -> None:
    """They tell what came since the last line, not since the last beat."""
    teller = Teller()
    pulse = teller.pulse(MemoryNodes(5.0), emf=Emf(teller, {"Service": "s"}, {}), emf_every=0.0)
    task = asyncio.create_task(pulse.run())
    await asyncio.sleep(0.1)
    assert len(teller.lines) == 1
    # Lines are due by the machine's clock, which does not turn with the loop's.
    pulse._emf_every = 1e9
    teller.deliveries.inc(2)
    await asyncio.sleep(10)
    assert len(teller.lines) == 1
    teller.deliveries.inc(1)
    pulse._emf_every = 0.0
    await asyncio.sleep(5)
    assert len(teller.lines) == 2
    teller.deliveries.inc(4)
    await ended(task)
    told = [json.loads(line) for line in teller.lines]
    assert all(one["DeliveriesPerSecond"] > 0 for one in told[1:])
    assert len(told) == 3


async def test_who_has_no_time_of_its_own_beats_where_it_is_due() -> None:
    teller, nodes = Teller(), MemoryNodes(5.0)
    pulse = teller.pulse(nodes)
    await pulse.due()
    await pulse.due()
    assert teller.looks == 1
    pulse._every = 0.0
    await pulse.due()
    assert teller.looks == 2


def test_two_processes_of_one_address_are_two() -> None:
    settings = Settings(**URLS, port=8099)
    one, other = this_process("node", settings), this_process("node", settings)
    assert one.address == other.address
    assert one.address.endswith(":8099")
    assert one.id != other.id
    assert ":" not in this_process("worker", settings).address


def test_lines_are_written_where_they_are_asked_for_by_the_group_where_there_is_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert emf_of(NODE, Settings(**URLS)) is None
    teller = Teller()
    for group, dimension in (("g", {"AutoScalingGroupName": "g"}), ("", {"Service": "rankcast-node"})):
        emf = emf_of(NODE, Settings(**URLS, emf_every=15.0, group=group))
        assert emf is not None
        teller.pulse(MemoryNodes(5.0), emf=emf).write()
        said = json.loads(capsys.readouterr().out)
        assert said.items() >= (dimension | {"Node": "a", "Address": "a:1"}).items()
        assert said["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [list(dimension)]
    with pytest.raises(SettingInvalid):
        emf_of(NODE, Settings(**URLS, emf_every=15.0, emf_endpoint="nowhere"))
