"""The top of a board as a topic: deltas between windows, at most one a tick."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from realtime.core import delta, messages
from realtime.gateway.frame import Frame
from realtime.gateway.pushing import nothing, untold
from realtime.gateway.topic import WORTH_COMPARING, Topic

if TYPE_CHECKING:
    from collections.abc import Callable

    from realtime.core.announcement import Origin
    from realtime.core.messages import Resume, Top
    from realtime.core.model import Board, RankMode
    from realtime.core.window import Window
    from realtime.gateway.fanout import Fanout
    from realtime.gateway.feed import Feed
    from realtime.gateway.pushing import Pushing


class TopTopic(Topic):
    """The first `limit` rows. `point` is a Window; `newest` is told of each version.

    The first change goes out at once, then at most one frame a tick. A pass that takes longer than a tick delays the next.
    """

    __slots__ = ("_checked", "_mode", "_newest", "_origin", "_pushed", "_shot", "_timer", "_tops", "limit", "mode")

    def __init__(self, name: str, fanout: Fanout, tops: Tops, limit: int) -> None:
        super().__init__(name, fanout, tops)
        self.limit = limit
        self.mode = self._mode = tops.board().spec.ranks
        """How `point` ranks; and how what comes next does."""
        self._newest: Any = None
        self._origin: Origin | None = None
        """Where that comes from which `newest` has and `point` has not."""
        self._pushed: Callable[[], None] = nothing
        self._tops = tops
        self._timer: asyncio.TimerHandle | None = None
        self._shot: tuple[Window, Frame] | None = None
        self._checked: object = None

    def start(self, window: Window) -> None:
        """The first window."""
        self.point = self._newest = window

    def changed(self, window: Window, mode: RankMode, origin: Origin | None = None) -> None:
        """The board's next version."""
        self._newest, self._mode = window, mode
        self._origin = origin if self._origin is None else self._origin.joined(origin)
        if self.point is None:
            self.point = window
        elif self._timer is None and not self.passing:
            self._flush()

    def _flush(self) -> None:
        self._timer = None
        if self.passing:
            return
        origin, self._origin = self._origin, None
        if self._shows(self._newest):
            return
        # Before the frame goes: with a tick of nothing, what the pass leads to may be the next one.
        self.mode = self._mode
        tick = self._tops.tick
        self._timer = asyncio.get_running_loop().call_later(tick, self._flush) if tick else None
        if origin is not None:
            self._pushed = self._tops.pushing(origin)
        self.publish(self._newest)

    def _shows(self, window: Window) -> bool:
        """Whether the members have these rows, at whatever version they were told them."""
        if self.point.epoch != window.epoch:
            return False
        return self.point.rows is window.rows or self.point.rows[: self.limit] == window.rows[: self.limit]

    def ended(self) -> None:
        """A pass is over: what came meanwhile is due where the tick is over, too."""
        pushed, self._pushed = self._pushed, nothing
        pushed()
        self._tops.told.set()
        self._tops.told.clear()
        if self._timer is None:
            self._flush()

    def carry(self) -> bool:
        """Lead everybody to the newest version although it shows the same; False where a pass or a tick is in the way."""
        if self.passing or not self._shows(self._newest):
            return False
        if self.point is not self._newest:
            self.publish(self._newest)
        return True

    def check(self) -> None:
        """Let everybody verify the list, and lead them to the newest version, if anything moved since the last time."""
        if self.point is None or self.passing or self._checked is self._newest:
            return
        self._checked = self._newest
        target = self._newest if self._shows(self._newest) else self.point
        self.fanout.checks += 1
        self.publish(target, self._check(target))

    def close(self) -> None:
        """Nothing is to come any more."""
        if self._timer is not None:
            self._timer.cancel()

    # -- frames --------------------------------------------------------------------------------------------------------

    def snapshot(self) -> Frame:
        """The whole list at `point`. Made once."""
        if self._shot is None or self._shot[0] is not self.point:
            point = self.point
            text = messages.snapshot(self.name, point, self.limit, self.mode)
            self._shot = point, Frame(text, (point.epoch, point.version))
        return self._shot[1]

    def make(self, since: Any) -> Frame:
        """See the base."""
        point: Window = self.point
        if since.epoch != point.epoch:
            return self.snapshot()
        if since.rows is point.rows or since.rows[: self.limit] == point.rows[: self.limit]:
            return self._check(point)
        ops = delta.diff(since.rows[: self.limit], point.rows[: self.limit])
        text = messages.delta(self.name, point, since.version, ops)
        if len(text) > WORTH_COMPARING and len(self.snapshot().text) < len(text):
            return self.snapshot()
        return Frame(text, (point.epoch, point.version))

    def _check(self, point: Window) -> Frame:
        return Frame(messages.check(self.name, point, self.limit), (point.epoch, point.version))

    def said(self, *, stale: bool) -> Frame:
        """See the base."""
        return Frame(messages.stale(self.name, self._tops.clock()) if stale else messages.fresh(self.name))


class Tops:
    """The watched tops of one board, over its feed."""

    def __init__(
        self, feed: Feed, fanout: Fanout, *, tick: float, clock: Callable[[], int], pushing: Pushing = untold
    ) -> None:
        self.topics: dict[str, TopTopic] = {}
        self.told = asyncio.Event()
        """Set for a moment whenever a topic's members have been told something."""
        self.tick = tick
        self.clock = clock
        self.pushing = pushing
        self._feed = feed
        self._fanout = fanout

    def board(self) -> Board:
        """The board as its epoch has it."""
        return self._feed.board

    def topic(self, name: str, view: Top) -> TopTopic:
        """The topic of so many rows."""
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = TopTopic(name, self._fanout, self, view.limit)
        return topic

    async def ready(self, topic: TopTopic) -> None:
        """Return when there is a window."""
        window = await self._feed.ready()
        if topic.point is None:
            topic.start(window)

    async def recall(self, topic: TopTopic, resume: Resume) -> Window | None:
        """The top that a client holds; None where it is not known any more, or cannot be led on from."""
        point = await self._feed.recall(*resume)
        while (topic.point.epoch, topic.point.version) < resume <= self._held() and not topic.carry():
            # It was told elsewhere what members here are told with the next frame.
            await self.told.wait()
        return point if point is not None and point.version <= topic.point.version else None

    def _held(self) -> Resume:
        window = self._feed.window
        return (0, 0) if window is None else (window.epoch, window.version)

    def forget(self, topic: TopTopic) -> None:
        """Nobody watches it any more."""
        if self.topics.get(topic.name) is topic:
            del self.topics[topic.name]
        topic.close()

    def show(self) -> None:
        """The feed has another window."""
        window, origin = self._feed.window, self._feed.origin
        self._feed.origin = None
        if window is not None:
            for topic in list(self.topics.values()):
                topic.changed(window, self._feed.board.spec.ranks, origin)

    def check(self) -> None:
        """Let every watcher verify its list."""
        for topic in list(self.topics.values()):
            topic.check()

    def close(self) -> None:
        """Nothing is to come any more."""
        for topic in list(self.topics.values()):
            topic.close()
