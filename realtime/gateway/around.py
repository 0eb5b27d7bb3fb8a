"""The stretch around a player: rows are read where a batch touched them; where it only passed by, they are counted on."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from realtime.core import delta, messages
from realtime.core.errors import BoardChanged, Unavailable
from realtime.core.points import AroundPoint
from realtime.core.watched import Place
from realtime.gateway.firsts import Firsts
from realtime.gateway.frame import Frame
from realtime.gateway.topic import WORTH_COMPARING, Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from realtime.core.announcement import Move
    from realtime.core.messages import Resume
    from realtime.core.model import Row
    from realtime.core.ports import Ranking, Stretch, Stretches
    from realtime.gateway.fanout import Fanout
    from realtime.gateway.moves import Moves

AT_ONCE: Final = 50
"""Stretches that one script reads."""
A_STRETCH: Final = 0.001
"""Seconds that each watched stretch adds to their tick."""
SLOWEST: Final = 5.0
KEPT: Final = 16
"""States of one stretch kept for who comes back to this node."""
_RETRY: Final = 0.2


class AroundTopic(Topic):
    """A player and the neighbours. `point` is an AroundPoint, None until it was read."""

    __slots__ = ("_arounds", "kept", "view")

    def __init__(self, name: str, fanout: Fanout, view: messages.Around, arounds: Arounds) -> None:
        super().__init__(name, fanout, arounds)
        self.view = view
        self.kept: deque[AroundPoint] = deque(maxlen=KEPT)
        self._arounds = arounds

    def snapshot(self) -> Frame:
        """See the base."""
        text = messages.snapshot_around(self.name, self.view, self.point)
        return Frame(text, (self.point.epoch, self.point.version))

    def make(self, since: Any) -> Frame:
        """See the base."""
        point: AroundPoint = self.point
        if since.epoch != point.epoch:
            return self.snapshot()
        if since.stands() == point.stands():
            return Frame(messages.check_around(self.name, point), (point.epoch, point.version))
        ops = delta.diff(since.rows, point.rows)
        text = messages.delta_around(self.name, point, since.version, ops)
        if len(text) > WORTH_COMPARING and len(self.snapshot().text) < len(text):
            return self.snapshot()
        return Frame(text, (point.epoch, point.version))

    def said(self, *, stale: bool) -> Frame:
        """See the base."""
        return Frame(messages.stale(self.name, self._arounds.clock()) if stale else messages.fresh(self.name))

    def show(self, point: AroundPoint) -> None:
        """Take the next state."""
        if self.point is None:
            self.point = point
        else:
            self.publish(point)
        self.kept.append(point)

    def ended(self) -> None:
        """See the base: who waits to be led on may be led now."""
        self._arounds.wake()

    @property
    def head(self) -> str:
        """The name under which the key of its first row is tracked: no player can have it."""
        return self.name


class Arounds:
    """The watched stretches of one board, over its moves. `run` reads what was touched; cancel it to leave."""

    def __init__(
        self, moves: Moves, ranking: Ranking, fanout: Fanout, *, tick: float, clock: Callable[[], int]
    ) -> None:
        self.topics: dict[str, AroundTopic] = {}
        self.moves = moves
        self.clock = clock
        self._ranking = ranking
        self._fanout = fanout
        self._tick = tick
        self._dirty: dict[str, AroundTopic] = {}
        """Names of what is to be read, the longest touched first."""
        self._touched: list[bytes] = []
        self._moved: set[str] = set()
        self._wanted = asyncio.Event()
        self._shown = asyncio.Event()
        self._firsts = Firsts()

    # -- who is watched ------------------------------------------------------------------------------------------------

    def topic(self, name: str, view: messages.Around) -> AroundTopic:
        """The topic of a stretch; it is read when it is new."""
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = AroundTopic(name, self._fanout, view, self)
            self._dirty[name] = topic
            self._wanted.set()
        return topic

    async def ready(self, topic: AroundTopic) -> None:
        """Return when it was read."""
        await self._firsts.of(topic, topic.name)

    async def recall(self, topic: AroundTopic, resume: Resume) -> AroundPoint | None:
        """The stretch that a client holds, where this node has just shown it: any other is no larger than what led from it."""
        await self.moves.reach_to(*resume)
        with suppress(TimeoutError):
            async with asyncio.timeout(SLOWEST):
                while (topic.point.epoch, topic.point.version) < resume and not self._lead(topic):
                    await self._shown.wait()
        return next((point for point in topic.kept if (point.epoch, point.version) == resume), None)

    def _lead(self, topic: AroundTopic) -> bool:
        """Show the newest version now, if nobody touched the stretch; else it is being read."""
        self._look()
        self._wanted.set()
        self._check(topic)
        return (topic.point.epoch, topic.point.version) == (self.moves.epoch, self.moves.version)

    def forget(self, topic: AroundTopic) -> None:
        """Nobody watches it any more."""
        if self.topics.get(topic.name) is topic:
            del self.topics[topic.name]
            self._dirty.pop(topic.name, None)
            self.moves.watched.remove(topic.head)

    def wake(self) -> None:
        """Something was shown: let who waits for it look."""
        self._shown.set()
        self._shown.clear()

    def restart(self) -> None:
        """An epoch began: all are read again."""
        self._dirty.update(self.topics)
        self._touched.clear()
        self._moved.clear()
        self._wanted.set()

    def close(self) -> None:
        """Nothing is to come any more."""
        self._firsts.close()

    # -- what moves ----------------------------------------------------------------------------------------------------

    def moved(self, moves: Sequence[Move]) -> None:
        """A version was announced."""
        if not self.topics:
            return
        for move in moves:
            self._touched.append(move.old)
            self._touched.append(move.new)
            self._moved.add(move.player)
        self._wanted.set()

    async def run(self) -> None:
        """Read what was touched, at most once a tick, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if not self.moves.epoch:
                # Nothing that was read could be taken yet; `restart` wakes us.
                continue
            self._look()
            while batch := [topic for topic in self._dirty.values() if not topic.passing][:AT_ONCE]:
                if not await self._read(batch):
                    await asyncio.sleep(_RETRY)
            await asyncio.sleep(max(self._tick, min(SLOWEST, len(self.topics) * A_STRETCH)))
            if self._dirty:
                self._wanted.set()

    def _look(self) -> None:
        """Which stretches were touched, and which only moved as a whole."""
        touched, self._touched = sorted(key for key in self._touched if key), []
        moved, self._moved = self._moved, set()
        for name, topic in self.topics.items():
            if name in self._dirty or topic.point is None:
                continue
            if topic.view.player in moved or _touched(topic.point.rows, topic.view, touched):
                self._dirty[name] = topic
            elif not topic.passing:
                self._shift(topic)

    def _shift(self, topic: AroundTopic) -> None:
        """Tell where a stretch begins, if others only passed by."""
        place = self.moves.watched.place(topic.head) if topic.head in self.moves.watched else None
        if place is not None and (place.position, place.rank) != (topic.point.position, topic.point.rank):
            topic.show(self._point(place.position, place.rank, topic.point.rows))

    # -- reading -------------------------------------------------------------------------------------------------------

    async def _read(self, topics: Sequence[AroundTopic]) -> bool:
        board = self.moves.board
        try:
            found = await self._ranking.stretches(
                board.key, board.spec.columns, [(topic.view.player, topic.view.radius) for topic in topics]
            )
        except (Unavailable, BoardChanged):
            return False
        done = asyncio.get_running_loop().create_future()

        def end() -> None:
            if not done.done():
                done.set_result(None)

        def admit() -> None:
            self._admit(topics, found)
            end()

        # Where an epoch begins before, all are to be read again: at once.
        if not self.moves.when(found, admit, end):
            return False
        try:
            async with asyncio.timeout(SLOWEST):
                await done
        except TimeoutError:
            return False
        return True

    def _admit(self, topics: Sequence[AroundTopic], found: Stretches) -> None:
        """Show what was read, unless it was touched again since: then it is read again."""
        since = self.moves.log.after(found.version)
        touched = sorted(key for _, moves in since for move in moves for key in (move.old, move.new) if key)
        players = {move.player for _, moves in since for move in moves}
        for topic, stretch in zip(topics, found.stretches, strict=True):
            if self.topics.get(topic.name) is not topic or topic.passing:
                continue
            rows = () if stretch is None else stretch.rows
            if found.version != self.moves.version and (
                topic.view.player in players or _touched(rows, topic.view, touched)
            ):
                continue
            if self._track(topic, found, stretch):
                self._dirty.pop(topic.name, None)
                self._show(topic, rows)

    def _track(self, topic: AroundTopic, found: Stretches, stretch: Stretch | None) -> bool:
        """Track the first row's key, so that it is known where the stretch begins while only others move."""
        self.moves.watched.remove(topic.head)
        if stretch is None:
            return True
        place = Place(stretch.rows[0].key, stretch.position, stretch.rank)
        return self.moves.admit(found.version, [(topic.head, place)])

    def _show(self, topic: AroundTopic, rows: tuple[Row, ...]) -> None:
        place = self.moves.watched.place(topic.head) if topic.head in self.moves.watched else None
        now = self._point(place and place.position, place and place.rank, rows)
        if topic.point is None or topic.point.epoch != now.epoch or topic.point.stands() != now.stands():
            topic.show(now)
        self._firsts.came(topic.name)
        self.wake()

    def _point(self, position: int | None, rank: int | None, rows: tuple[Row, ...]) -> AroundPoint:
        """A stretch at the version at which the moves are."""
        moves = self.moves
        return AroundPoint(moves.epoch, moves.version, moves.total, moves.board.spec, position, rank, rows)

    # -- keeping true --------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Lead every watcher of a stretch that nobody touched to the newest version, in slices."""
        self._look()
        if self._dirty:
            self._wanted.set()
        self._fanout.run(self._checks([topic for topic in self.topics.values() if topic.name not in self._dirty]))

    def _checks(self, topics: Sequence[AroundTopic]) -> Iterator[None]:
        for part in self._fanout.parts(topics):
            if part is None:
                yield
                continue
            self._look()
            for topic in part:
                self._check(topic)

    def _check(self, topic: AroundTopic) -> None:
        held, moves = topic.point, self.moves
        if held is None or topic.passing or topic.name in self._dirty or self.topics.get(topic.name) is not topic:
            return
        if held.epoch == moves.epoch and held.version < moves.version:
            self._fanout.checks += 1
            topic.show(self._point(held.position, held.rank, held.rows))


def _touched(rows: Sequence[Row], view: messages.Around, keys: Sequence[bytes]) -> bool:
    """Whether one of `keys` (in order) is one that the stretch has or would take in."""
    if not rows:
        return False
    above, below = _reach(rows, view)
    start = 0 if above is None else bisect_left(keys, above)
    return start < len(keys) and (below is None or keys[start] <= below)


def _reach(rows: Sequence[Row], view: messages.Around) -> tuple[bytes | None, bytes | None]:
    """The keys between which a move touches the stretch: open at an end where it is cut off by the board's own."""
    centre = next(index for index, row in enumerate(rows) if row.player == view.player)
    above = rows[0].key if centre == view.radius else None
    below = rows[-1].key if len(rows) - centre - 1 == view.radius else None
    return above, below
