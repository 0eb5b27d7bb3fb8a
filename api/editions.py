"""By which edition of a board's document the ranks of an epoch are shown."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from realtime.core.model import Board, BoardKey
    from realtime.gateway.directory import Directory

_LIMIT: Final = 10_000


class Editions:
    """Whoever edits a board raises its epoch: with each new epoch its document is read again, and then stands for it."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._seen: OrderedDict[BoardKey, tuple[int, int]] = OrderedDict()

    async def of(self, board: Board, epoch: int) -> tuple[Board, bool]:
        """The board to show ranks of `epoch` by, and whether the two are known to belong together.

        They do not while an edit waits for the ranking: nobody may keep such an answer. Raises BoardUnknown,
        StoreUnavailable.
        """
        seen = self._seen.get(board.key)
        if seen is None or epoch > seen[0]:
            self._directory.forget(board.name)
            board = await self._directory.get(board.name)
            seen = self._seen[board.key] = max((epoch, board.revision), self._seen.get(board.key, (0, 0)))
            self._seen.move_to_end(board.key)
            if len(self._seen) > _LIMIT:
                self._seen.popitem(last=False)
        return board, seen == (epoch, board.revision)
