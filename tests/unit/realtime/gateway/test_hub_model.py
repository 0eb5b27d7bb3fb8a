"""Two nodes and their clients through thousands of random steps: whatever happens, what a client was told was true.

Every frame that a client takes is held against the ranking as it was at the version that the frame names.
"""

from __future__ import annotations

import asyncio
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from infra.ranking_memory import _rows
from infra.store_memory import MemoryStore
from realtime.core import messages, sortkey
from realtime.core.delta import entry
from realtime.core.errors import RankcastError
from realtime.core.messages import Around, Own, Top, View
from realtime.core.model import Board, Change, RankMode, Row
from realtime.core.tracker import Tracker
from realtime.gateway.frame import Encoding
from realtime.gateway.speedups import choose
from tests.changes import COLUMNS, gone, ranked, renamed
from tests.turned import TurnedLoop
from tests.unit.realtime.gateway.world import CHECK, TICK, LeakyBus, ShakyRanking, Viewer, World

PLAYERS = 40
VIEWS: list[View] = [
    *(Top(limit) for limit in messages.TOP_LIMITS),
    *(Own(f"p{number}") for number in range(0, PLAYERS + 2, 3)),
    *(Around(f"p{number}", radius) for number, radius in ((0, 1), (3, 2), (7, 10), (PLAYERS + 1, 3))),
]
ENCODINGS = st.sampled_from(
    [(Encoding.PLAIN, True), (Encoding.PLAIN, False), (Encoding.DEFLATED, True), (Encoding.EVENTS, False)]
)
SCORES = st.tuples(
    st.sampled_from(("score", "score", "score", "score", "gone", "rename")),
    st.integers(0, PLAYERS - 1),
    st.integers(0, 6),
    st.integers(0, 2),
)

Truth = tuple[tuple[Row, ...], RankMode]
"""All rows of a board at one version."""


