"""What the contract does not say (`tests/contract/test_nodes.py`)."""

from __future__ import annotations

from infra.nodes_memory import MemoryNodes
from realtime.core.ports import Node


async def test_each_has_its_own() -> None:
    one, other = MemoryNodes(5.0), MemoryNodes(5.0)
    await one.beat(Node(id="a", kind="node", address="a:1", started=1.0, seen=2.0, numbers={}))
    assert len(await one.all(2.0)) == 1
    assert await other.all(2.0) == []
