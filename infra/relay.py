"""From the outbox to the queue.

Rows are claimed, sent, and stay: who applies them settles them. A claim is a lease, so the loop that sends what is new also sends
again what lingers: a message that was lost, a node that stopped between claim and sending, a queue that was away for a day.

While those who apply are away, sent rows pile up in front of the new ones. Who was rung passes them over: it looks where rows were new
a moment ago. All of the outbox is looked through every few seconds, in passes that go on where the last claim ended.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog

from realtime.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.tracing import Tracing
    from realtime.core.letters import Letter
    from realtime.core.ports import Outbox, Queue

_BACK_OFF: Final = 0.25
_MOST: Final = 5.0
_LEAVING: Final = 2.0
_SETTLING: Final = 10.0
"""Seconds in which a transaction that drew an id below others' has committed, too; one that takes longer waits for a sweep."""
_MARK: Final = 1.0

log = structlog.get_logger()


class Relay:
    """Sends what is committed: at most `claim` rows at a time, at most `in_flight` sendings at once.

    It looks into the outbox when it is rung, but not twice within `pause` seconds, and every `sweep_every` seconds or so.
    """

    def __init__(
        self,
        outbox: Outbox,
        queue: Queue,
        *,
        claim: int,
        in_flight: int,
        pause: float,
        sweep_every: float,
        tracing: Tracing | None = None,
    ) -> None:
        self._outbox = outbox
        self._queue = queue
        self._claim = claim
        self._in_flight = in_flight
        self._slots = asyncio.Semaphore(in_flight)
        self._pause = pause
        self._sweep_every = sweep_every
        self._tracing = tracing
        self._rung = asyncio.Event()
        self._failures = 0
        self._marks: deque[tuple[float, int]] = deque()
        self._pass: int | None = 0
        self._sweep_at = 0.0
        self.relayed = 0
        """Rows handed to the queue."""

    def ring(self) -> None:
        """There is something in the outbox. Never waits."""
        self._rung.set()

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as sendings:
            while True:
                await self._slots.acquire()
                self._rung.clear()
                letters = await self._claimed(self._start())
                self._pass = letters[-1].id if len(letters) == self._claim else None
                if letters:
                    self._mark(letters[-1].id)
                    sendings.create_task(self._send_and_make_room(letters))
                else:
                    self._slots.release()
                await self._rest()

    async def drain(self, seconds: float) -> int:
        """Send what there is now, for `seconds` at the most; how many rows went. Ends early where the queue does not take them."""
        before, after = self.relayed, 0
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (letters := await self._claimed(after)) and await self._send(letters):
                    after = letters[-1].id
        return self.relayed - before

    async def flush(self, seconds: float = _LEAVING) -> None:
        """Let what is being sent arrive, and send what is left: for a node that leaves. `run` claims nothing from now on.

        What is not sent in time another node sends.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for _ in range(self._in_flight):
                    await self._slots.acquire()
                await self.drain(seconds)

    def _start(self) -> int:
        """The id after which to claim: where a pass goes on, where the outbox begins, or where rows may be new."""
        now = asyncio.get_running_loop().time()
        if self._pass is not None:
            return self._pass
        if self._failures or now >= self._sweep_at:
            self._sweep_at = now + self._sweep_every * (0.5 + random.random())  # noqa: S311 - spreads sweeps, no secret
            return 0
        while len(self._marks) > 1 and self._marks[1][0] <= now - _SETTLING:
            self._marks.popleft()
        return self._marks[0][1] if self._marks and self._marks[0][0] <= now - _SETTLING else 0

    def _mark(self, row: int) -> None:
        """Note how far the outbox went at this time."""
        now = asyncio.get_running_loop().time()
        if not self._marks or now - self._marks[-1][0] >= _MARK:
            self._marks.append((now, row))

    async def _claimed(self, after: int) -> list[Letter]:
        try:
            return await self._outbox.claim(self._claim, after)
        except StoreUnavailable as error:
            self._failures += 1
            log.warning("relay waits", error=str(error))
            return []

    async def _send_and_make_room(self, letters: Sequence[Letter]) -> None:
        try:
            await self._send(letters)
        finally:
            self._slots.release()

    async def _send(self, letters: Sequence[Letter]) -> bool:
        """Whether the queue took all. What it did not take is free again after a while that grows with the failures in a row."""
        if self._tracing is None:
            left = await self._queue.send(letters)
        else:
            with self._tracing.sending(letters) as traced:
                left = await self._queue.send(traced)
        self.relayed += len(letters) - len(left)
        if not left:
            self._failures = 0
            return True
        self._failures += 1
        # Should the store be away, too, then the lease runs out.
        with suppress(StoreUnavailable):
            await self._outbox.release(left, self._wait())
        return False

    async def _rest(self) -> None:
        """Wait for a ring, or for the next sweep; after a failure, for the queue or the store to recover."""
        if self._failures:
            self._pass = None
            await asyncio.sleep(self._wait())
            return
        if self._pass is not None:
            return
        await asyncio.sleep(self._pause)
        with suppress(TimeoutError):
            # Not wait_for: before Python 3.12 it loses a cancellation that comes together with what it waits for.
            async with asyncio.timeout_at(self._sweep_at):
                await self._rung.wait()

    def _wait(self) -> float:
        """Anywhere between at once and a bound that doubles: what was sent in vain does not come back as one herd."""
        return random.random() * min(_MOST, _BACK_OFF * 2.0 ** min(self._failures, 30))  # noqa: S311 - no secret