class Fork(LeakyBus):
    """What the ranking publishes to: each node hears it on a bus of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = [LeakyBus(), LeakyBus()]
        self.said: list[tuple[Any, Any, bytes]] = []

    def publish(self, key: Any, channel: Any, announcement: bytes) -> None:
        self.said = [*self.said[-9:], (key, channel, announcement)]
        for bus in self.nodes:
            bus.publish(key, channel, announcement)


class Client(Viewer):
    """Holds every frame against the truth."""

    def __init__(self, model: Model, node: int, **how: Any) -> None:
        super().__init__(model.nodes[node], **how)
        self.model = model
        self.node = node
        self.views: dict[str, View] = {}

    def take(self, message: dict[str, Any]) -> None:
        topic = message.get("topic", "")
        held = self.ranks.get(topic)
        super().take(message)
        if message["type"] in ("snapshot", "delta", "rank", "check"):
            self.verify(topic, message, held)

    def verify(self, topic: str, message: dict[str, Any], held: dict[str, Any] | None) -> None:
        epoch, version = message["epoch"], message.get("to", message.get("version"))
        rows, mode = self.model.truth[epoch, version]
        assert message.get("of", message.get("total")) == len(rows)
        view = self.views[topic]
        if isinstance(view, Top):
            wanted = [entry(row) for row in rows[: view.limit]]
            assert [without_rank(row) for row in self.states[topic].rows] == wanted
        elif isinstance(view, Around):
            self.verify_stretch(view, topic, rows, mode)
        else:
            self.verify_rank(view.player, topic, rows, mode)
            if message["type"] == "rank" and held is not None and message["from"] != message["version"]:
                self.verify_passers(view.player, message)

    def verify_stretch(self, view: Around, topic: str, rows: tuple[Row, ...], mode: RankMode) -> None:
        stretch = self.stretches[topic]
        centre = next((index for index, row in enumerate(rows) if row.player == view.player), None)
        if centre is None:
            assert (stretch.rows, stretch.position) == ([], None)
            return
        start = max(0, centre - view.radius)
        assert stretch.rows == [entry(row) for row in rows[start : centre + view.radius + 1]]
        assert stretch.position == start
        assert stretch.rank == rank_at(rows, start, mode)

    def verify_rank(self, player: str, topic: str, rows: tuple[Row, ...], mode: RankMode) -> None:
        told = self.ranks[topic]
        place = next((index for index, row in enumerate(rows) if row.player == player), None)
        assert told["position"] == place
        assert told["rank"] == (None if place is None else rank_at(rows, place, mode))
        if place is not None:
            assert told["seq"] == rows[place].seq
            assert told["score"] == list(rows[place].score)

    def verify_passers(self, player: str, message: dict[str, Any]) -> None:
        before, mode = self.model.truth[message["epoch"], message["from"]]
        after, _ = self.model.truth[message["epoch"], message["version"]]
        ahead_before, ahead_after = (ahead(rows, player, mode) for rows in (before, after))
        if ahead_before is None or ahead_after is None:
            assert message["passed_by"] == []
            return
        # Who stands still passes nobody, even where the player falls behind.
        stood = {(row.player, row.key) for row in before} & {(row.player, row.key) for row in after}
        passed = [other for other in reversed(ahead_after) if other not in {*ahead_before, *(who for who, _ in stood)}]
        assert message["passed_by"] == passed[:3]

    def caught_up(self) -> None:
        """Whoever has read everything shows what the node holds."""
        for topic in self.views:
            if topic not in self.states and topic not in self.ranks and topic not in self.stretches:
                raise AssertionError(f"{topic} was never shown")


def without_rank(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "rank"}


def rank_at(rows: tuple[Row, ...], place: int, mode: RankMode) -> int:
    if mode is RankMode.ORDINAL:
        return place + 1
    return next(index for index, row in enumerate(rows) if row.score == rows[place].score) + 1


def ahead(rows: tuple[Row, ...], player: str, mode: RankMode) -> list[str] | None:
    own = next((row for row in rows if row.player == player), None)
    if own is None:
        return None
    if mode is RankMode.ORDINAL:
        return [row.player for row in rows if row.key < own.key]
    return [row.player for row in rows if sortkey.columns_of(row.key) < sortkey.columns_of(own.key)]


class Recorded(ShakyRanking):
    """Remembers how the board stood at every version."""

    model: Model

    async def apply(self, key: Any, epoch: int, changes: Any, origin: Any = None) -> int:
        # The truth of a version must be known before it is announced.
        held = self._boards[key]
        publish, model = self._bus.publish, self.model

        def recording(*said: Any) -> None:
            model.remember(held.state)
            publish(*said)

        self._bus.publish = recording  # type: ignore[method-assign]
        try:
            return await super().apply(key, epoch, changes, origin)
        finally:
            self._bus.publish = publish  # type: ignore[method-assign]

    async def swap(self, key: Any, epoch: int, width: int) -> bool:
        publish, model = self._bus.publish, self.model

        def recording(*said: Any) -> None:
            model.remember(self._boards[key].state)
            publish(*said)

        self._bus.publish = recording  # type: ignore[method-assign]
        try:
            return await super().swap(key, epoch, width)
        finally:
            self._bus.publish = publish  # type: ignore[method-assign]


class Model(RuleBasedStateMachine):
    """One board, two nodes, some clients."""

    tracker: Any = Tracker

    def __init__(self) -> None:
        super().__init__()
        self.loop = TurnedLoop()
        self.failures: list[Any] = []
        self.loop.set_exception_handler(lambda _, context: self.failures.append(context))
        self.run(self.begin())

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def begin(self) -> None:
        self.truth: dict[tuple[int, int], Truth] = {}
        self.bus = Fork()
        self.ranking = Recorded(self.bus)
        self.ranking.model = self
        store = MemoryStore(clock=lambda: 0.0)
        self.mode = RankMode.COMPETITION
        self.nodes = [
            World(bus=bus, ranking=self.ranking, store=store, tracker=type(self).tracker) for bus in self.bus.nodes
        ]
        self.board: Board = await self.nodes[0].board()
        for node in self.nodes:
            node.spawn(node.hub.run())
        self.clients = [Client(self, number % 2) for number in range(6)]
        self.seq = 0
        await self.apply([("score", number, number % 5, 0) for number in range(0, PLAYERS, 2)])

    def remember(self, state: Any) -> None:
        self.truth[state.epoch, state.version] = _rows(state, COLUMNS, 0, 10_000), self.mode

    def teardown(self) -> None:
        try:
            self.run(self.come_to_rest())
        finally:
            try:
                for node in self.nodes:
                    self.run(node.close())
            finally:
                # Left open it would be found by the collector, in another test.
                self.loop.close()

    # -- what happens --------------------------------------------------------------------------------------------------

    async def apply(self, scores: list[Any]) -> None:
        await self.nodes[0].apply(self.board, *[self.change(*one) for one in scores])

    def change(self, kind: str, player: int, solved: int, penalty: int) -> Change:
        self.seq += 1
        if kind == "gone":
            return gone(f"p{player}", seq=self.seq)
        if kind == "rename":
            return renamed(f"p{player}", profile_seq=self.seq, name=f"n{self.seq}")
        return ranked(f"p{player}", solved, penalty, seq=self.seq)

    @rule(scores=st.lists(SCORES, min_size=1, max_size=12))
    def score(self, scores: list[Any]) -> None:
        if not self.ranking.away:
            self.run(self.apply(scores))

    @rule(client=st.integers(0, 5), most=st.sampled_from((1, 3, 10_000)))
    def read(self, client: int, most: int) -> None:
        self.run(self.clients[client].drain(most))

    @rule(ticks=st.sampled_from((0.01, 0.3, 1.5, 5, 30)))
    def pause(self, ticks: float) -> None:
        self.run(asyncio.sleep(TICK * ticks))

    @rule(client=st.integers(0, 5), view=st.sampled_from(VIEWS))
    def watch(self, client: int, view: View) -> None:
        self.run(self.subscribe(self.clients[client], view))

    async def subscribe(self, client: Client, view: View, resume: Any = None) -> None:
        topic = view.topic("b")
        client.views[topic] = view
        try:
            await client.watch(view, resume=resume)
        except RankcastError:
            if topic not in {one.topic.name for one in client.connection.subscriptions}:
                del client.views[topic]

    @rule(client=st.integers(0, 5), index=st.integers(0, 5))
    def unwatch(self, client: int, index: int) -> None:
        self.run(self.leave_topic(self.clients[client], index))

    async def leave_topic(self, one: Client, index: int) -> None:
        await one.drain()
        if one.views:
            topic = sorted(one.views)[index % len(one.views)]
            one.world.hub.unsubscribe(one.connection, topic, 1)
            del one.views[topic]
            for held in (one.states, one.ranks, one.stretches):
                held.pop(topic, None)

    @rule(client=st.integers(0, 5), room=st.sampled_from((0, 100, 700, 3000)))
    def lag(self, client: int, room: int) -> None:
        self.clients[client].connection.room = room

    @rule(client=st.integers(0, 5), node=st.integers(0, 1), how=ENCODINGS, most=st.sampled_from((0, 2, 10_000)))
    def come_back(self, client: int, node: int, how: tuple[Encoding, bool], most: int) -> None:
        self.run(self.move(client, node, how, most))

    async def move(self, client: int, node: int, how: tuple[Encoding, bool], most: int) -> None:
        """The connection is lost, with what was under way; it resumes, there or elsewhere."""
        old = self.clients[client]
        await old.drain(most)
        old.world.hub.leave(old.connection)
        new = self.clients[client] = Client(self, node, encoding=how[0], direct=how[1])
        new.states, new.ranks, new.stretches = old.states, old.ranks, old.stretches
        for topic, view in old.views.items():
            await self.subscribe(new, view, held_of(old, topic))
            if topic not in new.views:
                for held in (new.states, new.ranks, new.stretches):
                    held.pop(topic, None)

    @rule(node=st.integers(0, 1), top=st.integers(0, 2), moves=st.integers(0, 2))
    def lose(self, node: int, top: int, moves: int) -> None:
        self.bus.nodes[node].losing, self.bus.nodes[node].losing_moves = top, moves

    @rule(node=st.integers(0, 1))
    def repeat(self, node: int) -> None:
        async def again() -> None:
            for said in self.bus.said:
                self.bus.nodes[node].publish(*said)

        self.run(again())

    @rule(node=st.integers(0, 1))
    def break_off(self, node: int) -> None:
        self.bus.nodes[node].lose()

    @rule(node=st.integers(0, 1))
    def go_silent(self, node: int) -> None:
        """Nothing is heard any more, and nobody is told."""
        self.bus.nodes[node]._listeners.clear()

    @rule()
    def rebuild(self) -> None:
        self.nodes[0].store.raise_epoch(self.board.key)
        self.run(self.nodes[0].rebuild(self.board))

    @rule(mode=st.sampled_from(RankMode))
    def edit(self, mode: RankMode) -> None:
        self.mode = mode
        self.seq += 1
        self.board = self.run(self.nodes[0].edit(ranks=mode, title=str(self.seq)))

    @rule(seconds=st.sampled_from((0.1, 1.0, CHECK * 2)))
    def outage(self, seconds: float) -> None:
        self.ranking.away = True
        self.bus.nodes[0].lose()
        self.run(asyncio.sleep(seconds))
        self.ranking.away = False

    @invariant()
    def nobody_died(self) -> None:
        for context in self.failures:
            raise AssertionError(context) from context.get("exception")
        for node in self.nodes:
            for task in node.tasks:
                if task.done() and not task.cancelled() and task.exception() is not None:
                    raise AssertionError("a task died") from task.exception()

    async def come_to_rest(self) -> None:
        """Nothing happens any more: within a few checks everybody shows the newest version."""
        for bus in self.bus.nodes:
            bus.losing = bus.losing_moves = 0
        await asyncio.sleep(CHECK * 4)
        for _ in range(10):
            for client in self.clients:
                await client.drain()
            await asyncio.sleep(TICK * 2)
        state = self.ranking._boards[self.board.key].state
        for client in self.clients:
            for topic, view in client.views.items():
                held = held_of(client, topic)
                assert held is not None, topic
                assert held[0] == state.epoch, topic
                # At the newest version, or at one since which it shows the same.
                self.truth[held] = self.truth[state.epoch, state.version]
                message = {"type": "end", "epoch": held[0], "version": held[1], "total": state.total}
                client.verify(topic, message, None)
                assert not isinstance(view, Top) or not client.states[topic].stale


def held_of(client: Client, topic: str) -> tuple[int, int] | None:
    """The epoch and version that a client holds."""
    if topic in client.states:
        return client.states[topic].epoch, client.states[topic].version
    if topic in client.ranks:
        return client.ranks[topic]["epoch"], client.ranks[topic]["version"]
    if topic in client.stretches:
        return client.stretches[topic].epoch, client.stretches[topic].version
    return None


_PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
_SETTINGS = settings(
    deadline=None, suppress_health_check=list(HealthCheck), print_blob=True, phases=_PHASES, report_multiple_bugs=False
)


@pytest.mark.parametrize("twin", ["c", "python"])
def test_what_a_client_was_told_was_true(twin: str) -> None:
    if twin == "c" and choose("auto").name != "c":
        pytest.fail("the extension was not built")
    machine = type("Machine", (Model,), {"tracker": choose(twin).tracker})
    run_state_machine_as_test(machine, settings=settings(_SETTINGS, max_examples=20, stateful_step_count=60))


@pytest.mark.timeout(120)
def test_a_long_life_is_as_true_as_a_short_one() -> None:
    run_state_machine_as_test(Model, settings=settings(_SETTINGS, max_examples=2, stateful_step_count=500))
