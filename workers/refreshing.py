"""From the outbox to the ranking: the refresh.

Letters are grouped by board, applied in batches by one script each, and their rows go when every board in them has taken its
changes. All of it may happen twice: a batch that is already in changes nothing. Where the letters come from, the outbox
itself or a queue, makes no difference.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from realtime.core import outbox as payloads
from realtime.core.announcement import Origin
from realtime.core.errors import RankingRefused, RankingUnavailable, StoreUnavailable, Unreadable
from workers.metrics import Metrics
from workers.rebuild import rebuild

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from infra.tracing import Tracing
    from realtime.core.letters import Letter
    from realtime.core.model import BoardKey
    from realtime.core.outbox import Packed
    from realtime.core.ports import Boards, Ledger, Outbox, Ranking

BATCH: Final = 250
"""Changes of one script call: about 4 ms of Redis."""
CLAIM: Final = 32
"""Outbox rows taken at once."""
RETRY: Final = 0.1
_REBUILDS: Final = 2
_INVALID: Final = "no record of this board"

log = structlog.get_logger()


@dataclass(slots=True)
class Round:
    """What becomes of some letters: of each row the boards that have still to take its changes, and which cannot be read, why.

    `trouble` ended the round early: the store or the ranking was away.
    """

    open: dict[int, set[BoardKey]] = field(default_factory=dict)
    parts: dict[BoardKey, list[tuple[Letter, list[Packed]]]] = field(default_factory=dict)
    notices: set[BoardKey] = field(default_factory=set)
    unreadable: dict[int, str] = field(default_factory=dict)
    trouble: RankingUnavailable | StoreUnavailable | None = None

    @classmethod
    def of(cls, letters: Sequence[Letter]) -> Round:
        """Sort the changes of letters by board."""
        made = cls()
        for letter in letters:
            made.open.setdefault(letter.id, set())
            try:
                groups = payloads.decode(letter.payload)
            except Unreadable as error:
                made.unreadable[letter.id] = str(error)
                continue
            for key, changes in groups:
                made.parts.setdefault(key, []).append((letter, changes))
                made.open[letter.id].add(key)
                if not changes:
                    made.notices.add(key)
        return made

    def took(self, key: BoardKey) -> None:
        """A board has taken all that there was for it."""
        for letter, _ in self.parts[key]:
            self.open[letter.id].discard(key)

    @property
    def done(self) -> list[int]:
        """Rows whose boards have all taken their changes."""
        return [row for row, keys in self.open.items() if not keys and row not in self.unreadable]

    @property
    def waiting(self) -> list[int]:
        """Rows that a board has still to take."""
        return [row for row, keys in self.open.items() if keys and row not in self.unreadable]


@dataclass(slots=True)
class Refresh:
    """Applies what was committed. One object a process."""

    outbox: Outbox
    ledger: Ledger
    boards: Boards
    ranking: Ranking
    metrics: Metrics = field(default_factory=Metrics)
    tracing: Tracing | None = None
    _epochs: dict[BoardKey, int] = field(default_factory=dict)
    _touched: dict[BoardKey, int] = field(default_factory=dict)
    _rebuilding: dict[BoardKey, asyncio.Task[None]] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_REBUILDS))

    async def step(self) -> bool:
        """Claim and apply once; whether there was anything. Raises StoreUnavailable and RankingUnavailable."""
        letters = await self.outbox.claim(CLAIM)
        if not letters:
            return False
        taken = await self.take(letters, RETRY)
        if taken.trouble is not None:
            raise taken.trouble
        return True

    async def take(self, letters: Sequence[Letter], retry: float) -> Round:
        """Apply letters and close their rows: settle what all boards took, hold what cannot be read, release the rest for `retry`
        seconds. Raises StoreUnavailable where the rows cannot be closed.
        """  # noqa: D205 - one thought
        taken = Round.of(letters)
        for key in taken.notices:
            # The board was made, edited or deleted: look at it afresh.
            self._epochs.pop(key, None)
        try:
            for key in taken.parts:
                await self._take(key, taken)
        except (RankingUnavailable, StoreUnavailable) as error:
            taken.trouble = error
        finally:
            # What could not be applied is not left to its lease: the ranking may be back in a moment.
            await self._close(taken, retry)
        return taken

    async def _close(self, taken: Round, retry: float) -> None:
        if done := taken.done:
            await self.outbox.settle(done)
        if waiting := taken.waiting:
            await self.outbox.release(waiting, retry)
        for row, reason in taken.unreadable.items():
            log.error("put aside", row=row, reason=reason)
            self.metrics.put_aside.inc()
            await self.outbox.hold([row], reason)

    async def _take(self, key: BoardKey, taken: Round) -> None:
        """Let a board take its changes. It takes none while it is being rebuilt, or where a rebuild has to begin."""
        if key in self._rebuilding:
            return
        fresh = key not in self._epochs
        try:
            await self._apply(key, taken.parts[key])
        except RankingRefused as refusal:
            if fresh and refusal.reason == "invalid":
                await self._part(key, taken)
            else:
                self._refused(key, refusal, taken.parts[key])
        else:
            taken.took(key)

    async def _part(self, key: BoardKey, taken: Round) -> None:
        """Row by row: a record that is none of the board as it is now never will be, but must not keep its neighbours."""
        for letter, changes in taken.parts[key]:
            try:
                await self._apply(key, [(letter, changes)])
            except RankingRefused as refusal:
                if refusal.reason != "invalid":
                    self._refused(key, refusal, taken.parts[key])
                    return
                taken.unreadable[letter.id] = _INVALID
            else:
                taken.open[letter.id].discard(key)

    def _refused(self, key: BoardKey, refusal: RankingRefused, parts: Sequence[tuple[Letter, list[Packed]]]) -> None:
        self._epochs.pop(key, None)
        log.info("ranking refused", board=key.board, season=key.season, reason=refusal.reason)
        self.start_rebuild(key, parts)

    async def _apply(self, key: BoardKey, parts: Sequence[tuple[Letter, list[Packed]]]) -> None:
        epoch = self._epochs.get(key)
        if epoch is None:
            epoch = (await self.ledger.epochs([key])).get(key)
            if epoch is None:
                await self.ranking.drop(key)
                return
            self._epochs[key] = epoch
        changes = [change for _, changes in parts for change in changes]
        with self._traced("apply", key, parts, changes=len(changes)) as trace:
            refusal = await self._publish(key, epoch, changes, _origin(parts, trace))
        if refusal is not None:
            raise refusal
        self.metrics.took(len(changes), letters=[letter for letter, part in parts if part])
        await self._touch(key, changes)

    async def _publish(
        self, key: BoardKey, epoch: int, changes: Sequence[Packed], origin: Origin | None
    ) -> RankingRefused | None:
        """Why the ranking does not take them: how an edit comes to a rebuild, and no fault of what is traced."""
        try:
            for start in range(0, max(len(changes), 1), BATCH):
                await self.ranking.apply(key, epoch, changes[start : start + BATCH], origin)
        except RankingRefused as refusal:
            return refusal
        return None

    def _traced(
        self, name: str, key: BoardKey, parts: Sequence[tuple[Letter, list[Packed]]], **attributes: int
    ) -> AbstractContextManager[str | None]:
        """A span for each trace that the letters carry; what comes of it is the header to go on with."""
        traces = dict.fromkeys(letter.trace for letter, _ in parts if letter.trace)
        if self.tracing is None or not traces:
            return nullcontext(next(iter(traces), None))
        return self.tracing.going_on(name, traces, board=key.board, **attributes)

    async def _touch(self, key: BoardKey, changes: Sequence[Packed]) -> None:
        minute = int(asyncio.get_running_loop().time() // 60)
        if changes and self._touched.get(key) != minute:
            self._touched[key] = minute
            await self.ledger.touch([key])

    def start_rebuild(self, key: BoardKey, parts: Sequence[tuple[Letter, list[Packed]]] = ()) -> None:
        """Rebuild a board in the background, for what these letters have brought; the others go on."""
        if key not in self._rebuilding:
            self._rebuilding[key] = asyncio.create_task(self._rebuild(key, parts))

    async def _rebuild(self, key: BoardKey, parts: Sequence[tuple[Letter, list[Packed]]]) -> None:
        try:
            async with self._slots:
                with self._traced("rebuild", key, parts):
                    done = await rebuild(key, self.boards, self.ledger, self.ranking)
                self.metrics.rebuilds.inc(int(done))
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
        # One that was cancelled before its first step has not signed off.
        self._rebuilding.clear()


def _origin(parts: Sequence[tuple[Letter, list[Packed]]], trace: str | None) -> Origin | None:
    """Where the changes of a board come from: the oldest letter's time, and the trace."""
    known = [letter.at for letter, changes in parts if changes and letter.at]
    if not known:
        return None
    return Origin(min(known), trace)
