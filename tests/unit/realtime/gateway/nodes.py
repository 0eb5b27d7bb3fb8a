"""Two nodes over one ranking: each hears it on a bus of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.realtime.gateway.world import LeakyBus, World

if TYPE_CHECKING:
    from realtime.core.model import BoardKey
    from realtime.core.ports import Channel


class _Fork(LeakyBus):
    def __init__(self, buses: list[LeakyBus]) -> None:
        super().__init__()
        self._buses = buses

    def publish(self, key: BoardKey, channel: Channel, announcement: bytes) -> None:
        for bus in self._buses:
            bus.publish(key, channel, announcement)


def beside(world: World) -> World:
    """Another node, over the same store and ranking."""
    other = LeakyBus()
    # The ranking announces on the first node's bus: from now on on both.
    world.ranking._bus = _Fork([world.bus, other])
    return World(bus=other, ranking=world.ranking, store=world.store)
