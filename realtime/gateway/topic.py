"""What many connections watch together: the state that all of them were told, and how the next one reaches them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, Protocol

from realtime.gateway.members import OUT, Members, Subscription

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realtime.core.messages import Resume
    from realtime.gateway.connection import Connection
    from realtime.gateway.fanout import Fanout
    from realtime.gateway.frame import Frame

WORTH_COMPARING: Final = 1024
"""A merged delta of more bytes is compared with the snapshot, and the smaller one goes."""


class Keeper(Protocol):
    """What keeps all topics of one kind of a board."""

    async def ready(self, topic: Any) -> None:
        """Return when the topic has a point. Raises RankcastError."""

    async def recall(self, topic: Any, resume: Resume) -> Any:
        """The point that a client holds; None where it is not known any more."""

    def forget(self, topic: Any) -> None:
        """Nobody watches it any more."""


class Topic(ABC):
    """`point` is the state that every member in step was told, or is being told by the pass that goes on.

    A point carries `epoch` and `version`. A frame leads from one point to the newest; it is made once for all who stand
    there.
    """

    __slots__ = (
        "_frames",
        "_groups",
        "_unsaid",
        "_was_stale",
        "fanout",
        "keeper",
        "name",
        "passing",
        "point",
        "previous",
        "stale",
        "watchers",
    )

    def __init__(self, name: str, fanout: Fanout, keeper: Keeper) -> None:
        self.name = name
        self.keeper = keeper
        self.fanout = fanout
        self.point: Any = None
        self.previous: Any = None
        """Where the members stand that a pass has not reached."""
        self.passing = False
        self.stale = False
        """Whether every member in step was told that the ranking is away, or is being told by the pass that goes on."""
        self.watchers = 0
        self._groups: tuple[Members, ...] = ()
        self._frames: dict[tuple[int, int], Frame] | None = None
        self._was_stale = False
        """What the members were told that a pass has not reached."""
        self._unsaid: bool | None = None
        """What is to be said when the pass is over."""

    # -- what each kind of topic makes ---------------------------------------------------------------------------------

    @abstractmethod
    def snapshot(self) -> Frame:
        """The whole state at `point`."""

    @abstractmethod
    def make(self, since: Any) -> Frame:
        """What leads from another point to `point`; the snapshot where that is smaller or nothing else does."""

    @abstractmethod
    def said(self, *, stale: bool) -> Frame:
        """That the ranking is away, or back."""

    def ended(self) -> None:  # noqa: B027 - only some kinds have more to tell
        """A pass is over, or there was nobody to tell."""

    # -- coming and going ----------------------------------------------------------------------------------------------

    def frame(self, since: Any) -> Frame:
        """As `make`, once for all who stand there."""
        if self._frames is None:
            self._frames = {}
        mark = since.epoch, since.version
        made = self._frames.get(mark)
        if made is None:
            made = self._frames[mark] = self.make(since)
        return made

    def join(self, subscription: Subscription) -> None:
        """Put in step a watcher that was told `point`; it waits outside while it is held back."""
        subscription.stale = self.stale
        if subscription.connection.held_back:
            subscription.point = self.point
            return
        subscription.point = None
        self._group_for(subscription.connection).add(subscription)

    def leave(self, subscription: Subscription) -> None:
        """A watcher has gone."""
        if subscription.index != OUT:
            self._group_of(subscription).remove(subscription)
        self.watchers -= 1

    def hold_back(self, subscription: Subscription) -> None:
        """Its socket is full: it stays where it stands until there is room."""
        if subscription.index != OUT:
            group = self._group_of(subscription)
            if group.awaits(subscription):
                subscription.point, subscription.stale = self.previous, self._was_stale
            else:
                subscription.point, subscription.stale = self.point, self.stale
            group.remove(subscription)

    def bring_forward(self, subscription: Subscription) -> None:
        """Its socket has room: one frame from where it stands, and it is in step."""
        if subscription.index != OUT or subscription.point is None:
            return
        connection = subscription.connection
        if subscription.point is not self.point:
            connection.write(self.frame(subscription.point).encoded(connection.encoding))
            self.fanout.merged += 1
            self.fanout.deliveries += 1
        if subscription.stale != self.stale:
            connection.write(self.said(stale=self.stale).encoded(connection.encoding))
        self.join(subscription)

    def _group_for(self, connection: Connection) -> Members:
        direct = connection.fd >= 0
        for group in self._groups:
            if group.encoding is connection.encoding and group.direct is direct:
                return group
        group = Members(connection.encoding, direct=direct)
        self._groups += (group,)
        return group

    def _group_of(self, subscription: Subscription) -> Members:
        """Where it is; what its connection says of itself may have changed since it came there."""
        return next(group for group in self._groups if group.holds(subscription))

    # -- passes --------------------------------------------------------------------------------------------------------

    def publish(self, point: Any, frame: Frame | None = None) -> None:
        """Tell everybody in step the next point. Not while a pass goes on."""
        self.previous, self.point = self.point, point
        self._was_stale = self.stale
        self._frames = None
        if self._groups and self.previous is not None:
            self._pass(frame or self.frame(self.previous))
        else:
            self.ended()

    def say(self, *, stale: bool) -> None:
        """Tell everybody that the ranking is away, or back; those in step at once, or after the pass that goes on."""
        self._unsaid = stale
        if not self.passing:
            self._say(stale=stale)

    def _say(self, *, stale: bool) -> None:
        self._unsaid = None
        self.previous = self.point
        self._was_stale, self.stale = self.stale, stale
        self._pass(self.said(stale=stale))

    def _pass(self, frame: Frame) -> None:
        self.passing = True
        for group in self._groups:
            group.begin()
        self.fanout.skipped += self.watchers - sum(map(len, self._groups))
        self.fanout.run(self._slices(frame))

    def _slices(self, frame: Frame) -> Iterator[None]:
        for group in self._groups:
            while True:
                self.fanout.deliveries += group.send(frame, self.fanout.slice, self.fanout.send_frames)
                if group.done:
                    break
                yield
        for group in self._groups:
            group.finish()
        self.previous = None
        self.passing = False
        if self.watchers == 1:
            # Nobody to share it with; ten thousand players who watch themselves would keep ten thousand of them.
            self._frames = None
        if self._unsaid is not None:
            self._say(stale=self._unsaid)
        else:
            self.ended()
