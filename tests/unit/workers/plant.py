"""A refresh worker over a store and a ranking in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from infra.bus_memory import MemoryBus
from infra.ranking_memory import MemoryRanking
from infra.store_memory import (
    MemoryBoards,
    MemoryFallback,
    MemoryLedger,
    MemoryOutbox,
    MemoryPlayers,
    MemoryStore,
    MemorySubmissions,
)
from realtime.core.errors import RankingUnavailable
from realtime.core.model import WINDOW
from tests.contract.adapters import Stored
from tests.contract.sending import spec
from workers.refreshing import Refresh

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realtime.core.announcement import Origin
    from realtime.core.model import Board, BoardKey
    from realtime.core.outbox import Packed
    from realtime.core.window import Window

LEASE = 10.0


class WatchedRanking(MemoryRanking):
    """A ranking that can be away, counts its calls, and lets something happen before a step of a rebuild."""

    def __init__(self) -> None:
        super().__init__(MemoryBus())
        self.away = False
        self.away_for: BoardKey | None = None
        self.applied: list[int] = []
        self.before_mark: Callable[[], Awaitable[object]] | None = None
        self.before_load: Callable[[], Awaitable[object]] | None = None

    async def apply(self, key: BoardKey, epoch: int, changes: Sequence[Packed], origin: Origin | None = None) -> int:
        if self.away or key == self.away_for:
            raise RankingUnavailable("away")
        self.applied.append(len(changes))
        return await super().apply(key, epoch, changes, origin)

    async def holds(self, key: BoardKey, epoch: int) -> bool:
        if self.away:
            raise RankingUnavailable("away")
        return await super().holds(key, epoch)

    async def mark(self, key: BoardKey, epoch: int) -> bool:
        if self.before_mark is not None:
            act, self.before_mark = self.before_mark, None
            await act()
        return await super().mark(key, epoch)

    async def load(self, key: BoardKey, epoch: int, width: int, changes: Sequence[Packed]) -> bool:
        if self.before_load is not None:
            act, self.before_load = self.before_load, None
            await act()
        return await super().load(key, epoch, width, changes)


class Plant(Stored):
    def __init__(self) -> None:
        self.store = MemoryStore(clock=lambda: asyncio.get_running_loop().time())
        super().__init__(
            MemorySubmissions(self.store),
            MemoryBoards(self.store),
            MemoryPlayers(self.store),
            MemoryOutbox(self.store, LEASE),
            MemoryLedger(self.store),
            MemoryFallback(self.store),
            expire=lambda: asyncio.sleep(LEASE + 1),
            fail_over=self._fail_over,
        )
        self.ranking = WatchedRanking()
        self.refresh = self.worker()

    async def _fail_over(self) -> None:
        self.store.failed_over = True

    def worker(self) -> Refresh:
        """A worker; several may share the plant."""
        return Refresh(self.outbox, self.ledger, self.boards, self.ranking)

    async def board(self, name: str = "contest", **fields: Any) -> Board:
        """A board that the worker has brought into being."""
        board, _ = await self.boards.put(name, spec(**fields))
        await self.work()
        return board

    async def work(self, worker: Refresh | None = None) -> None:
        """Work until the outbox is empty."""
        worker = worker or self.refresh
        while self.store.outbox:
            await worker.step()
            await worker.settle_rebuilds()
            await asyncio.sleep(0.2)

    async def work_but(self, row: int) -> None:
        """Work until only this row is left, and held."""
        while list(self.store.outbox) != [row] or self.store.outbox[row].reason is None:
            await self.refresh.step()
            await self.refresh.settle_rebuilds()
            await asyncio.sleep(0.2)

    async def is_ranked_as_stored(self, board: Board) -> bool:
        """Whether the ranking holds, under the expected epoch, what the store holds."""
        epoch = self.store.epochs[board.key]
        window: Window = await self.ranking.top(board.key, board.spec.columns)
        state = await self.state(board)
        return (
            await self.ranking.holds(board.key, epoch)
            and window.rows == state.stretch(0, WINDOW)
            and window.total == state.total
        )
