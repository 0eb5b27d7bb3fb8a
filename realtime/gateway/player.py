"""Each player's own rank: told at once when the player moves, at a slower tick when others do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from realtime.core import messages
from realtime.core.errors import BoardChanged, Unavailable
from realtime.core.model import RankMode
from realtime.core.passing import Climbers, Stand
from realtime.core.points import PlayerPoint
from realtime.core.watched import Place
from realtime.gateway.firsts import Firsts
from realtime.gateway.frame import Frame
from realtime.gateway.pushing import untold
from realtime.gateway.topic import Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from realtime.core.announcement import Move
    from realtime.core.messages import Own, Resume
    from realtime.core.model import Board, BoardSpec
    from realtime.core.ports import Ranking, Standings
    from realtime.gateway.fanout import Fanout
    from realtime.gateway.moves import Moves
    from realtime.gateway.pushing import Pushing
    from realtime.gateway.recall import Recalls

LOOKED_UP: Final = 250
"""Players whose standing is asked for at one go."""
A_WATCHER: Final = 0.0001
"""Seconds that each watched player adds to the tick of others' moves: ten thousand are told once a second."""
SLOWEST: Final = 5.0
CLIMBERS: Final = 256
"""Spans of versions of which it is kept who moved in them."""
_RETRY: Final = 0.2

_Head = tuple[int, int, int, "BoardSpec"]
"""What all points of one version have in common."""


class PlayerTopic(Topic):
    """Where one player stands. `point` is a PlayerPoint, None until it was looked up."""

    __slots__ = ("_players", "player")

    def __init__(self, name: str, fanout: Fanout, player: str, players: Players) -> None:
        super().__init__(name, fanout, players)
        self.player = player
        self._players = players

    def snapshot(self) -> Frame:
        """See the base: a rank that stands for itself."""
        return self._frame(self.point, ())

    def make(self, since: Any) -> Frame:
        """See the base."""
        point: PlayerPoint = self.point
        if since.epoch != point.epoch:
            return self.snapshot()
        if since.stands() == point.stands():
            return self.check_of(point)
        return self._frame(since, self._players.passed(self, since))

    def _frame(self, since: PlayerPoint, passed_by: Sequence[str]) -> Frame:
        return self.frame_to(self.point, since, passed_by)

    def frame_to(self, point: PlayerPoint, since: PlayerPoint, passed_by: Sequence[str]) -> Frame:
        """What leads from one point to another of the same epoch; a rank that stands for itself where they are one."""
        text = messages.rank(self.name, point, since, passed_by)
        return Frame(text, (point.epoch, point.version))

    def check_of(self, point: PlayerPoint) -> Frame:
        """Version, total and checksum of a point."""
        text = messages.check_player(self.name, self.player, point)
        return Frame(text, (point.epoch, point.version))

    def said(self, *, stale: bool) -> Frame:
        """See the base."""
        return Frame(messages.stale(self.name, self._players.clock()) if stale else messages.fresh(self.name))


