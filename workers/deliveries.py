"""What a queue delivers, applied: each message is dealt with, comes again after a while, or is buried with the reason.

The work is the refresh's (`workers/refreshing.py`), the very same as from the outbox. Nothing is left under way when a take ends:
a function that stands still between two invocations could not go on with it.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Final

import structlog

from realtime.core.errors import QueueUnavailable, RankingUnavailable, StoreUnavailable, Unreadable
from realtime.core.letters import pack, unpack
from workers.refreshing import RETRY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from realtime.core.letters import Letter
    from realtime.core.ports import Outbox, Queue
    from workers.refreshing import Refresh, Round
    from workers.watch import Watch

LOOK_EVERY: Final = 1.0
"""The servers are looked at before a take, but no more often than this: they may be others since the last one."""
BACK_OFF: Final = 300
"""Seconds at the most until a message that could not be applied comes again."""
_TRIES: Final = 3
_MESSAGE: Final = 262_144

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as a queue delivers it, for the `count`th time. `redrive` names the redrive that put it back."""

    id: str
    receipt: str
    body: str
    count: int = 1
    redrive: str = ""


@dataclass(slots=True)
class _Opened:
    """Deliveries and what becomes of the letters in them."""

    letters: dict[str, list[Letter]] = field(default_factory=dict)
    waiting: list[Letter] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    held: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, deliveries: Sequence[Delivery]) -> _Opened:
        opened = cls()
        for delivery in deliveries:
            try:
                opened.letters[delivery.id] = unpack(delivery.body)
            except Unreadable as error:
                opened.letters[delivery.id] = []
                opened.unreadable[delivery.id] = str(error)
            opened.waiting += opened.letters[delivery.id]
        return opened

    def close(self, taken: Round) -> None:
        """Keep what the round left open."""
        self.held |= taken.unreadable
        still = set(taken.waiting)
        self.waiting = [letter for letter in self.waiting if letter.id in still]

    def waits(self, delivery: Delivery) -> bool:
        """Whether something in the delivery was not applied."""
        still = {letter.id for letter in self.waiting}
        return any(letter.id in still for letter in self.letters[delivery.id])


class Deliveries:
    """Takes what a queue delivers. `resend_after`: seconds after which the outbox sends again what nobody applied."""

    def __init__(
        self,
        refresh: Refresh,
        watch: Watch,
        outbox: Outbox,
        queue: Queue,
        *,
        resend_after: float,
        chance: Callable[[], float],
    ) -> None:
        self._refresh = refresh
        self._watch = watch
        self._outbox = outbox
        self._queue = queue
        self._resend_after = resend_after
        self._chance = chance
        self._looked = -math.inf

    async def take(self, deliveries: Sequence[Delivery], seconds: float) -> list[str]:
        """Apply deliveries for `seconds` at the most; the ids of those that have to come again."""
        opened = _Opened.of(deliveries)
        waits = {delivery.id: back_off(delivery.count, self._chance()) for delivery in deliveries}
        # While a message comes again by itself, the outbox need not send a copy.
        retry = max(waits.values(), default=0) + self._resend_after
        try:
            async with asyncio.timeout(seconds):
                await self._apply(opened, retry)
        except TimeoutError:
            log.warning("no time left", waiting=len(opened.waiting))
        finally:
            await self._refresh.close()
        failed = [
            delivery for delivery in deliveries if opened.waits(delivery) or not await self._bury(delivery, opened)
        ]
        if failed:
            await self._queue.put_off({delivery.receipt: waits[delivery.id] for delivery in failed})
        return [delivery.id for delivery in failed]

    async def _apply(self, opened: _Opened, retry: float) -> None:
        """Apply what waits; again where a board had to be rebuilt first, or a connection had died since the last time."""
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(RETRY)
            try:
                await self._look()
                await self._fetch(opened)
                taken = await self._refresh.take(opened.waiting, retry)
            except (RankingUnavailable, StoreUnavailable) as error:
                self._failed(error)
                continue
            opened.close(taken)
            if taken.trouble is not None:
                self._failed(taken.trouble)
            elif not opened.waiting:
                return
            await self._refresh.settle_rebuilds()

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._looked >= LOOK_EVERY:
            await self._watch.look()
            self._looked = now

    def _failed(self, error: Exception) -> None:
        self._looked = -math.inf
        log.warning("refresh waits", error=str(error))

    async def _fetch(self, opened: _Opened) -> None:
        """Fetch what was too large for a message. What is gone from the outbox was applied."""
        large = [letter.id for letter in opened.waiting if not letter.payload]
        if large:
            there = {letter.id: letter for letter in await self._outbox.read(large)}
            opened.waiting = [
                letter if letter.payload else there[letter.id]
                for letter in opened.waiting
                if letter.payload or letter.id in there
            ]

    async def _bury(self, delivery: Delivery, opened: _Opened) -> bool:
        """Put what cannot be read aside, with the reason; False where that failed and the delivery has to come again."""
        reason = opened.unreadable.get(delivery.id)
        dead = [(delivery.body, reason)] if reason is not None else _dead(opened.letters[delivery.id], opened.held)
        try:
            for body, why in dead:
                log.error("buried", message=delivery.id, reason=why)
                await self._queue.bury(body, why, delivery.redrive)
        except QueueUnavailable as error:
            log.warning("not buried", message=delivery.id, error=str(error))
            return False
        return True


def _dead(letters: Sequence[Letter], held: dict[int, str]) -> list[tuple[str, str]]:
    """The letters whose rows are held, as messages of their own, each with its reason."""
    dead = sorted((held[letter.id], letter) for letter in letters if letter.id in held)
    return [
        (message.body, reason)
        for reason, group in groupby(dead, key=lambda one: one[0])
        for message in pack([letter for _, letter in group], _MESSAGE)
    ]


def back_off(count: int, chance: float) -> int:
    """Whole seconds until a message that failed for the `count`th time (from 1) comes again: longer each time, never all at once."""
    bound = min(BACK_OFF, 1 << min(count - 1, 30))
    return math.ceil(bound * (0.5 + chance / 2))
