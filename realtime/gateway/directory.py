"""Boards as a node knows them: looked up once, kept for a moment."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from realtime.core.errors import BoardUnknown, StoreUnavailable

if TYPE_CHECKING:
    from realtime.core.model import Board
    from realtime.core.ports import Boards

KEPT: Final = 2.0
"""Seconds for which a board is taken as read. A write checks the revision in its transaction, whatever this holds."""
USABLE: Final = 300.0
"""Seconds for which it may still answer reads while the store is away."""
_LIMIT: Final = 10_000


class Directory:
    """Board by name. Many callers at once ask the store once."""

    def __init__(self, boards: Boards) -> None:
        self._boards = boards
        self._known: OrderedDict[str, tuple[float, Board | None]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Board | None]] = {}

    def known(self, name: str) -> Board | None:
        """The board if it was looked up a moment ago; never waits."""
        found = self._known.get(name)
        if found is None or found[1] is None or found[0] < _now() - KEPT:
            return None
        return found[1]

    async def get(self, name: str) -> Board:
        """The board. Raises BoardUnknown, StoreUnavailable."""
        found = self._known.get(name)
        if found is None or found[0] < _now() - KEPT:
            task = self._asking.get(name)
            if task is None:
                task = self._asking[name] = asyncio.create_task(self._ask(name))
            try:
                board = await asyncio.shield(task)
            except StoreUnavailable:
                if found is None or found[0] < _now() - USABLE:
                    raise
                board = found[1]
        else:
            board = found[1]
        if board is None:
            raise BoardUnknown(f"there is no board {name!r}")
        return board

    async def _ask(self, name: str) -> Board | None:
        board: Board | None
        asking = asyncio.current_task()
        try:
            board = await self._boards.get(name)
        except BoardUnknown:
            board = None
        finally:
            current = self._asking.get(name) is asking
            if current:
                del self._asking[name]
        if current:
            self._known[name] = _now(), board
            self._known.move_to_end(name)
            if len(self._known) > _LIMIT:
                self._known.popitem(last=False)
        return board

    def forget(self, name: str) -> None:
        """Look it up afresh next time; what is being asked now may be from before, and counts for who asked it alone."""
        self._asking.pop(name, None)
        if name in self._known:
            at, board = self._known[name]
            # Too old to be taken as read, still usable while the store is away.
            self._known[name] = min(at, _now() - KEPT - 1), board


def _now() -> float:
    return asyncio.get_running_loop().time()
