"""Who shares a topic's frames: arrays of descriptors that a pass goes through in slices.

Everybody in them stands at the topic's point, so one frame serves all. Who comes and who goes during a pass must neither
be skipped nor served twice: whoever leaves becomes a hole that is closed when the pass is over, whoever joins stands behind
its end.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from realtime.gateway.connection import Connection
    from realtime.gateway.frame import Encoding, Frame
    from realtime.gateway.topic import Topic

    SendFrames = Callable[[array[int], int, int, bytes], list[tuple[int, int]]]

OUT = -1


class Subscription:
    """One topic on one connection.

    `index` is its place among the members, OUT where it is not in step: then `point` is the state that it was last told.
    """

    __slots__ = ("connection", "index", "point", "stale", "topic")

    def __init__(self, connection: Connection, topic: Topic) -> None:
        self.connection = connection
        self.topic = topic
        self.index = OUT
        self.point: object = None
        self.stale = False
        """Whether it was last told that the ranking is away."""


class Members:
    """The members of one topic that are written to alike: by one encoding, straight to the descriptor or not."""

    __slots__ = ("_cursor", "_end", "_holes", "direct", "encoding", "fds", "subscriptions")

    def __init__(self, encoding: Encoding, *, direct: bool) -> None:
        self.encoding = encoding
        self.fds = array("i")
        self.subscriptions: list[Subscription | None] = []
        self.direct = direct
        self._cursor = 0
        self._end = 0
        self._holes = 0

    def __len__(self) -> int:
        return len(self.subscriptions) - self._holes

    def add(self, subscription: Subscription) -> None:
        """Put in step; a pass that goes on does not reach it."""
        subscription.index = len(self.subscriptions)
        self.subscriptions.append(subscription)
        self.fds.append(subscription.connection.fd)

    def remove(self, subscription: Subscription) -> None:
        """Take out of step."""
        index, subscription.index = subscription.index, OUT
        if self._end:
            self.subscriptions[index] = None
            self.fds[index] = OUT
            self._holes += 1
            return
        last = self.subscriptions.pop()
        fd = self.fds.pop()
        if last is not None and last is not subscription:
            self.subscriptions[index] = last
            self.fds[index] = fd
            last.index = index

    def holds(self, subscription: Subscription) -> bool:
        """Whether it is here."""
        index = subscription.index
        return index < len(self.subscriptions) and self.subscriptions[index] is subscription

    def awaits(self, subscription: Subscription) -> bool:
        """Whether the pass that goes on has not reached it yet."""
        return self._cursor <= subscription.index < self._end

    def begin(self) -> None:
        """A pass begins: it reaches everybody who is here now."""
        self._cursor, self._end = 0, len(self.subscriptions)

    def send(self, frame: Frame, most: int, send_frames: SendFrames) -> int:
        """Serve the next slice of the pass, at most `most` places; how many connections were served."""
        start = self._cursor
        # Moved on before anybody is written to: who is held back while it is served has been served.
        stop = self._cursor = min(start + most, self._end)
        if start == stop:
            return 0
        data = frame.encoded(self.encoding)
        # Nobody's subscription is touched where there is no need to: a thousand of them are in no cache.
        served = stop - start - (self.subscriptions[start:stop].count(None) if self._holes else 0)
        if self.direct:
            for index, taken in send_frames(self.fds, start, stop, data):
                unsent = self.subscriptions[index]
                if unsent is not None:
                    # The transport keeps the rest, or finds the fault for itself.
                    unsent.connection.write(data[taken:] if taken > 0 else data)
        else:
            for subscription in self.subscriptions[start:stop]:
                if subscription is not None and subscription.index != OUT:
                    subscription.connection.write(data)
        return served

    @property
    def done(self) -> bool:
        """Whether the pass has reached everybody."""
        return self._cursor >= self._end

    def finish(self) -> None:
        """The pass is over: close the holes."""
        self._cursor = self._end = 0
        if not self._holes:
            return
        kept = [subscription for subscription in self.subscriptions if subscription is not None]
        for index, subscription in enumerate(kept):
            subscription.index = index
        self.subscriptions = list(kept)
        self.fds = array("i", [subscription.connection.fd for subscription in kept])
        self._holes = 0
