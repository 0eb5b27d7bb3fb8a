"""The processes of this service where there is only one: this."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from infra.nodes_redis import LOST

if TYPE_CHECKING:
    from realtime.core.ports import Node


class MemoryNodes:
    """The port `Nodes`; a beat is due every `every` seconds."""

    def __init__(self, every: float) -> None:
        self._patience = LOST * every
        self._nodes: dict[str, Node] = {}

    async def beat(self, node: Node) -> None:
        """See the port."""
        self._nodes[node.id] = node

    async def leave(self, node: str) -> None:
        """See the port."""
        self._nodes.pop(node, None)

    async def all(self, now: float) -> list[Node]:
        """See the port."""
        self._nodes = {name: node for name, node in self._nodes.items() if node.seen >= now - self._patience}
        return sorted(self._nodes.values(), key=attrgetter("started", "id"))
