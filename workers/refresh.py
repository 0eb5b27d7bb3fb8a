"""From the outbox to the ranking: the refresh.

Rows are claimed by lease, grouped by board, applied in batches by one script each, and go when every board in them has
taken its changes. All of it may happen twice: a batch that is already in changes nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from realtime.core import outbox as payloads
from realtime.core.errors import RankingRefused, RankingUnavailable, StoreUnavailable
from workers.rebuild import rebuild

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from realtime.core.model import BoardKey
    from realtime.core.outbox import Packed
    from realtime.core.ports import Boards, Ledger, Outbox, Ranking

BATCH: Final = 250
"""Changes of one script call: about 4 ms of Redis."""
CLAIM: Final = 32
"""Outbox rows taken at once."""
RETRY: Final = 0.1
_REBUILDS: Final = 2

log = structlog.get_logger()


@dataclass(slots=True)
class Refresh:
    """Applies what was committed. One object a process; `applied` counts changes handed to the script."""

    outbox: Outbox
    ledger: Ledger
    boards: Boards
    ranking: Ranking
    applied: int = 0
    _epochs: dict[BoardKey, int] = field(default_factory=dict)
    _touched: dict[BoardKey, int] = field(default_factory=dict)
    _rebuilding: dict[BoardKey, asyncio.Task[None]] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_REBUILDS))

    async def step(self) -> bool:
        """Claim and apply once; whether there was anything. Raises StoreUnavailable and RankingUnavailable."""
        rows = await self.outbox.claim(CLAIM)
        if not rows:
            return False
        groups: dict[BoardKey, list[Packed]] = {}
        boards: dict[int, set[BoardKey]] = {row: set() for row, _ in rows}
        for row, payload in rows:
            for key, changes in payloads.decode(payload):
                if not changes:
                    # A notice that the board was made, edited or deleted: look at it afresh.
                    self._epochs.pop(key, None)
                groups.setdefault(key, []).extend(changes)
                boards[row].add(key)
        taken: set[BoardKey] = set()
        try:
            for key, changes in groups.items():
                if await self._take(key, changes):
                    taken.add(key)
        finally:
            # What could not be applied is not left to its lease: the ranking may be back in a moment.
            await self._close(boards, taken)
        return True

    async def _close(self, boards: Mapping[int, set[BoardKey]], taken: set[BoardKey]) -> None:
        """Settle the rows whose boards have all taken their changes, release the others."""
        done = [row for row, keys in boards.items() if keys <= taken]
        waiting = [row for row, keys in boards.items() if not keys <= taken]
        if done:
            await self.outbox.settle(done)
        if waiting:
            await self.outbox.release(waiting, RETRY)

    async def _take(self, key: BoardKey, changes: Sequence[Packed]) -> bool:
        """Whether the board has taken all of it; if not, a rebuild is under way."""
        if key in self._rebuilding:
            return False
        try:
            await self._apply(key, changes)
        except RankingRefused as refusal:
            self._epochs.pop(key, None)
            log.info("ranking refused", board=key.board, season=key.season, reason=refusal.reason)
            self.start_rebuild(key)
            return False
        return True

    async def _apply(self, key: BoardKey, changes: Sequence[Packed]) -> None:
        epoch = self._epochs.get(key)
        if epoch is None:
            epoch = (await self.ledger.epochs([key])).get(key)
            if epoch is None:
                await self.ranking.drop(key)
                return
            self._epochs[key] = epoch
        for start in range(0, max(len(changes), 1), BATCH):
            await self.ranking.apply(key, epoch, changes[start : start + BATCH])
        self.applied += len(changes)
        await self._touch(key, changes)

    async def _touch(self, key: BoardKey, changes: Sequence[Packed]) -> None:
        minute = int(asyncio.get_running_loop().time() // 60)
        if changes and self._touched.get(key) != minute:
            self._touched[key] = minute
            await self.ledger.touch([key])

    def start_rebuild(self, key: BoardKey) -> None:
        """Rebuild a board in the background; the others go on."""
        if key not in self._rebuilding:
            self._rebuilding[key] = asyncio.create_task(self._rebuild(key))

    async def _rebuild(self, key: BoardKey) -> None:
        try:
            async with self._slots:
                board = (await self.boards.by_keys([key])).get(key)
                if board is None:
                    await self.ranking.drop(key)
                else:
                    done = await rebuild(board, self.ledger, self.ranking)
                    log.info("rebuilt" if done else "rebuild put off", board=key.board, season=key.season)
        except (RankingUnavailable, StoreUnavailable) as error:
            log.warning("rebuild failed", board=key.board, error=str(error))
        finally:
            self._epochs.pop(key, None)
            del self._rebuilding[key]

    async def verify(self) -> bool:
        """Start a rebuild of every living board that the ranking does not hold under its epoch; True if there is none."""
        self._epochs.clear()
        whole = True
        for key, epoch in (await self.ledger.epochs()).items():
            if not await self.ranking.holds(key, epoch):
                whole = False
                self.start_rebuild(key)
        return whole

    async def settle_rebuilds(self) -> None:
        """Wait until no rebuild is under way."""
        while self._rebuilding:
            await asyncio.wait(self._rebuilding.values())

    async def close(self) -> None:
        """Cancel what is under way: a rebuild that stops half-way leaves the board as it was."""
        tasks = list(self._rebuilding.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
