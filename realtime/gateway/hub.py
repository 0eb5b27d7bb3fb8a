"""Who watches what on this node, and how frames reach them.

The first change of a topic goes out at once, then at most one frame a tick. A frame is made once and handed to every
connection; one whose socket is full is skipped and gets a single merged frame when it has room.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from realtime.core import messages
from realtime.core.errors import (
    BoardUnknown,
    Forbidden,
    RankcastError,
    RankingUnavailable,
    TopicsExceeded,
    TopicUnknown,
)
from realtime.gateway.connection import Subscription
from realtime.gateway.feed import Feed
from realtime.gateway.topic import Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from realtime.core.identity import Principal
    from realtime.core.messages import Id, SubscribeTop
    from realtime.core.model import Board
    from realtime.core.ports import Bus, Ranking
    from realtime.core.window import Window
    from realtime.gateway.connection import Connection
    from realtime.gateway.directory import Directory


def may_read(board: Board, principal: Principal | None) -> None:
    """Whether this caller may see the board. Raises Forbidden: a private board takes a token."""
    if not board.spec.public and principal is None:
        raise Forbidden(f"board {board.name!r} is private")


class _Watched:
    """A board somebody here watches or has just read."""

    __slots__ = ("board", "feed", "since_check", "stale", "subscriptions", "task", "timers", "topics")

    def __init__(self, feed: Feed, task: asyncio.Task[None]) -> None:
        self.board = feed.board
        """The board by which its watchers were let in."""
        self.feed = feed
        self.task = task
        self.stale = False
        self.topics: dict[str, Topic] = {}
        self.subscriptions: dict[str, dict[Connection, Subscription]] = {}
        self.timers: dict[str, asyncio.TimerHandle] = {}
        self.since_check: dict[str, int] = {}


class Hub:
    """`tick` seconds lie between two frames of a topic; `spawn` starts a task that somebody owns."""

    def __init__(
        self,
        directory: Directory,
        ranking: Ranking,
        bus: Bus,
        *,
        spawn: Callable[[Coroutine[object, object, None]], asyncio.Task[None]],
        tick: float,
        check_every: float,
        read_interest: float,
        max_topics: int,
        heartbeat: int,
        wall_clock: Callable[[], int],
    ) -> None:
        self.directory = directory
        self.connections: set[Connection] = set()
        self.deliveries = 0
        self.skipped = 0
        self._ended_resyncs = 0
        self.drift = 0
        self._ranking = ranking
        self._bus = bus
        self._spawn = spawn
        self._tick = tick
        self._check_every = check_every
        self._read_interest = read_interest
        self._max_topics = max_topics
        self.heartbeat = heartbeat
        self._wall_clock = wall_clock
        self._boards: dict[str, _Watched] = {}

    @property
    def resyncs(self) -> int:
        """Times a board was read again because an announcement was missing or late."""
        return self._ended_resyncs + sum(watched.feed.resyncs for watched in self._boards.values())

    @property
    def watched(self) -> int:
        """Boards that this node follows."""
        return len(self._boards)

    # -- reading -----------------------------------------------------------------------------------------------------

    def feed(self, board: Board) -> Feed | None:
        """The board's feed if it is current; a read keeps a board followed for a while. Never waits."""
        watched = self._boards.get(board.name)
        if watched is None or watched.feed.board.key != board.key:
            return None
        watched.feed.last_read = _now()
        return watched.feed if watched.feed.fresh else None

    def follow(self, board: Board) -> Feed:
        """Begin to follow a board, or go on."""
        return self._watch(board).feed

    # -- watching ----------------------------------------------------------------------------------------------------

    async def subscribe(self, connection: Connection, request: SubscribeTop) -> None:
        """Watch a top; a second time sends a new snapshot without doubling the frames.

        Raises BoardUnknown, Forbidden, TopicsExceeded, RankingUnavailable.
        """
        board = await self.directory.get(request.board)
        may_read(board, connection.principal)
        name = messages.top_topic(board.name, request.limit)
        if name not in connection.subscriptions and len(connection.subscriptions) >= self._max_topics:
            raise TopicsExceeded(f"a connection watches at most {self._max_topics} topics")
        watched = self._watch(board)
        # Watched from here on: the sweep must not end the feed while we wait for its first window.
        held = watched.subscriptions.setdefault(name, {})
        subscription = held.get(connection) or Subscription(connection, Topic(name, request.limit, board.spec.ranks))
        held[connection] = connection.subscriptions[name] = subscription
        try:
            async with asyncio.timeout(self._check_every):
                await watched.feed.ready()
        except TimeoutError as error:
            self._forget(connection, name)
            raise RankingUnavailable("the ranking is away") from error
        if connection.subscriptions.get(name) is not subscription:
            return
        try:
            # What the directory told may be a moment old; the feed read the board under the epoch that it shows.
            may_read(watched.feed.board, connection.principal)
        except Forbidden:
            self._forget(connection, name)
            raise
        topic = self._topic(watched, name, request.limit)
        subscription.topic = topic
        connection.reply(messages.subscribed(request.id, name, "snapshot"))
        connection.reply(topic.snapshot())
        self._told(subscription)

    def unsubscribe(self, connection: Connection, topic: str, request: Id | None) -> None:
        """Stop watching a topic. Raises TopicUnknown."""
        if topic not in connection.subscriptions:
            raise TopicUnknown(f"this connection does not watch {topic!r}")
        self._forget(connection, topic)
        connection.reply(messages.unsubscribed(request, topic))

    def join(self, connection: Connection) -> None:
        """A connection has come."""
        self.connections.add(connection)
        connection.reply(messages.welcome(self.heartbeat, round(self._tick * 1000)))

    def leave(self, connection: Connection) -> None:
        """A connection has gone."""
        for topic in list(connection.subscriptions):
            self._forget(connection, topic)
        self.connections.discard(connection)

    def catch_up(self, connection: Connection) -> None:
        """The socket has room again: one merged frame a topic, from what it was last told."""
        connection.behind = False
        for name, subscription in list(connection.subscriptions.items()):
            if self._send(subscription):
                # To the end of the queue: a socket with room for two frames must not show the same two topics for ever.
                connection.subscriptions[name] = connection.subscriptions.pop(name)

    def _forget(self, connection: Connection, topic: str) -> None:
        connection.subscriptions.pop(topic, None)
        watched = self._boards.get(topic.split("/", 1)[0])
        if watched is None:
            return
        watchers = watched.subscriptions.get(topic, {})
        watchers.pop(connection, None)
        if not watchers:
            watched.subscriptions.pop(topic, None)
            watched.topics.pop(topic, None)
            watched.since_check.pop(topic, None)
            if timer := watched.timers.pop(topic, None):
                timer.cancel()

    def _watch(self, board: Board) -> _Watched:
        watched = self._boards.get(board.name)
        if watched is not None and watched.feed.board.key == board.key:
            watched.feed.last_read = _now()
            return watched
        if watched is not None:
            self._close_board(watched, BoardUnknown(f"board {board.name!r} is another one now"))
        feed = Feed(
            board,
            self._ranking,
            self._bus,
            look=self._look,
            changed=self._changed,
            away=self._away,
            gone=self._gone,
        )
        feed.last_read = _now()
        watched = self._boards[board.name] = _Watched(feed, self._spawn(feed.run()))
        return watched

    def _topic(self, watched: _Watched, name: str, limit: int) -> Topic:
        topic = watched.topics.get(name)
        if topic is None:
            topic = watched.topics[name] = Topic(name, limit, watched.feed.board.spec.ranks)
            topic.advance(_window(watched.feed), watched.feed.board.spec.ranks)
        return topic

    # -- frames ------------------------------------------------------------------------------------------------------

    def _changed(self, feed: Feed) -> None:
        watched = self._boards.get(feed.board.name)
        if watched is None or watched.feed is not feed:
            return
        window = _window(feed)
        if watched.board is not feed.board:
            # Read again: nobody is shown what is new before it is known who may see it.
            watched.board = feed.board
            self._authorise(watched)
        if watched.stale:
            watched.stale = False
            self._say(watched, messages.fresh)
        for name, topic in watched.topics.items():
            if topic.advance(window, feed.board.spec.ranks) and name not in watched.timers:
                self._flush(watched, name)

    def _flush(self, watched: _Watched, name: str) -> None:
        """Send now, then hold back until the tick is over."""
        watched.timers.pop(name, None)
        sent = False
        for subscription in list(watched.subscriptions.get(name, {}).values()):
            sent = self._send(subscription) or sent
        if sent:
            loop = asyncio.get_running_loop()
            watched.timers[name] = loop.call_later(self._tick, self._flush, watched, name)

    def _send(self, subscription: Subscription) -> bool:
        """Bring a watcher to the newest state; whether that took a frame. One that is behind is merged forward later."""
        topic = subscription.topic
        if topic.window is None or not subscription.epoch:
            return False
        if subscription.connection.behind:
            self.skipped += 1
            return False
        frame = topic.frame(subscription.epoch, subscription.version)
        if frame is None:
            return False
        if not subscription.connection.write(frame):
            self.skipped += 1
            return False
        self.deliveries += 1
        self._told(subscription)
        return True

    def _told(self, subscription: Subscription) -> None:
        window = subscription.topic.window
        if window is not None:
            subscription.epoch, subscription.version = window.epoch, window.version

    def _away(self, feed: Feed) -> None:
        watched = self._boards.get(feed.board.name)
        if watched is None or watched.feed is not feed:
            return
        watched.stale = True
        self._say(watched, lambda topic: messages.stale(topic, self._wall_clock()))

    def _say(self, watched: _Watched, message: Callable[[str], bytes]) -> None:
        for name, watchers in watched.subscriptions.items():
            frame = message(name)
            for connection, subscription in watchers.items():
                if subscription.epoch:
                    connection.reply(frame)

    # -- who may see it ----------------------------------------------------------------------------------------------

    async def _look(self, name: str) -> Board:
        self.directory.forget(name)
        return await self.directory.get(name)

    def _authorise(self, watched: _Watched) -> None:
        """Let go of who may not see the board any more, and say so. Who waits for its first list is asked later."""
        for topic, watchers in list(watched.subscriptions.items()):
            for connection in [connection for connection, subscription in watchers.items() if subscription.epoch]:
                try:
                    may_read(watched.board, connection.principal)
                except Forbidden as error:
                    self._let_go(connection, topic, error)

    def _gone(self, feed: Feed, error: BoardUnknown) -> None:
        watched = self._boards.get(feed.board.name)
        if watched is not None and watched.feed is feed:
            self._close_board(watched, error)

    def _close_board(self, watched: _Watched, error: BoardUnknown) -> None:
        for topic, watchers in list(watched.subscriptions.items()):
            for connection in list(watchers):
                self._let_go(connection, topic, error)
        self._end(watched)

    def _let_go(self, connection: Connection, topic: str, error: RankcastError) -> None:
        self._forget(connection, topic)
        connection.reply(messages.error(error.code, str(error), topic=topic))

    # -- keeping true ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send checks, compare versions with the ranking, and drop boards that nobody wants; until cancelled."""
        while True:
            await asyncio.sleep(self._check_every)
            for name, watched in list(self._boards.items()):
                if self._boards.get(name) is not watched:
                    continue
                if not watched.subscriptions and watched.feed.last_read < _now() - self._read_interest:
                    self._end(watched)
                    continue
                self._send_checks(watched)
                await self._compare(watched)

    def _send_checks(self, watched: _Watched) -> None:
        for name, topic in watched.topics.items():
            if topic.window is None or watched.since_check.get(name) == topic.window.version:
                continue
            watched.since_check[name] = topic.window.version
            frame = topic.check()
            for subscription in watched.subscriptions.get(name, {}).values():
                current = subscription.epoch == topic.window.epoch and subscription.version >= topic.shown
                if current and subscription.connection.write(frame):
                    self._told(subscription)

    async def _compare(self, watched: _Watched) -> None:
        """Find silent loss: the ranking is ahead of what we hold, and nothing has come."""
        feed = watched.feed
        held = feed.window
        try:
            epoch, version = await self._ranking.position(feed.board.key)
        except RankingUnavailable:
            await self._compare_board(watched)
            return
        now = feed.window
        if held is not None and now is held and (epoch, version) > (held.epoch, held.version):
            self.drift += 1
            feed.resync()

    async def _compare_board(self, watched: _Watched) -> None:
        """The ranking has no such board, or does not answer: see whether there still is one."""
        feed = watched.feed
        try:
            if (await self._look(feed.board.name)).key != feed.board.key:
                self._gone(feed, BoardUnknown(f"board {feed.board.name!r} is another one now"))
        except BoardUnknown as error:
            self._gone(feed, error)
        except RankcastError:
            return

    def _end(self, watched: _Watched) -> None:
        watched.task.cancel()
        for timer in watched.timers.values():
            timer.cancel()
        self._ended_resyncs += watched.feed.resyncs
        del self._boards[watched.feed.board.name]


def _window(feed: Feed) -> Window:
    if feed.window is None:
        raise LookupError(f"{feed.board.name} has no window yet")
    return feed.window


def _now() -> float:
    return asyncio.get_running_loop().time()
