from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from realtime.core.ports import Node

if TYPE_CHECKING:
    from realtime.core.ports import Nodes

NOW = 1_760_000_000.5
ADA = Node(id="ada-1", kind="node", address="ada:8080", started=NOW - 60, seen=NOW, numbers={"connections": 5.0})
BOB = Node(id="bob-2", kind="worker", address="bob", started=NOW - 90, seen=NOW - 3, numbers={"lag_p50": None})


def later(node: Node, seconds: float) -> Node:
    return dataclasses.replace(node, seen=node.seen + seconds, numbers={"connections": seconds})


async def test_who_beats_is_there_in_the_order_of_their_starts(nodes: Nodes) -> None:
    assert await nodes.all(NOW) == []
    await nodes.beat(ADA)
    await nodes.beat(BOB)
    assert await nodes.all(NOW) == [BOB, ADA]


async def test_a_beat_takes_the_place_of_the_one_before(nodes: Nodes) -> None:
    await nodes.beat(ADA)
    await nodes.beat(later(ADA, 5))
    assert await nodes.all(NOW + 5) == [later(ADA, 5)]


async def test_who_is_not_heard_of_for_four_beats_is_missed(nodes: Nodes) -> None:
    await nodes.beat(ADA)
    await nodes.beat(BOB)
    assert await nodes.all(NOW + 17) == [BOB, ADA]
    assert await nodes.all(NOW + 17.5) == [ADA]
    assert await nodes.all(NOW) == [ADA], "and is cleared away"
    await nodes.beat(later(BOB, 20))
    assert await nodes.all(NOW + 20) == [later(BOB, 20), ADA]


async def test_who_leaves_is_not_there_and_not_twice(nodes: Nodes) -> None:
    await nodes.beat(ADA)
    await nodes.leave(ADA.id)
    await nodes.leave(ADA.id)
    assert await nodes.all(NOW) == []
