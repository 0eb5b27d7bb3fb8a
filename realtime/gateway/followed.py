"""A board that somebody on this node watches, or has just read: its feed and its topics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from realtime.core.messages import Own, Top
from realtime.gateway.around import Arounds
from realtime.gateway.feed import Feed
from realtime.gateway.moves import Moves
from realtime.gateway.player import Players
from realtime.gateway.pushing import untold
from realtime.gateway.recall import Recalls
from realtime.gateway.top import Tops

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from realtime.core.announcement import Move
    from realtime.core.errors import BoardUnknown
    from realtime.core.messages import View
    from realtime.core.model import Board
    from realtime.core.ports import Bus, Ranking
    from realtime.core.watched import Tracking
    from realtime.gateway.fanout import Fanout
    from realtime.gateway.pushing import Pushing
    from realtime.gateway.topic import Topic

    Spawn = Callable[[Coroutine[object, object, None]], asyncio.Task[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What every board of a node is followed with. Times are seconds; `clock` is Unix time; `speedups` is for the metrics."""

    ranking: Ranking
    bus: Bus
    fanout: Fanout
    tracker: Callable[[int], Tracking]
    spawn: Spawn
    tick: float
    clock: Callable[[], int]
    speedups: str
    pushing: Pushing = untold
    """Learns how long it took from commits to pushes."""


class _Neighbours:
    """What only boards have whose players are watched: the moves, and what is told of them."""

    def __init__(self, feed: Feed, shell: Shell) -> None:
        ranking, fanout = shell.ranking, shell.fanout
        self.moves = Moves(
            feed.board,
            feed.board_at,
            ranking,
            shell.bus,
            shell.tracker,
            moved=self._moved,
            started=self._started,
        )
        recalls = Recalls(self.moves, ranking, shell.tracker)
        self.players = Players(
            self.moves, recalls, ranking, fanout, tick=shell.tick, clock=shell.clock, pushing=shell.pushing
        )
        self.arounds = Arounds(self.moves, ranking, fanout, tick=shell.tick, clock=shell.clock)
        parts = (self.moves, recalls, self.players, self.arounds)
        self._tasks = [shell.spawn(part.run()) for part in parts]

    def _moved(self, moves: Sequence[Move], own: list[Move]) -> None:
        self.players.moved(own)
        self.arounds.moved(moves)

    def _started(self) -> None:
        self.players.restart()
        self.arounds.restart()

    def check(self) -> None:
        self.players.check()
        self.arounds.check()

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.players.close()
        self.arounds.close()


class Followed:
    """`changed`, `away` and `gone` are told what the feed tells, with this board."""

    def __init__(
        self,
        board: Board,
        shell: Shell,
        *,
        look: Callable[[str], Awaitable[Board]],
        changed: Callable[[Followed], None],
        away: Callable[[Followed], None],
        gone: Callable[[Followed, BoardUnknown], None],
    ) -> None:
        self.board = board
        """The board by which its watchers were let in."""
        self.watchers = 0
        self.stale = False
        self._shell = shell
        self._near: _Neighbours | None = None
        self.feed = Feed(
            board,
            shell.ranking,
            shell.bus,
            look=look,
            changed=lambda _: changed(self),
            away=lambda _: away(self),
            gone=lambda _, error: gone(self, error),
        )
        self.tops = Tops(self.feed, shell.fanout, tick=shell.tick, clock=shell.clock, pushing=shell.pushing)
        self._task = shell.spawn(self.feed.run())

    @property
    def resyncs(self) -> int:
        """Times something was read again because an announcement was missing or late."""
        return self.feed.resyncs + (self._near.moves.resyncs if self._near is not None else 0)

    def topics(self) -> list[Topic]:
        """Every topic that somebody watches."""
        near = self._near
        kinds = (self.tops,) if near is None else (self.tops, near.players, near.arounds)
        return [topic for kind in kinds for topic in kind.topics.values()]

    def topic(self, view: View) -> Topic:
        """The topic of a view, made where it is new; its keeper says when it has a point."""
        name = view.topic(self.board.name)
        if isinstance(view, Top):
            return self.tops.topic(name, view)
        near = self._near
        if near is None:
            near = self._near = _Neighbours(self.feed, self._shell)
        return near.players.topic(name, view) if isinstance(view, Own) else near.arounds.topic(name, view)

    def say(self, *, stale: bool) -> None:
        """The ranking is away, or back."""
        self.stale = stale
        for topic in self.topics():
            if topic.point is not None:
                topic.say(stale=stale)

    def check(self) -> None:
        """Let every watcher verify what it holds."""
        self.tops.check()
        if self._near is not None:
            self._near.check()

    def held(self) -> tuple[object, object]:
        """What is compared with: it must not have changed while the ranking was asked."""
        near = self._near
        return self.feed.window, None if near is None else (near.moves.epoch, near.moves.version)

    def compare(self, epoch: int, version: int) -> bool:
        """Whether something that was announced never came here; then it is read."""
        window, near = self.feed.window, self._near
        top = window is not None and (epoch, version) > (window.epoch, window.version)
        moves = near is not None and near.moves.epoch != 0 and (epoch, version) > (near.moves.epoch, near.moves.version)
        if top:
            self.feed.mistrust()
        if moves and near is not None:
            near.moves.mistrust()
        return top or moves

    def close(self) -> None:
        """Follow it no longer."""
        self._task.cancel()
        self.tops.close()
        if self._near is not None:
            self._near.close()
