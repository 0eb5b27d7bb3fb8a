from __future__ import annotations

from infra.bus_memory import MemoryBus
from infra.ranking_memory import STREAM_ENTRIES, MemoryRanking
from realtime.core.model import BoardKey
from tests.changes import WIDTH, packed, ranked

KEY = BoardKey(1, 1)


async def test_the_stream_keeps_only_so_much() -> None:
    ranking = MemoryRanking(MemoryBus())
    await ranking.mark(KEY, 1)
    await ranking.swap(KEY, 1, WIDTH)
    for seq in range(1, STREAM_ENTRIES + 50):
        await ranking.apply(KEY, 1, packed([ranked("ada", seq, seq=seq)]))
    announced = ranking.announced(KEY)
    assert len(announced) == STREAM_ENTRIES
    assert announced[-1].id == f"1-{STREAM_ENTRIES + 50}"
