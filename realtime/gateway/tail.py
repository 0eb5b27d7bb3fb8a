"""One channel of a board as a node follows it: subscribe, read what was missed, take what is announced, mend every hole."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from realtime.core.errors import BoardChanged, HistoryGone, RankingUnavailable, Unavailable, VersionGap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realtime.core.announcement import Past
    from realtime.core.model import Board
    from realtime.core.ports import Bus, Channel, Ranking

BUFFER: Final = 1024
"""Announcements kept while we read; past it the oldest go, and the hole is mended by reading again."""
PATIENCE: Final = 1.0
"""Seconds that we are given to catch up with what a client was told elsewhere."""
STREAM: Final = 500
"""Versions that a board's stream is sure to hold."""
_BACK_OFF: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)

Change = TypeVar("Change")


class Tail(ABC, Generic[Change]):
    """Takes every version of a channel once, in order. `run` owns the subscription; cancel it to leave.

    What a version is to whoever follows is told in `_read`, `_decode` and `_advance`.
    """

    def __init__(self, board: Board, ranking: Ranking, bus: Bus, channel: Channel) -> None:
        self.board = board
        self.resyncs = 0
        """Times something was read again."""
        self._ranking = ranking
        self._bus = bus
        self._key = board.key
        self._channel: Channel = channel
        self._wanted = asyncio.Event()
        self._stepped = asyncio.Event()
        self._subscribed = False
        self._buffer: deque[bytes] | None = None
        """What was announced since we began to read; None while nothing is missing."""
        self._reaching = asyncio.Lock()
        self._asked_at = -PATIENCE

    # -- what is followed ----------------------------------------------------------------------------------------------

    @abstractmethod
    def holds(self) -> tuple[int, int]:
        """Epoch and version that are held; before all others where there is none."""

    @abstractmethod
    async def _read(self) -> Sequence[Change] | None:
        """What is to be taken before anything that is announced from now on. None: not yet to be had, read again.

        Raises Unavailable.
        """

    @abstractmethod
    def _decode(self, payload: bytes) -> Change:
        """A change as it is announced. Raises BoardChanged where it is of other columns."""

    @abstractmethod
    def _advance(self, change: Change) -> bool:
        """Take the next version; False for one from before. Raises VersionGap, BoardChanged."""

    def _caught_up(self) -> None:
        """A version was heard and taken, or what was missed is."""
        self._step()

    def _broken(self) -> None:
        """What was read and what was announced do not fit together."""

    def _lost(self) -> None:
        """The ranking, or the bus, does not answer."""

    # -- following -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow until cancelled."""
        try:
            await self._keep_up()
        finally:
            await self._bus.unsubscribe(self._key, self._channel, self.heard)

    async def _keep_up(self) -> None:
        attempt = 0
        while True:
            self._wanted.clear()
            try:
                if not self._subscribed:
                    await self._bus.subscribe(self._key, self._channel, self.heard, self.resync)
                    self._subscribed = True
                current = await self._catch_up()
            except Unavailable:
                self._lost()
                current = False
            if current:
                attempt = 0
                await self._wanted.wait()
            else:
                await asyncio.sleep(_BACK_OFF[min(attempt, len(_BACK_OFF) - 1)])
                attempt += 1
            self.resyncs += 1

    def resync(self) -> None:
        """Something may have been missed: read it."""
        self._hold()
        self._wanted.set()

    def mistrust(self) -> None:
        """Something was announced and is not heard of: subscribe anew, and read it."""
        self._subscribed = False
        self.resync()

    def _hold(self) -> deque[bytes]:
        """Keep what is announced from now on."""
        if self._buffer is None:
            self._buffer = deque(maxlen=BUFFER)
        return self._buffer

    async def _catch_up(self) -> bool:
        """Take what was missed, then what was announced meanwhile. False: they do not fit together, read again."""
        held = self._hold()
        missed = await self._read()
        if missed is None:
            return False
        try:
            for change in missed:
                self._advance(change)
            for payload in held:
                self._advance(self._decode(payload))
        except (VersionGap, BoardChanged):
            held.clear()
            self._broken()
            self._step()
            return False
        self._buffer = None
        self._caught_up()
        return True

    def heard(self, payload: bytes) -> None:
        """What the bus announces."""
        if self._buffer is not None:
            self._buffer.append(payload)
            return
        try:
            taken = self._advance(self._decode(payload))
        except (VersionGap, BoardChanged):
            # This one will be read, too: it is in the stream before it is announced.
            self.resync()
            return
        if taken:
            self._caught_up()

    # -- what is known elsewhere ---------------------------------------------------------------------------------------

    async def reach_to(self, epoch: int, version: int) -> None:
        """Return once we are there, or in vain after a while: somebody who was told of a version knows more than we.

        Raises RankingUnavailable where what was missed cannot be read.
        """
        if self.holds() >= (epoch, version):
            return
        now = asyncio.get_running_loop().time()
        if now >= self._asked_at + PATIENCE:
            self._asked_at = now
            self.resync()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while self.holds() < (epoch, version):
                    await self._stepped.wait()
        if self._buffer is not None:
            raise RankingUnavailable("the ranking is away")

    def _step(self) -> None:
        """Wake who waits for a version."""
        self._stepped.set()
        self._stepped.clear()

    async def _since(self, epoch: int, version: int) -> list[Past] | None:
        """Every version after this one, from the board's stream; None where it does not hold all of that any more."""
        try:
            return await self._ranking.history(self._key, self.board.spec.columns, epoch, version)
        except (HistoryGone, BoardChanged):
            return None

    async def _back_to(self, epoch: int, newest: int, version: int) -> list[Past]:
        """What the board's stream holds, from a version on or, where it can, from long before; nothing where it cannot."""
        # As far as it goes: the next one may ask for more. Less, where it does not go that far.
        for since in (max(1, newest - STREAM), version):
            past = await self._since(epoch, since)
            if past is not None:
                return past
        return []
