"""One board of a ranking, as the ranking's suites speak of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime.core import announcement
from realtime.core.model import BoardKey
from tests.changes import COLUMNS, packed, ranked

if TYPE_CHECKING:
    from realtime.core.announcement import Moved, TopChanged
    from realtime.core.model import Change
    from tests.contract.adapters import Ranked

KEY = BoardKey(7, 1)
EPOCH = 5


async def apply(board: Ranked, *changes: Change, epoch: int = EPOCH) -> int:
    return await board.ranking.apply(KEY, epoch, packed(changes))


async def players(board: Ranked) -> list[str]:
    return [row.player for row in (await board.ranking.top(KEY, COLUMNS)).rows]


async def last_top(board: Ranked) -> TopChanged:
    return announcement.decode_top(COLUMNS, (await board.announced(KEY))[-1].top)


async def last_moves(board: Ranked) -> Moved:
    return announcement.decode_moves((await board.announced(KEY))[-1].moves)


def crowd(count: int) -> list[Change]:
    """p0 is the best, each next one point behind."""
    return [ranked(f"p{n}", 10_000 - n, seq=n + 1) for n in range(count)]
