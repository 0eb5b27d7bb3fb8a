from __future__ import annotations

from infra.bus_memory import MemoryBus
from realtime.core.model import BoardKey


async def test_who_listens_is_told_when_something_may_be_lost() -> None:
    bus, lost = MemoryBus(), []
    heard = [].append
    await bus.subscribe(BoardKey(1, 1), "top", heard, lambda: lost.append(1))
    await bus.subscribe(BoardKey(2, 1), "top", heard, lambda: lost.append(2))
    await bus.unsubscribe(BoardKey(1, 1), "top", heard)
    bus.lose()
    assert lost == [2]


def test_what_nobody_hears_is_said_in_vain() -> None:
    MemoryBus().publish(BoardKey(1, 1), "top", b"word")
