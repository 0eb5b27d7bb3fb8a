"""A node through thousands of random steps: whatever happens, what a viewer shows is what the ranking holds."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from realtime.core.errors import RankingUnavailable
from realtime.core.messages import TOP_LIMITS
from realtime.core.model import RankMode
from tests.changes import gone, ranked, renamed
from tests.unit.realtime.gateway.world import CHECK, TICK, Viewer, World

if TYPE_CHECKING:
    from realtime.core.model import Board, Change

STEPS = 2500
VIEWERS = 7
PLAYERS = 130


class Play:
    """The steps, each as likely as its weight says."""

    def __init__(self, world: World, boards: list[Board], dice: random.Random) -> None:
        self.world = world
        self.boards = boards
        self.dice = dice
        self.viewers = [world.viewer() for _ in range(VIEWERS)]
        self.equal = 0
        self.steps = {
            self.score: 50,
            self.read: 40,
            self.pause: 25,
            self.watch: 8,
            self.unwatch: 3,
            self.come_and_go: 1,
            self.lose: 2,
            self.break_off: 1,
            self.rebuild: 1,
            self.edit: 1,
            self.outage: 1,
        }

    async def run(self) -> None:
        for viewer in self.viewers:
            await self.watch(viewer)
        for _ in range(STEPS):
            await self.dice.choices(list(self.steps), list(self.steps.values()))[0]()

    def _change(self) -> Change:
        player, seq = f"p{self.dice.randrange(PLAYERS)}", next(self.world.seqs)
        kind = self.dice.random()
        if kind < 0.1:
            return gone(player, seq=seq)
        if kind < 0.2:
            return renamed(player, profile_seq=seq, name=f"n{seq}")
        return ranked(player, self.dice.randint(0, 40), self.dice.randint(0, 2), seq=seq)

    async def score(self) -> None:
        board = self.dice.choice(self.boards)
        await self.world.apply(board, *(self._change() for _ in range(self.dice.choice((1, 1, 2, 5, 40)))))

    async def read(self) -> None:
        """A socket takes some or all of what waits for it."""
        viewer = self.dice.choice(self.viewers)
        most = self.dice.choice((1, 2, 10_000))
        await viewer.drain(most)
        if not viewer.connection._frames:
            self.compare(viewer)

    def compare(self, viewer: Viewer) -> None:
        """Who has read everything stands where the hub takes it to stand, and shows just that."""
        for name, subscription in viewer.connection.subscriptions.items():
            state, topic = viewer.states[name], subscription.topic
            assert (state.epoch, state.version) == (subscription.epoch, subscription.version)
            assert topic.window is not None
            if state.epoch == topic.window.epoch and state.version >= topic.shown:
                assert viewer.shows(topic.window, name.split("/", maxsplit=1)[0], topic.limit)
                self.equal += 1

    async def pause(self) -> None:
        await asyncio.sleep(TICK * self.dice.choice((0.01, 0.3, 1.5, 5)))

    async def watch(self, viewer: Viewer | None = None) -> None:
        viewer = viewer or self.dice.choice(self.viewers)
        board = self.dice.choice(self.boards)
        try:
            await viewer.subscribe(board.name, self.dice.choice(TOP_LIMITS), next(self.world.seqs))
        except RankingUnavailable:
            assert self.world.ranking.away

    async def unwatch(self) -> None:
        viewer = self.dice.choice(self.viewers)
        if viewer.connection.subscriptions:
            await viewer.drain()
            topic = self.dice.choice(sorted(viewer.connection.subscriptions))
            self.world.hub.unsubscribe(viewer.connection, topic, 1)
            del viewer.states[topic]

    async def come_and_go(self) -> None:
        index = self.dice.randrange(VIEWERS)
        self.world.hub.leave(self.viewers[index].connection)
        self.viewers[index] = self.world.viewer()
        await self.watch(self.viewers[index])

    async def lose(self) -> None:
        self.world.bus.losing = self.dice.randint(1, 3)

    async def break_off(self) -> None:
        self.world.bus.lose()

    async def rebuild(self) -> None:
        board = self.dice.choice(self.boards)
        self.world.store.raise_epoch(board.key)
        await self.world.rebuild(board)

    async def edit(self) -> None:
        index = self.dice.randrange(len(self.boards))
        title, mode = str(next(self.world.seqs)), self.dice.choice(list(RankMode))
        self.boards[index] = await self.world.edit(self.boards[index].name, title=title, ranks=mode)

    async def outage(self) -> None:
        self.world.ranking.away = True
        if self.dice.random() < 0.7:
            self.world.bus.lose()
        await asyncio.sleep(self.dice.choice((0.1, 1, CHECK * 2)))
        self.world.ranking.away = False

    async def come_to_rest(self) -> None:
        """Nothing happens any more: within a few checks everybody shows the truth."""
        self.world.bus.losing = 0
        await asyncio.sleep(CHECK * 3)
        for _ in range(10):
            for viewer in self.viewers:
                await viewer.drain()
            await asyncio.sleep(TICK * 2)
        for viewer in self.viewers:
            self.compare(viewer)
            for name in viewer.connection.subscriptions:
                board = next(board for board in self.boards if board.name == name.split("/")[0])
                assert viewer.shows(await self.world.truth(board), board.name, int(name.rsplit("/", 1)[1]))
                assert not viewer.states[name].stale
                assert viewer.states[name].ranks is board.spec.ranks


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_is_up_to_date_shows_what_the_ranking_holds(world: World, seed: int) -> None:
    dice = random.Random(seed)
    boards = [await world.board(name) for name in ("b", "c")]
    world.spawn(world.hub.run())
    play = Play(world, boards, dice)
    for _ in range(2):
        await play.run()
        await play.come_to_rest()
    assert play.equal > STEPS / 20
    assert world.hub.skipped > STEPS / 20
    frames = [frame for viewer in play.viewers for frame in viewer.seen]
    assert {"delta", "snapshot", "check"} <= {frame["type"] for frame in frames}
