"""Who watches what on this node: boards, their topics and the connections that share them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from realtime.core import messages
from realtime.core.errors import (
    BoardUnknown,
    FieldInvalid,
    Forbidden,
    RankcastError,
    RankingUnavailable,
    TopicsExceeded,
    TopicUnknown,
    Unauthenticated,
)
from realtime.core.identity import Role
from realtime.core.messages import ME, Around, Authenticate, Own, Ping, Subscribe, Unsubscribe
from realtime.gateway.followed import Followed
from realtime.gateway.members import Subscription

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from realtime.core.identity import Identity, Principal
    from realtime.core.messages import Id, View
    from realtime.core.model import Board
    from realtime.gateway.connection import Connection
    from realtime.gateway.directory import Directory
    from realtime.gateway.feed import Feed
    from realtime.gateway.followed import Shell
    from realtime.gateway.topic import Topic
    from realtime.gateway.watch import Watch


_COMPARED: Final = 32
"""Boards whose versions are compared at a time."""


def may_read(board: Board, principal: Principal | None) -> None:
    """Whether this caller may see the board. Raises Forbidden: a private board takes a token."""
    if not board.spec.public and principal is None:
        raise Forbidden(f"board {board.name!r} is private")


class Hub:
    """Answers what connections ask (the protocol `Sessions`), and keeps true what they were told.

    `patience` is how long a first list is waited for; `watch` minds the connections themselves. Times are seconds.
    """

    def __init__(
        self,
        directory: Directory,
        shell: Shell,
        identity: Identity,
        watch: Watch,
        *,
        check_every: float,
        patience: float,
        read_interest: float,
        max_topics: int,
        heartbeat: int,
    ) -> None:
        self.directory = directory
        self.shell = shell
        self.watch = watch
        self.drift = 0
        """Times the ranking was ahead of what this node held, unannounced."""
        self.asked_again = 0
        """Subscriptions to what a connection watched already: a client that found itself out of step asks so."""
        self.resumed = 0
        self.started = 0
        """Subscriptions that were led on from where they were, and those that were told afresh."""
        self._ended_resyncs = 0
        self._identity = identity
        self._check_every = check_every
        self._patience = patience
        self._read_interest = read_interest
        self._max_topics = max_topics
        self._heartbeat = heartbeat
        self._boards: dict[str, Followed] = {}

    @property
    def connections(self) -> int:
        """Live connections."""
        return len(self.watch)

    @property
    def resyncs(self) -> int:
        """Times something was read again because an announcement was missing or late."""
        return self._ended_resyncs + sum(followed.resyncs for followed in self._boards.values())

    @property
    def watched(self) -> int:
        """Boards that this node follows."""
        return len(self._boards)

    # -- reading -------------------------------------------------------------------------------------------------------

    def feed(self, board: Board) -> Feed | None:
        """The board's feed if it is current; a read keeps a board followed for a while. Never waits."""
        followed = self._boards.get(board.name)
        if followed is None or followed.feed.board.key != board.key:
            return None
        followed.feed.last_read = _now()
        return followed.feed if followed.feed.fresh else None

    def follow(self, board: Board) -> Feed:
        """Begin to follow a board, or go on."""
        return self._follow(board).feed

    def _follow(self, board: Board) -> Followed:
        followed = self._boards.get(board.name)
        if followed is not None and followed.feed.board.key != board.key:
            self._close_board(followed, BoardUnknown(f"board {board.name!r} is another one now"))
            followed = None
        if followed is None:
            followed = self._boards[board.name] = Followed(
                board, self.shell, look=self._look, changed=self._changed, away=self._away, gone=self._close_board
            )
        followed.feed.last_read = _now()
        return followed

    # -- connections ---------------------------------------------------------------------------------------------------

    def join(self, connection: Connection) -> None:
        """A connection has come."""
        self.watch.add(connection)
        connection.reply(messages.welcome(self._heartbeat, round(self.shell.tick * 1000)))

    def leave(self, connection: Connection) -> None:
        """A connection has gone."""
        left, connection.subscriptions = connection.subscriptions, ()
        for subscription in left:
            self._forget(subscription)
        self.watch.discard(connection)

    def hold_back(self, connection: Connection) -> None:
        """Its socket is full: what it watches goes on without it."""
        for subscription in connection.subscriptions:
            subscription.topic.hold_back(subscription)

    def make_room(self, connection: Connection) -> None:
        """Its socket has room: one merged frame for each of its topics, as far as there is room."""
        for subscription in connection.subscriptions:
            if connection.held_back:
                break
            subscription.topic.bring_forward(subscription)
        # The last first the next time: a socket with room for one frame must not show the same topic for ever.
        if connection.held_back and len(connection.subscriptions) > 1:
            connection.subscriptions = connection.subscriptions[-1:] + connection.subscriptions[:-1]

    def received(self, connection: Connection, text: bytes) -> Coroutine[Any, Any, None] | None:
        """A message came. A coroutine where the answer has to be waited for."""
        try:
            request = messages.parse(text)
            match request:
                case Subscribe():
                    return self._answered(connection, request.id, self.subscribe(connection, request))
                case Unsubscribe():
                    self.unsubscribe(connection, request.topic, request.id)
                case Authenticate():
                    known = self._identity.known(request.token)
                    if known is None:
                        asked = messages.request_id(text)
                        return self._answered(connection, asked, self._authenticate(connection, request.token))
                    self._authenticated(connection, known)
                case Ping():
                    connection.reply(messages.pong())
        except RankcastError as error:
            connection.reply(messages.error(error.code, str(error), messages.request_id(text)))
        return None

    async def _answered(self, connection: Connection, request: Id | None, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except RankcastError as error:
            connection.reply(messages.error(error.code, str(error), request))

    async def _authenticate(self, connection: Connection, token: str) -> None:
        self._authenticated(connection, await self._identity.verify(token))

    def _authenticated(self, connection: Connection, principal: Principal) -> None:
        if connection.gone:
            return
        self.watch.expires(connection, principal)
        connection.reply(messages.authenticated(principal.expires_at))

    # -- watching ------------------------------------------------------------------------------------------------------

    async def subscribe(self, connection: Connection, request: Subscribe) -> None:
        """Watch a view; a second time sends its state anew without doubling the frames.

        Raises BoardUnknown, Forbidden, Unauthenticated, TopicsExceeded, RankingUnavailable.
        """
        board = self.directory.known(request.board) or await self.directory.get(request.board)
        may_read(board, connection.principal)
        view = _named(request.view, connection.principal)
        followed = self._follow(board)
        subscription = self._enrol(connection, followed, view)
        try:
            async with asyncio.timeout(self._patience):
                await subscription.topic.keeper.ready(subscription.topic)
                point = (
                    await subscription.topic.keeper.recall(subscription.topic, request.resume)
                    if request.resume
                    else None
                )
        except TimeoutError as error:
            self._drop(connection, subscription)
            raise RankingUnavailable("the ranking is away") from error
        if subscription not in connection.subscriptions:
            return
        try:
            # What the directory told may be a moment old; the feed read the board under the epoch that it shows.
            may_read(followed.feed.board, connection.principal)
        except Forbidden:
            self._drop(connection, subscription)
            raise
        self._answer(connection, subscription, request.id, point)

    def _enrol(self, connection: Connection, followed: Followed, view: View) -> Subscription:
        """A place among the watchers, from now on: the sweep must not end the board while its first list is waited for."""
        name = view.topic(followed.board.name)
        held = next((one for one in connection.subscriptions if one.topic.name == name), None)
        if held is not None:
            self.asked_again += 1
            return held
        if len(connection.subscriptions) >= self._max_topics:
            raise TopicsExceeded(f"a connection watches at most {self._max_topics} topics")
        topic = followed.topic(view)
        topic.watchers += 1
        followed.watchers += 1
        subscription = Subscription(connection, topic)
        connection.subscriptions += (subscription,)
        return subscription

    def _answer(self, connection: Connection, subscription: Subscription, request: Id, point: Any) -> None:
        topic = subscription.topic
        # In step again only behind this answer.
        topic.hold_back(subscription)
        subscription.point = None
        if point is None:
            self.started += 1
            connection.reply(messages.subscribed(request, topic.name, "snapshot"))
            connection.write(topic.snapshot().encoded(connection.encoding))
        else:
            self.resumed += 1
            connection.reply(messages.subscribed(request, topic.name, "resumed"))
            if (point.epoch, point.version) != (topic.point.epoch, topic.point.version):
                connection.write(topic.frame(point).encoded(connection.encoding))
        if topic.stale:
            connection.write(topic.said(stale=True).encoded(connection.encoding))
        topic.join(subscription)

    def unsubscribe(self, connection: Connection, name: str, request: Id | None) -> None:
        """Stop watching a topic. Raises TopicUnknown."""
        for subscription in connection.subscriptions:
            if subscription.topic.name == name:
                self._drop(connection, subscription)
                connection.reply(messages.unsubscribed(request, name))
                return
        raise TopicUnknown(f"this connection does not watch {name!r}")

    def _drop(self, connection: Connection, subscription: Subscription) -> None:
        if subscription in connection.subscriptions:
            connection.subscriptions = tuple(one for one in connection.subscriptions if one is not subscription)
            self._forget(subscription)

    def _forget(self, subscription: Subscription) -> None:
        topic = subscription.topic
        topic.leave(subscription)
        followed = self._boards.get(_board_of(topic))
        if followed is not None:
            followed.watchers -= 1
        if not topic.watchers:
            topic.keeper.forget(topic)

    # -- what boards tell ----------------------------------------------------------------------------------------------

    def _changed(self, followed: Followed) -> None:
        if self._boards.get(followed.board.name) is not followed:
            return
        if followed.board is not followed.feed.board:
            # Read again: nobody is shown what is new before it is known who may see it.
            followed.board = followed.feed.board
            self._authorise(followed)
        if followed.stale:
            followed.say(stale=False)
        followed.tops.show()

    def _away(self, followed: Followed) -> None:
        if self._boards.get(followed.board.name) is followed:
            followed.say(stale=True)

    async def _look(self, name: str) -> Board:
        self.directory.forget(name)
        return await self.directory.get(name)

    def _authorise(self, followed: Followed) -> None:
        """Let go of who may not see the board any more, and say so. Who waits for its first list is asked later."""
        for connection, subscription in self._watchers(followed):
            if subscription.topic.point is None:
                continue
            try:
                may_read(followed.board, connection.principal)
            except Forbidden as error:
                self._let_go(connection, subscription, error)

    def _watchers(self, followed: Followed) -> list[tuple[Connection, Subscription]]:
        """Everybody who watches a board: looked for among all, since it is rare that anybody asks."""
        return [
            (connection, subscription)
            for connection in self.watch
            for subscription in connection.subscriptions
            if _board_of(subscription.topic) == followed.board.name
        ]

    def _close_board(self, followed: Followed, error: BoardUnknown) -> None:
        if self._boards.get(followed.board.name) is followed:
            for connection, subscription in self._watchers(followed):
                self._let_go(connection, subscription, error)
            self._end(followed)

    def _let_go(self, connection: Connection, subscription: Subscription, error: RankcastError) -> None:
        self._drop(connection, subscription)
        connection.reply(messages.error(error.code, str(error), topic=subscription.topic.name))

    def _end(self, followed: Followed) -> None:
        followed.close()
        self._ended_resyncs += followed.resyncs
        del self._boards[followed.board.name]

    # -- keeping true --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send checks, compare versions with the ranking, and drop boards that nobody wants; until cancelled."""
        while True:
            await asyncio.sleep(self._check_every)
            followed = [one for one in list(self._boards.values()) if not self._unwanted(one)]
            for one in followed:
                one.check()
            for start in range(0, len(followed), _COMPARED):
                await asyncio.gather(*map(self._compare, followed[start : start + _COMPARED]))

    def _unwanted(self, followed: Followed) -> bool:
        """Whether nobody watches or has read a board for a while; then it is followed no longer."""
        if followed.watchers or followed.feed.last_read >= _now() - self._read_interest:
            return False
        self._end(followed)
        return True

    async def _compare(self, followed: Followed) -> None:
        """Find silent loss: the ranking is ahead of what we hold, and nothing has come."""
        if self._boards.get(followed.board.name) is not followed:
            return
        held = followed.held()
        try:
            epoch, version = await self.shell.ranking.position(followed.feed.board.key)
        except RankingUnavailable:
            await self._compare_board(followed)
            return
        if followed.held() == held and followed.compare(epoch, version):
            self.drift += 1

    async def _compare_board(self, followed: Followed) -> None:
        """The ranking has no such board, or does not answer: see whether there still is one."""
        name = followed.feed.board.name
        try:
            if (await self._look(name)).key != followed.feed.board.key:
                self._close_board(followed, BoardUnknown(f"board {name!r} is another one now"))
        except BoardUnknown as error:
            self._close_board(followed, error)
        except RankcastError:
            return


def _named(view: View, principal: Principal | None) -> View:
    """The view with the player whom `me` names. Raises Unauthenticated, FieldInvalid."""
    if not isinstance(view, Own | Around) or view.player != ME:
        return view
    if principal is None:
        raise Unauthenticated("me is whoever a token names: send auth first")
    if principal.role is not Role.PLAYER:
        raise FieldInvalid("the token is no player's: say which player")
    return Own(principal.subject) if isinstance(view, Own) else Around(principal.subject, view.radius)


def _board_of(topic: Topic) -> str:
    return topic.name.split("/", 1)[0]


def _now() -> float:
    return asyncio.get_running_loop().time()
