"""A board whose changes a benchmark makes itself, one version a call, by the script that the worker would call."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.postgres import open_pool
from infra.resources import worker_resources
from realtime.core import boarddoc, record, sortkey
from realtime.core.model import Change
from tests.benchmarks.refresh import filled
from workers.refreshing import Refresh

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from infra.ranking_redis import RedisRanking
    from realtime.core.model import Board
    from realtime.core.window import Window
    from tests.benchmarks.rig import Rig

LEADERS = 6
"""Players whose scores a `lead` changes: a delta of about 400 bytes to the top 10."""
_FIRST_SEQ = 10**9


@dataclass(slots=True)
class Hot:
    board: Board
    ranking: RedisRanking
    epoch: int
    seq: int = _FIRST_SEQ
    leads: int = 0

    async def apply(self, scores: Iterable[tuple[str, tuple[int, ...], bytes]]) -> int:
        """Players get scores (and display data) in one step; the version that they made."""
        columns, changes = self.board.spec.columns, []
        for player, score, display in scores:
            self.seq += 1
            change = Change(player, self.seq, sortkey.encode(columns, score, self.seq), self.seq, display)
            changes.append((player.encode(), record.pack(change)))
        return await self.ranking.apply(self.board.key, self.epoch, changes)

    async def lead(self) -> int:
        """The leaders' scores rise, their order stays: every frame of it has the same size. The version."""
        self.leads += 1
        scores = ((10 - place) * 10**12 + self.leads for place in range(LEADERS))
        return await self.apply((f"leader{place}", (score,), record.NO_DISPLAY) for place, score in enumerate(scores))

    async def window(self) -> Window:
        return await self.ranking.top(self.board.key, self.board.spec.columns)

    def watch(self, limit: int = 10) -> dict[str, Any]:
        """The message that watches its top."""
        return {"op": "subscribe", "id": 1, "board": self.board.name, "view": "top", "limit": limit}


ONE_COLUMN: dict[str, Any] = {"columns": [{"name": "score"}], "operator": "latest"}


@contextlib.asynccontextmanager
async def hot_board(
    stack: Rig, name: str, players: int = 0, document: dict[str, Any] | None = None
) -> AsyncIterator[Hot]:
    """A board that is ranked in Redis. `players` (p1, p2, …) have random scores under 10^9; no worker is to run beside."""
    pool = await open_pool(stack.settings.database_url, size=2, seconds=600, writer=True)
    async with worker_resources(stack.settings) as resources:
        if players:
            board = await filled(pool, name, players)
        else:
            board, _ = await resources.boards.put(name, boarddoc.parse(document or ONE_COLUMN))
        refresh = Refresh(resources.outbox, resources.ledger, resources.boards, resources.ranking)
        while await refresh.step() or not await refresh.verify():
            await refresh.settle_rebuilds()
        await refresh.close()
        await pool.close()
        epoch, _ = await resources.ranking.position(board.key)
        one = Hot(board, resources.ranking, epoch)
        if document is None:
            await one.lead()
        yield one
