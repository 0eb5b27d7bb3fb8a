"""The top of a board as a node follows it: the newest window, and those before it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from realtime.core import announcement
from realtime.core.errors import BoardChanged, BoardUnknown, RankingUnavailable, Unavailable, VersionGap
from realtime.core.history import History
from realtime.gateway.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from realtime.core.announcement import Origin, TopChanged
    from realtime.core.model import Board
    from realtime.core.ports import Bus, Ranking
    from realtime.core.window import Window


class Feed(Tail["TopChanged"]):
    """Holds the newest window. `changed` is told after each change, `away` when the ranking cannot be reached.

    `look` reads the board afresh: with every epoch it may be another one. When there is none any more, `gone` is told and
    the feed ends.
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
        super().__init__(board, ranking, bus, "top")
        self.window: Window | None = None
        self.fresh = False
        self.last_read = 0.0
        self.history: History | None = None
        """The tops of this epoch as far back as they are known; what the board's stream still holds comes on demand."""
        self.origin: Origin | None = None
        """Where the versions come from that were taken and not yet shown; who shows them clears it."""
        self.answers: dict[bytes, tuple[dict[str, Any], dict[str, Any]]] = {}
        """REST answers made of this window, by query string; who makes them keeps to a bound."""
        self._look = look
        self._changed = changed
        self._away = away
        self._gone = gone
        self._epoch = 0
        """The epoch under which `board` was read."""
        self._ready = asyncio.Event()

    def board_at(self, epoch: int) -> Board | None:
        """The board as it was read under an epoch; None where that is not the newest that we know."""
        return self.board if epoch == self._epoch else None

    async def ready(self) -> Window:
        """The window, once there is one."""
        while not self.fresh or self.window is None:
            await self._ready.wait()
            await asyncio.sleep(0)
        return self.window

    async def run(self) -> None:
        """Follow the board until cancelled, or until there is none."""
        try:
            await super().run()
        except BoardUnknown as error:
            self._gone(self, error)

    def holds(self) -> tuple[int, int]:
        """See the base."""
        return (-1, -1) if self.window is None else (self.window.epoch, self.window.version)

    def _lost(self) -> None:
        if self.fresh:
            self.fresh = False
            self._ready.clear()
            self._away(self)

    async def _read(self) -> Sequence[TopChanged] | None:
        """What was missed; nothing where that cannot be had, and the snapshot is."""
        held = self.window
        if held is not None and self.history is not None and held.epoch == self._epoch:
            past = await self._since(held.epoch, held.version)
            if past is not None:
                return [one.top for one in past]
        window = await self._snapshot()
        if (window.epoch, window.version) < self.holds():
            # A read from before what we already showed: never go back.
            return None
        self.history = History(window)
        return ()

    async def recall(self, epoch: int, version: int) -> Window | None:
        """The top as it stood at a version, as far back as the board's stream reaches; None beyond that.

        Raises RankingUnavailable.
        """
        await self.reach_to(epoch, version)
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
        with suppress(Unavailable):
            history.extend(await self._back_to(history.newest.epoch, history.newest.version, version))

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

    def _decode(self, payload: bytes) -> TopChanged:
        return announcement.decode_top(self.board.spec.columns, payload)

    def _advance(self, change: TopChanged) -> bool:
        history = self.history
        if history is None:
            raise VersionGap("nothing is held")
        window = history.newest
        if (change.epoch, change.version) <= (window.epoch, window.version):
            return False
        history.append(window.follow(change))
        if change.origin is not None:
            self.origin = change.origin if self.origin is None else self.origin.joined(change.origin)
        return True

    def _broken(self) -> None:
        self.history = None

    def _caught_up(self) -> None:
        if self.history is not None:
            self.window = self.history.newest
        self.fresh = True
        self.answers = {}
        self._ready.set()
        self._step()
        self._changed(self)
