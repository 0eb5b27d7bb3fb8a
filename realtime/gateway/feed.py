"""One board as a node follows it: subscribe, read the snapshot, follow the announcements, mend every hole."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from realtime.core import announcement
from realtime.core.errors import (
    BoardChanged,
    BoardUnknown,
    HistoryGone,
    RankingUnavailable,
    Unavailable,
    VersionGap,
)
from realtime.core.history import History

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from realtime.core.announcement import TopChanged
    from realtime.core.model import Board
    from realtime.core.ports import Bus, Ranking
    from realtime.core.window import Window

_BUFFER: Final = 1024
"""Announcements kept while the snapshot is read; past it the oldest go, and the hole is mended by reading again."""
PATIENCE: Final = 1.0
"""Seconds that we are given to catch up with what a client was told elsewhere."""
STREAM: Final = 500
"""Versions that a board's stream is sure to hold."""
_BACK_OFF: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class Feed:
    """Holds the newest window. `changed` is told after each change, `away` when the ranking cannot be reached.

    `look` reads the board afresh: with every epoch it may be another one. When there is none any more, `gone` is told and
    the feed ends. `run` owns the subscription; cancel it to leave.
    """

    def __init__(
        self,
        board: Board,
        ranking: Ranking,
        bus: Bus,
        *,
        look: Callable[[str], Awaitable[Board]],
        changed: Callable[[Feed], None],
        away: Callable[[Feed], None],
        gone: Callable[[Feed, BoardUnknown], None],
    ) -> None:
        self.board = board
        self.window: Window | None = None
        self.fresh = False
        self.last_read = 0.0
        self.resyncs = 0
        self.history: History | None = None
        """The tops of this epoch as far back as they are known; what the board's stream still holds comes on demand."""
        self.answers: dict[bytes, tuple[dict[str, Any], dict[str, Any]]] = {}
        """REST answers made of this window, by query string; who makes them keeps to a bound."""
        self._ranking = ranking
        self._bus = bus
        self._look = look
        self._changed = changed
        self._away = away
        self._gone = gone
        self._epoch = 0
        """The epoch under which `board` was read."""
        self._ready = asyncio.Event()
        self._wanted = asyncio.Event()
        self._moved = asyncio.Event()
        self._buffer: deque[bytes] | None = None
        self._reaching = asyncio.Lock()
        self._asked_at = -PATIENCE

    def board_at(self, epoch: int) -> Board | None:
        """The board as it was read under an epoch; None where that is not the newest that we know."""
        return self.board if epoch == self._epoch else None

    async def ready(self) -> Window:
        """The window, once there is one."""
        while not self.fresh or self.window is None:
            await self._ready.wait()
            await asyncio.sleep(0)
        return self.window

    async def next_version(self) -> None:
        """Return after the next announcement."""
        await self._moved.wait()

    async def run(self) -> None:
        """Follow the board until cancelled, or until there is none."""
        try:
            try:
                await self._keep_up()
            finally:
                await self._bus.unsubscribe(self.board.key, "top", self._heard)
        except BoardUnknown as error:
            self._gone(self, error)

    async def _keep_up(self) -> None:
        attempt = 0
        subscribed = False
        while True:
            self._wanted.clear()
            try:
                if not subscribed:
                    await self._bus.subscribe(self.board.key, "top", self._heard, self.resync)
                    subscribed = True
                current = await self._read()
            except Unavailable:
                self._lose()
                current = False
            if current:
                attempt = 0
                await self._wanted.wait()
            else:
                await asyncio.sleep(_BACK_OFF[min(attempt, len(_BACK_OFF) - 1)])
                attempt += 1
            self.resyncs += 1

    def resync(self) -> None:
        """Something may have been missed: read the snapshot again."""
        if self._buffer is None:
            self._buffer = deque(maxlen=_BUFFER)
        self._wanted.set()

    def _lose(self) -> None:
        if self.fresh:
            self.fresh = False
            self._ready.clear()
            self._away(self)

    async def _read(self) -> bool:
        """Take what was missed, or the snapshot where that cannot be had; then what was announced meanwhile.

        False: they do not fit together, read again.
        """
        if self._buffer is None:
            self._buffer = deque(maxlen=_BUFFER)
        held, history = self.window, self.history
        changes = await self._missed(held) if held is not None else None
        if held is None or history is None or changes is None:
            window = await self._snapshot()
            if held is not None and (window.epoch, window.version) < (held.epoch, held.version):
                # A read from before what we already showed: never go back.
                return False
            history, changes = History(window), []
        buffered = self._buffer
        try:
            for change in changes:
                self._advance(history, change)
            for payload in buffered:
                self._advance(history, announcement.decode_top(self.board.spec.columns, payload))
        except (VersionGap, BoardChanged):
            self._buffer.clear()
            self.history = None
            return False
        self._buffer = None
        self.history = history
        self._show(history.newest)
        return True

    async def _missed(self, held: Window) -> list[TopChanged] | None:
        """What was announced since `held`, from the board's stream; None where it does not hold all of that any more."""
        if held.epoch != self._epoch:
            return None
        try:
            past = await self._ranking.history(self.board.key, self.board.spec.columns, held.epoch, held.version)
        except (HistoryGone, BoardChanged):
            return None
        return [one.top for one in past]

    async def reach(self, epoch: int, version: int) -> None:
        """Return once we are there, or in vain after a while: somebody who was told of a version knows more than we.

        Raises RankingUnavailable where the ranking cannot be asked.
        """
        if self._holds(epoch, version):
            return
        now = asyncio.get_running_loop().time()
        if now >= self._asked_at + PATIENCE:
            self._asked_at = now
            self.resync()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while not self._holds(epoch, version):
                    await self._moved.wait()
        if self._buffer is not None:
            raise RankingUnavailable("the ranking is away")

    def _holds(self, epoch: int, version: int) -> bool:
        return self.window is not None and (self.window.epoch, self.window.version) >= (epoch, version)

    async def recall(self, epoch: int, version: int) -> Window | None:
        """The top as it stood at a version, as far back as the board's stream reaches; None beyond that.

        Raises RankingUnavailable.
        """
        await self.reach(epoch, version)
        history = self.history
        if history is None or epoch != history.newest.epoch or version > history.newest.version:
            return None
        if version < history.first:
            # Many come back at once: the stream is read once for all of them.
            async with self._reaching:
                if history is self.history and version < history.first:
                    await self._reach_back(history, version)
        return history.at(epoch, version)

    async def _reach_back(self, history: History, version: int) -> None:
        columns, epoch = self.board.spec.columns, history.newest.epoch
        # As far as it goes: the next one may ask for more. Less, where it does not go that far.
        for since in (max(1, history.newest.version - STREAM), version):
            try:
                history.extend(await self._ranking.history(self.board.key, columns, epoch, since))
            except (HistoryGone, BoardChanged, Unavailable):
                continue
            return

    async def _snapshot(self) -> Window:
        """The top, read by the board as it is under the top's epoch: whoever edits a board raises its epoch."""
        while True:
            window = await self._top()
            if window is not None and window.epoch == self._epoch:
                return window
            columns = self.board.spec.columns
            board = await self._look(self.board.name)
            if board.key != self.board.key:
                raise BoardUnknown(f"board {board.name!r} is another one now")
            self.board = board
            if window is not None:
                self._epoch = window.epoch
            if board.spec.columns == columns:
                if window is None:
                    raise RankingUnavailable("the ranking has other columns than the board")
                return window

    async def _top(self) -> Window | None:
        """The top; None where its keys are of other columns than the board that we know."""
        try:
            return await self._ranking.top(self.board.key, self.board.spec.columns)
        except BoardChanged:
            return None

    def _advance(self, history: History, change: TopChanged) -> bool:
        """Take the next version; False for one from before. Raises VersionGap, BoardChanged."""
        window = history.newest
        if (change.epoch, change.version) <= (window.epoch, window.version):
            return False
        history.append(window.follow(change))
        return True

    def _heard(self, payload: bytes) -> None:
        if self._buffer is not None:
            self._buffer.append(payload)
        elif self.history is not None:
            try:
                taken = self._advance(self.history, announcement.decode_top(self.board.spec.columns, payload))
            except (VersionGap, BoardChanged):
                self.resync()
                return
            if taken:
                self._show(self.history.newest)

    def _show(self, window: Window) -> None:
        self.window = window
        self.fresh = True
        self.answers = {}
        self._ready.set()
        self._moved.set()
        self._moved.clear()
        self._changed(self)
