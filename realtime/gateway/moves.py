"""A board's moves as a node follows them: one tracker of all who are watched, exact at every version."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from realtime.core import announcement, sortkey
from realtime.core.errors import BoardChanged, HistoryGone, RankingUnavailable, Unavailable, VersionGap
from realtime.core.passing import MoveLog
from realtime.core.watched import Place, Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from realtime.core.announcement import Move, Moved
    from realtime.core.model import Board
    from realtime.core.ports import Bus, Ranking
    from realtime.core.watched import Tracking

_BUFFER: Final = 1024
"""Announcements kept while we read; past it the oldest go, and the hole is mended by reading again."""
PATIENCE: Final = 1.0
"""Seconds that we are given to catch up with what a client was told elsewhere."""
STREAM: Final = 500
"""Versions that a board's stream is sure to hold."""
_BACK_OFF: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class Read(Protocol):
    """What was read from the ranking, at one version."""

    @property
    def epoch(self) -> int: ...  # noqa: D102 - as everywhere
    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def total(self) -> int: ...  # noqa: D102


class Moves:
    """Holds where the watched stand after `version` of `epoch`. `run` owns the subscription; cancel it to leave.

    `board_at` gives the board as an epoch has it, None where that is not known yet. `moved` is told of each version with the moves of watched players; `started` when an epoch begins or a hole could not be
    mended: then nobody is watched any more and all have to be looked up again.
    """

    def __init__(
        self,
        board: Board,
        board_at: Callable[[int], Board | None],
        ranking: Ranking,
        bus: Bus,
        make: Callable[[int], Tracking],
        *,
        moved: Callable[[Sequence[Move], list[Move]], None],
        started: Callable[[], None],
    ) -> None:
        self.board = board
        """As the epoch has it: how it ranks, and by which columns."""
        self._board_at = board_at
        self.epoch = 0
        self.version = 0
        self.total = 0
        self.log = MoveLog()
        self.resyncs = 0
        self._ranking = ranking
        self._bus = bus
        self._make = make
        self._moved = moved
        self._started = started
        self._wanted = asyncio.Event()
        self._buffer: deque[bytes] | None = None
        self._parked: list[tuple[Read, Callable[[], None]]] = []
        self._reaching = asyncio.Lock()
        self._stepped = asyncio.Event()
        self._asked_at = -PATIENCE
        self.watched = self._nobody()

    def _nobody(self) -> Watched:
        return Watched(self._make, sortkey.width(self.board.spec.columns))

    # -- following -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow until cancelled."""
        key = self.board.key
        try:
            await self._keep_up()
        finally:
            await self._bus.unsubscribe(key, "moves", self._heard)

    async def _keep_up(self) -> None:
        attempt, subscribed = 0, False
        while True:
            self._wanted.clear()
            try:
                if not subscribed:
                    await self._bus.subscribe(self.board.key, "moves", self._heard, self.resync)
                    subscribed = True
                current = await self._catch_up()
            except Unavailable:
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
        if self._buffer is None:
            self._buffer = deque(maxlen=_BUFFER)
        self._wanted.set()

    async def _catch_up(self) -> bool:
        """Take what was missed, then what was announced meanwhile. False: they do not fit together, read again."""
        if self._buffer is None:
            self._buffer = deque(maxlen=_BUFFER)
        missed = await self._missed() if self.epoch else None
        if missed is None and not self._start(*await self._ranking.position(self.board.key)):
            return False
        buffered = self._buffer
        try:
            for moved in missed or ():
                self._advance(moved)
            for payload in buffered:
                self._advance(announcement.decode_moves(payload))
        except VersionGap:
            buffered.clear()
            return False
        self._buffer = None
        return True

    async def _missed(self) -> list[Moved] | None:
        try:
            board = self.board
            past = await self._ranking.history(board.key, board.spec.columns, self.epoch, self.version)
        except (HistoryGone, BoardChanged):
            return None
        return [one.moved for one in past]

    def _start(self, epoch: int, version: int) -> bool:
        """Begin an epoch anew; False while it is not known what the board is in it."""
        board = self._board_at(epoch)
        if board is None:
            return False
        self.board = board
        self.epoch, self.version = epoch, version
        self.log.clear()
        self._parked.clear()
        self.watched = self._nobody()
        self._started()
        self._step()
        return True

    def _heard(self, payload: bytes) -> None:
        if self._buffer is not None:
            self._buffer.append(payload)
            return
        try:
            self._advance(announcement.decode_moves(payload))
        except VersionGap:
            # This one will be read, too: it is in the stream before it is announced.
            self.resync()

    def _advance(self, moved: Moved) -> None:
        """Take the next version; one from before says nothing. Raises VersionGap."""
        if (moved.epoch, moved.version) <= (self.epoch, self.version):
            return
        if moved.epoch != self.epoch or moved.version != self.version + 1:
            raise VersionGap(f"holding {self.epoch}/{self.version}, heard {moved.epoch}/{moved.version}")
        own = self.watched.apply(moved.moves)
        self.version, self.total = moved.version, moved.total
        self.log.append(moved.version, moved.moves)
        self._moved(moved.moves, own)
        if self._parked:
            self._unpark()
        self._step()

    async def reach_to(self, epoch: int, version: int) -> None:
        """Return once we are there, or in vain after a while: somebody who was told of a version knows more than we.

        Raises RankingUnavailable where what was missed cannot be read.
        """
        if (self.epoch, self.version) >= (epoch, version):
            return
        now = asyncio.get_running_loop().time()
        if now >= self._asked_at + PATIENCE:
            self._asked_at = now
            self.resync()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while (self.epoch, self.version) < (epoch, version):
                    await self._stepped.wait()
        if self._buffer is not None:
            raise RankingUnavailable("the ranking is away")

    def _step(self) -> None:
        """Wake who waits for a version."""
        self._stepped.set()
        self._stepped.clear()

    async def reach(self, version: int) -> bool:
        """Whether the log holds what moved since a version; read from the board's stream, once for all who come back."""
        async with self._reaching:
            if version == self.version or self.log.reaches(version):
                return True
            board, epoch = self.board, self.epoch
            for since in (max(1, self.version - STREAM), version):
                try:
                    past = await self._ranking.history(board.key, board.spec.columns, epoch, since)
                except (HistoryGone, BoardChanged):
                    continue
                if epoch == self.epoch:
                    self.log.prepend(
                        [(one.moved.version, one.moved.moves) for one in past if one.moved.version <= self.version]
                    )
                break
        return self.log.reaches(version)

    # -- who joins -----------------------------------------------------------------------------------------------------

    def when(self, read: Read, then: Callable[[], None]) -> bool:
        """Do `then` once we stand at least where something was read; False where we never come there: another epoch's.

        What was read from the ranking is often ahead of what was heard from it.
        """
        if read.epoch != self.epoch:
            return False
        if read.version <= self.version:
            self._meet(read, then)
        else:
            self._parked.append((read, then))
        return True

    def _meet(self, read: Read, then: Callable[[], None]) -> None:
        if read.version == self.version:
            self.total = read.total
        then()

    def _unpark(self) -> None:
        due = [(read, then) for read, then in self._parked if read.version <= self.version]
        self._parked = [(read, then) for read, then in self._parked if read.version > self.version]
        for read, then in due:
            self._meet(read, then)

    def admit(self, version: int, places: Sequence[tuple[str, Place | None]]) -> bool:
        """Watch those who stood so after a version that we have reached; False where we no longer know what came since."""
        if version != self.version and not self.log.reaches(version):
            return False
        for name, place in self.watched.brought(places, self.log, version).items():
            self.watched.add(name, place)
        return True
