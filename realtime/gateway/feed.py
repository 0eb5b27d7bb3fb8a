"""One board as a node follows it: subscribe, read the snapshot, follow the announcements, mend every hole."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from realtime.core import announcement
from realtime.core.errors import BoardChanged, BoardUnknown, RankingUnavailable, Unavailable, VersionGap

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from realtime.core.model import Board
    from realtime.core.ports import Bus, Ranking
    from realtime.core.window import Window

_BUFFER: Final = 1024
"""Announcements kept while the snapshot is read; past it the oldest go, and the hole is mended by reading again."""
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
                await self._bus.unsubscribe(self.board.key, self._heard)
        except BoardUnknown as error:
            self._gone(self, error)

    async def _keep_up(self) -> None:
        attempt = 0
        subscribed = False
        while True:
            self._wanted.clear()
            try:
                if not subscribed:
                    await self._bus.subscribe(self.board.key, self._heard, self.resync)
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
        """Take the snapshot, then what was announced meanwhile. False: they do not fit together, read again."""
        if self._buffer is None:
            self._buffer = deque(maxlen=_BUFFER)
        window = await self._snapshot()
        held, buffered = self.window, self._buffer
        try:
            for payload in buffered:
                window = self._follow(window, payload)
        except (VersionGap, BoardChanged):
            self._buffer.clear()
            return False
        if held is not None and (window.epoch, window.version) < (held.epoch, held.version):
            # A read from before what we already showed: never go back.
            return False
        self._buffer = None
        self._show(window)
        return True

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

    def _follow(self, window: Window, payload: bytes) -> Window:
        """The window after an announcement; as it is after one from before. Raises VersionGap, BoardChanged."""
        change = announcement.decode_top(self.board.spec.columns, payload)
        if (change.epoch, change.version) <= (window.epoch, window.version):
            return window
        return window.follow(change)

    def _heard(self, payload: bytes) -> None:
        if self._buffer is not None:
            self._buffer.append(payload)
        elif self.window is not None:
            try:
                window = self._follow(self.window, payload)
            except (VersionGap, BoardChanged):
                self.resync()
                return
            if window is not self.window:
                self._show(window)

    def _show(self, window: Window) -> None:
        self.window = window
        self.fresh = True
        self.answers = {}
        self._ready.set()
        self._moved.set()
        self._moved.clear()
        self._changed(self)
