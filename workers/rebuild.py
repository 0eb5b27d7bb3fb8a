"""Makes a board's ranking anew from the store, while changes go on.

The shadow is marked before the store's snapshot is taken: from the mark on, the script applies each change to both, by the
same newer-only rule, so that a change is in the snapshot, in the shadow, or still in the outbox; then one script swaps.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from realtime.core import sortkey

if TYPE_CHECKING:
    from realtime.core.model import BoardKey
    from realtime.core.ports import Boards, Ledger, Ranking

_CHUNK: Final = 500


async def rebuild(key: BoardKey, boards: Boards, ledger: Ledger, ranking: Ranking) -> bool:
    """Bring a board's ranking to a new epoch, unless it is whole under the expected one.

    False: somebody else is at it, or Redis lost the shadow meanwhile; try again. Raises RankingUnavailable and
    StoreUnavailable.
    """
    async with ledger.rebuilding(key) as mine:
        if not mine:
            return False
        expected = (await ledger.epochs([key])).get(key)
        if expected is None:
            await ranking.drop(key)
            return True
        if await ranking.holds(key, expected):
            return True
        epoch = await ledger.new_epoch(key)
        # Only now: an edit that comes later than this look draws an epoch above ours.
        board = (await boards.by_keys([key])).get(key)
        if board is None or not await ranking.mark(key, epoch):
            return False
        width = sortkey.width(board.spec.columns)
        async with aclosing(ledger.snapshot(key)) as snapshot:
            async for rows in snapshot:
                for start in range(0, len(rows), _CHUNK):
                    if not await ranking.load(key, epoch, width, rows[start : start + _CHUNK]):
                        return False
        return await ranking.swap(key, epoch, width)