class Players:
    """The watched players of one board, over its moves. `run` looks up who is new; cancel it to leave."""

    def __init__(
        self,
        moves: Moves,
        recalls: Recalls,
        ranking: Ranking,
        fanout: Fanout,
        *,
        tick: float,
        clock: Callable[[], int],
        pushing: Pushing = untold,
    ) -> None:
        self.topics: dict[str, PlayerTopic] = {}
        self._pushing = pushing
        self._recalls = recalls
        self.clock = clock
        self._moves = moves
        self._ranking = ranking
        self._fanout = fanout
        self._tick = tick
        self._pending: set[str] = set()
        self._wanted = asyncio.Event()
        self._firsts = Firsts()
        self._cooling: set[PlayerTopic] = set()
        self._late: set[PlayerTopic] = set()
        self._cooled: asyncio.TimerHandle | None = None
        self._others: asyncio.TimerHandle | None = None
        self._telling = False
        self._climbers: dict[tuple[int, int], Climbers] = {}
        self._climbers_of = (0, 0)

    @property
    def board(self) -> Board:
        """The board as the epoch of its moves has it."""
        return self._moves.board

    # -- who is watched ------------------------------------------------------------------------------------------------

    def topic(self, name: str, view: Own) -> PlayerTopic:
        """The topic of a player; it is looked up when it is new."""
        topic = self.topics.get(view.player)
        if topic is None:
            topic = self.topics[view.player] = PlayerTopic(name, self._fanout, view.player, self)
            self._want(view.player)
        return topic

    def _want(self, player: str) -> None:
        self._pending.add(player)
        self._wanted.set()

    async def ready(self, topic: PlayerTopic) -> None:
        """Return when it is known where the player stands."""
        await self._firsts.of(topic, topic.player)

    async def recall(self, topic: PlayerTopic, resume: Resume) -> PlayerPoint | None:
        """The point that a client holds; None where it is not known any more."""
        await self._moves.reach_to(*resume)
        await self.ready(topic)
        while self._behind(topic, resume):
            # It heard of versions in which the player stood as before, as members here have not yet.
            self._lead([topic])
            if self._behind(topic, resume):
                # A pass goes on, or an epoch has begun and the player is being looked up.
                await asyncio.sleep(self._tick or _RETRY)
        point = await self._recalls.stood(topic.player, *resume)
        return point if point is not None and point.version <= topic.point.version else None

    def _behind(self, topic: PlayerTopic, resume: Resume) -> bool:
        """Whether a topic that somebody watches can still be led to what a client was told elsewhere."""
        held, moves = topic.point, self._moves
        if self.topics.get(topic.player) is not topic:
            return False
        return (held.epoch, held.version) < resume <= (moves.epoch, moves.version)

    def forget(self, topic: PlayerTopic) -> None:
        """Nobody watches it any more."""
        if self.topics.get(topic.player) is topic:
            del self.topics[topic.player]
            self._pending.discard(topic.player)
            self._cooling.discard(topic)
            self._late.discard(topic)
            self._moves.watched.remove(topic.player)

    def restart(self) -> None:
        """An epoch began: everybody is looked up again."""
        self._pending.update(self.topics)
        self._wanted.set()

    # -- looking up ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look up who is new, many at a time, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            # Before there is an epoch nothing that was read could be taken; `restart` wakes us.
            while self._pending and self._moves.epoch:
                names = [self._pending.pop() for _ in range(min(LOOKED_UP, len(self._pending)))]
                if not await self._look_up(names):
                    self._pending.update(name for name in names if name in self.topics)
                    await asyncio.sleep(_RETRY)

    async def _look_up(self, names: list[str]) -> bool:
        board = self.board
        try:
            found = await self._ranking.standings(board.key, board.spec.columns, names)
        except (Unavailable, BoardChanged):
            return False
        return self._moves.when(found, lambda: self._admit(names, found))

    def _admit(self, names: Sequence[str], found: Standings) -> None:
        places = [
            (name, None if standing is None else Place(standing.row.key, standing.position, standing.rank))
            for name, standing in zip(names, found.standings, strict=True)
            if name in self.topics and name not in self._moves.watched
        ]
        if not self._moves.admit(found.version, places):
            for name, _ in places:
                self._want(name)
            return
        for name, _ in places:
            self._begin(self.topics[name])

    def _begin(self, topic: PlayerTopic) -> None:
        point = self._point(topic)
        if topic.point is None:
            topic.point = point
        elif topic.passing:
            self._late.add(topic)
            self._cool()
        else:
            topic.publish(point)
        self._firsts.came(topic.player)

    def _point(self, topic: PlayerTopic) -> PlayerPoint:
        return PlayerPoint(*self._head(), *(self._moves.watched.tell(topic.player) or ()))

    # -- what moves ----------------------------------------------------------------------------------------------------

    def moved(self, own: Sequence[Move]) -> None:
        """A version was announced: those who moved hear of it at once, the others at their tick."""
        due = []
        for move in own:
            topic = self.topics.get(move.player)
            if topic is None or topic.point is None or move.old == move.new:
                continue
            if topic in self._cooling or topic.passing:
                self._late.add(topic)
                self._cool()
            else:
                due.append(topic)
        origin = self._moves.origin
        pushed = self._pushing(origin) if due and origin is not None else None
        self._tell_own(due)
        if pushed is not None:
            pushed()
        self._plan_others()

    def _tell_own(self, topics: Sequence[PlayerTopic]) -> None:
        """Own changes, and none of these again before the tick is over."""
        self._tell_all(topics)
        if topics and self._tick:
            self._cooling.update(topics)
            self._cool()

    def _cool(self) -> None:
        if self._cooled is None:
            self._cooled = asyncio.get_running_loop().call_later(self._tick, self._tell_late)

    def _tell_late(self) -> None:
        self._cooled = None
        late, self._late = self._late, set()
        self._cooling = set()
        due = [topic for topic in late if not topic.passing and self.topics.get(topic.player) is topic]
        self._late.update(topic for topic in late if topic.passing)
        if self._late:
            self._cool()
        self._tell_own(due)

    def _plan_others(self) -> None:
        if self._others is None and not self._telling and self.topics and not self._firsts.closed:
            pause = max(self._tick, min(SLOWEST, len(self.topics) * A_WATCHER))
            self._others = asyncio.get_running_loop().call_later(pause, self._tell_others)

    def _tell_others(self) -> None:
        """All who stand elsewhere than they were told, as of one version: so who passed is worked out once for all."""
        self._others = None
        self._telling = True
        moves = self._moves
        self._fanout.run(self._rounds(moves.watched.news(), self._head(), moves.version))

    def _head(self) -> _Head:
        moves = self._moves
        return moves.epoch, moves.version, moves.total, moves.board.spec

    def _rounds(self, news: Sequence[tuple[str, Place]], head: _Head, version: int) -> Iterator[None]:
        for part in self._fanout.parts(news):
            if part is None:
                yield
                continue
            due = []
            for name, place in part:
                topic = self.topics.get(name)
                if topic is None or topic.point is None or (topic.point.epoch, topic.point.version) >= head[:2]:
                    # Not a player's, or told of its own move meanwhile.
                    continue
                if topic.passing:
                    self._late.add(topic)
                    self._cool()
                else:
                    due.append((topic, PlayerPoint(*head, *place)))
            self._publish(due, version)
        self._telling = False
        if self._moves.version != version:
            self._plan_others()

    def _tell_all(self, topics: Sequence[PlayerTopic]) -> None:
        """The newest version, to topics of which no pass goes on and which were not led to it meanwhile."""
        moves = self._moves
        newest = moves.epoch, moves.version
        points = [
            (topic, self._point(topic))
            for topic in topics
            if topic.player in moves.watched and (topic.point.epoch, topic.point.version) != newest
        ]
        self._publish(points, moves.version)

    def _publish(self, points: Sequence[tuple[PlayerTopic, PlayerPoint]], version: int) -> None:
        passed = self._passed(
            [(topic, topic.point, point) for topic, point in points if topic.point.epoch == point.epoch], version
        )
        for topic, point in points:
            since = topic.point if topic.point.epoch == point.epoch else point
            topic.publish(point, topic.frame_to(point, since, passed.get(topic.player, ())))

    # -- who passed ----------------------------------------------------------------------------------------------------

    def passed(self, topic: PlayerTopic, since: PlayerPoint) -> Sequence[str]:
        """Who passed between a point and the topic's."""
        changes = [(topic, since, topic.point)]
        return self._passed(changes, topic.point.version).get(topic.player, ())

    def _passed(
        self, changes: Iterable[tuple[PlayerTopic, PlayerPoint, PlayerPoint]], until: int
    ) -> dict[str, list[str]]:
        """Who passed each, between points of which the later ones are of one version."""
        by_version: dict[int, list[Stand]] = {}
        for topic, since, point in changes:
            by_version.setdefault(since.version, []).append(Stand(topic.player, since.key, point.key))
        climbers = self._climbed(by_version, until)
        return {
            stand.player: names
            for version, stands in by_version.items()
            for stand, names in zip(stands, climbers[version].past(stands), strict=True)
        }

    def _climbed(self, versions: Iterable[int], until: int) -> dict[int, Climbers]:
        """Who moved from each of some versions to a later one; kept while others ask for the same."""
        log = self._moves.log
        if self._climbers_of != (self._moves.epoch, log.first) or len(self._climbers) > CLIMBERS:
            self._climbers, self._climbers_of = {}, (self._moves.epoch, log.first)
        held = self._climbers
        shared = self.board.spec.ranks is RankMode.COMPETITION
        for version, net in log.nets([one for one in versions if (one, until) not in held], until).items():
            held[version, until] = Climbers(net, shared=shared)
        return {version: held[version, until] for version in versions}

    # -- keeping true --------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Lead every watcher whose rank is as it was to the newest version, in slices."""
        self._fanout.run(self._checks(list(self.topics.values())))

    def _checks(self, topics: Sequence[PlayerTopic]) -> Iterator[None]:
        for part in self._fanout.parts(topics):
            if part is None:
                yield
            else:
                self._lead(part, changed=False)

    def _lead(self, topics: Sequence[PlayerTopic], *, changed: bool = True) -> None:
        """Tell the newest version; to who stands elsewhere only if `changed`: else their tick tells them."""
        moves = self._moves
        moved = []
        for topic in topics:
            held = topic.point
            if held is None or topic.passing or self.topics.get(topic.player) is not topic:
                continue
            if held.epoch != moves.epoch or held.version == moves.version or topic.player not in moves.watched:
                continue
            place = moves.watched.place(topic.player)
            if held.stands() == ((b"", None, None) if place is None else place):
                point = PlayerPoint(*self._head(), *(place or ()))
                self._fanout.checks += 1
                topic.publish(point, topic.check_of(point))
            elif changed:
                moved.append(topic)
        self._tell_all(moved)

    def close(self) -> None:
        """Nothing is to come any more."""
        for timer in (self._cooled, self._others):
            if timer is not None:
                timer.cancel()
        self._firsts.close()
