from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from realtime.core import record, sortkey
from realtime.core.errors import BoardUnknown, StoreUnavailable
from realtime.core.model import Column, Direction
from realtime.gateway import tail
from realtime.gateway.feed import Feed
from tests.changes import COLUMNS, Change, gone, ranked
from tests.turned import settle

if TYPE_CHECKING:
    from realtime.core.model import Board
    from tests.unit.realtime.gateway.world import World


class Follower:
    """A feed, and what it told."""

    def __init__(self, world: World, board: Board) -> None:
        self.world = world
        self.changes: list[tuple[int, int]] = []
        self.aways = 0
        self.goodbyes: list[BoardUnknown] = []
        self.feed = Feed(
            board,
            world.ranking,
            world.bus,
            look=self._look,
            changed=self._changed,
            away=self._away,
            gone=lambda _, error: self.goodbyes.append(error),
        )
        self.task = world.spawn(self.feed.run())

    async def _look(self, name: str) -> Board:
        return await self.world.boards.get(name)

    def _changed(self, feed: Feed) -> None:
        assert feed.window is not None
        self.changes.append((feed.window.epoch, feed.window.version))

    def _away(self, _: Feed) -> None:
        self.aways += 1

    async def is_true(self, board: Board | None = None) -> bool:
        await settle()
        return self.feed.window == await self.world.truth(board or self.feed.board)


@pytest.fixture
async def board(world: World) -> Board:
    board = await world.board()
    await world.apply(board, ranked("ada", 3, seq=1), ranked("bob", 2, seq=2))
    return board


@pytest.fixture
async def follower(world: World, board: Board) -> Follower:
    follower = Follower(world, board)
    await follower.feed.ready()
    return follower


async def test_a_feed_begins_with_the_snapshot(world: World, board: Board, follower: Follower) -> None:
    assert follower.feed.window == await world.truth(board)
    assert follower.feed.fresh
    assert len(follower.changes) == 1
    assert world.ranking.reads == 1


async def test_it_follows_announcements_without_reading_again(world: World, board: Board, follower: Follower) -> None:
    for seq in range(3, 9):
        await world.apply(board, ranked(f"p{seq}", seq, seq=seq), gone("ada", seq=seq))
        assert follower.feed.window == await world.truth(board)
    assert world.ranking.reads == 1
    assert [version for _, version in follower.changes] == list(range(2, 9))


async def test_what_is_announced_while_the_snapshot_is_read_is_kept(world: World, board: Board) -> None:
    async def meanwhile() -> None:
        await world.apply(board, ranked("cid", 9, seq=3))
        await world.apply(board, gone("ada", seq=4))

    world.ranking.meanwhile.append(meanwhile)
    follower = Follower(world, board)
    assert await follower.is_true()
    assert world.ranking.reads == 1
    assert follower.changes == [(1, 4)]


async def test_what_the_snapshot_holds_already_is_not_taken_twice(world: World, board: Board) -> None:
    """Announced before the snapshot was taken, heard after the subscription."""
    follower = Follower(world, board)
    follower.feed.resync()
    await world.bus.subscribe(board.key, "top", follower.feed.heard, follower.feed.resync)
    await world.apply(board, ranked("cid", 9, seq=3))
    assert await follower.is_true()
    assert follower.changes[0] == (1, 3)


async def test_a_hole_is_filled_from_the_stream_without_a_snapshot(
    world: World, board: Board, follower: Follower
) -> None:
    held = follower.feed.window
    world.bus.losing = 1
    await world.apply(board, ranked("lost", 9, seq=3))
    assert follower.feed.window == held
    await world.apply(board, ranked("heard", 8, seq=4))
    assert await follower.is_true()
    assert (world.ranking.reads, world.ranking.histories) == (1, 1)
    # Nothing is missing in what can be recalled, either.
    lost = await follower.feed.recall(1, 3)
    assert lost is not None
    assert [row.player for row in lost.rows] == ["lost", "ada", "bob"]
    await world.apply(board, ranked("next", 7, seq=5))
    assert follower.feed.window == await world.truth(board)


async def test_a_hole_that_the_stream_does_not_hold_any_more_is_read_over(
    world: World, board: Board, follower: Follower
) -> None:
    world.ranking.forgetting = True
    world.bus.losing = 1
    await world.apply(board, ranked("lost", 9, seq=3))
    await world.apply(board, ranked("heard", 8, seq=4))
    assert await follower.is_true()
    assert world.ranking.reads == 2
    # What was before the hole is not to be led on from: nobody knows what was in it.
    assert await follower.feed.recall(1, 2) is None
    assert await follower.feed.recall(1, 4) == follower.feed.window


async def test_tops_from_before_it_began_are_recalled_from_the_stream_read_once_for_all(
    world: World, board: Board
) -> None:
    tops = {2: await world.truth(board)}
    for seq in range(3, 40):
        await world.apply(board, ranked(f"p{seq % 7}", seq, seq=seq))
        tops[seq] = await world.truth(board)
    follower = Follower(world, board)
    await follower.feed.ready()
    recalled = await asyncio.gather(*(follower.feed.recall(1, version) for version in tops))
    assert [top.rows for top in recalled if top is not None] == [top.rows for top in tops.values()]
    assert world.ranking.histories == 1
    assert await follower.feed.recall(1, 0) is None


async def test_a_version_that_was_told_elsewhere_and_is_missing_here_is_looked_for(
    world: World, board: Board, follower: Follower
) -> None:
    world.bus.losing = 1
    await world.apply(board, ranked("lost", 9, seq=3))
    assert await follower.feed.recall(1, 3) == await world.truth(board)


async def test_a_version_that_never_was_costs_one_look_a_second_at_the_most(
    world: World, board: Board, follower: Follower
) -> None:
    assert await asyncio.gather(*(follower.feed.recall(1, 10**9 + n) for n in range(50))) == [None] * 50
    assert world.ranking.histories <= 2
    assert board.name == "b"


async def test_a_hole_in_what_was_kept_is_read_over(world: World, board: Board) -> None:
    async def meanwhile() -> None:
        world.bus.losing = 1
        await world.apply(board, ranked("lost", 9, seq=3))
        await world.apply(board, ranked("heard", 8, seq=4))

    world.ranking.meanwhile.append(meanwhile)
    follower = Follower(world, board)
    await asyncio.sleep(1)
    assert await follower.is_true()
    assert follower.changes == [(1, 4)]


async def test_more_than_it_can_keep_is_read_over(world: World, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "BUFFER", 3)

    async def meanwhile() -> None:
        for seq in range(3, 9):
            await world.apply(board, ranked("ada", seq, seq=seq))

    world.ranking.meanwhile.append(meanwhile)
    follower = Follower(world, board)
    await asyncio.sleep(1)
    assert await follower.is_true()
    assert follower.changes == [(1, 8)]


async def test_it_never_goes_back(world: World, board: Board, follower: Follower) -> None:
    world.ranking.forgetting = True
    before = await world.truth(board)
    await world.apply(board, ranked("cid", 9, seq=3))
    # A server that lags behind answers the next reads.
    world.ranking.old.extend([before, before])
    follower.feed.resync()
    await asyncio.sleep(1)
    assert await follower.is_true()
    assert [version for _, version in follower.changes] == sorted(version for _, version in follower.changes)
    assert world.ranking.reads == 4


async def test_a_server_that_stays_behind_is_asked_ever_more_slowly(
    world: World, board: Board, follower: Follower
) -> None:
    world.ranking.forgetting = True
    before = await world.truth(board)
    await world.apply(board, ranked("cid", 9, seq=3))
    world.ranking.old.extend([before] * 1000)
    follower.feed.resync()
    await asyncio.sleep(10)
    assert world.ranking.reads < 20


async def test_what_may_have_been_missed_is_read_again(world: World, board: Board, follower: Follower) -> None:
    world.bus.losing = 1
    await world.apply(board, ranked("lost", 9, seq=3))
    world.bus.lose()
    assert await follower.is_true()


async def test_late_announcements_of_old_versions_and_epochs_are_ignored(
    world: World, board: Board, follower: Follower
) -> None:
    await world.apply(board, ranked("cid", 9, seq=3))
    old = [one.top for one in world.ranking.announced(board.key)]
    await world.edit(title="T")
    await world.apply(board, ranked("dee", 9, seq=4))
    assert await follower.is_true()
    seen = list(follower.changes)
    for announcement in old:
        follower.feed.heard(announcement)
    assert await follower.is_true()
    assert follower.changes == seen


async def test_another_epoch_is_read_and_its_board_looked_up(world: World, board: Board, follower: Follower) -> None:
    asked = world.boards.asked
    edited = await world.edit(title="Another")
    assert await follower.is_true(edited)
    assert follower.feed.board == edited
    assert world.boards.asked == asked + 1
    assert follower.changes[-1][0] == world.store.epochs[board.key]


async def test_within_an_epoch_the_board_is_not_looked_up_again(world: World, follower: Follower) -> None:
    world.ranking.forgetting = True
    asked = world.boards.asked
    for _ in range(3):
        follower.feed.resync()
        await settle()
    assert world.ranking.reads == 4
    assert world.boards.asked == asked


async def edited_columns(world: World, columns: tuple[Column, ...], score: tuple[int, ...]) -> Board:
    """A board without entries is given other columns, and at once an entry."""
    board, _ = await world.boards.put("b", (await world.boards.get("b")).spec)
    edited = await world.boards.put("b", type(board.spec)(title="", columns=columns))
    change = Change("ada", 50, sortkey.encode(columns, score, 50), 0, record.NO_DISPLAY)
    await world.rebuild(edited[0], [change])
    return edited[0]


@pytest.mark.parametrize(
    ("columns", "score"),
    [
        ((Column("only"),), (5,)),
        ((*COLUMNS, Column("third")), (5, 6, 7)),
        ((Column("solved", Direction.ASC), Column("penalty", Direction.DESC)), (5, 6)),
    ],
)
async def test_rows_are_read_by_the_columns_that_the_epoch_has(
    world: World, columns: tuple[Column, ...], score: tuple[int, ...]
) -> None:
    board = await world.board()
    follower = Follower(world, board)
    await follower.feed.ready()
    edited = await edited_columns(world, columns, score)
    assert await follower.is_true(edited)
    assert follower.feed.window is not None
    assert follower.feed.window.rows[0].score == score
    assert all(epoch in {1, world.store.epochs[board.key]} for epoch, _ in follower.changes)


async def test_a_feed_that_begins_with_an_outdated_board_reads_by_the_real_one(world: World) -> None:
    outdated = await world.board()
    edited = await edited_columns(world, (Column("solved", Direction.ASC), Column("x", Direction.DESC)), (5, 6))
    follower = Follower(world, outdated)
    assert await follower.is_true(edited)
    assert follower.feed.board == edited


async def test_columns_that_the_ranking_does_not_have_yet_are_waited_for(world: World) -> None:
    """The edit is committed, the ranking still carries the old keys."""
    board = await world.board()
    await world.apply(board, ranked("ada", 1, seq=1))
    await world.boards.delete("b")
    world.store.boards["b"] = type(board)(board.key, "b", type(board.spec)(title="", columns=COLUMNS[:1]), 2)
    follower = Follower(world, world.store.boards["b"])
    await asyncio.sleep(3)
    assert not follower.feed.fresh
    assert world.ranking.reads < 20
    world.store.boards["b"] = board
    await asyncio.sleep(2)
    assert await follower.is_true(board)


async def test_while_the_ranking_is_away_it_says_so_once_and_goes_on_trying(
    world: World, board: Board, follower: Follower
) -> None:
    world.ranking.away = True
    follower.feed.resync()
    await asyncio.sleep(3)
    assert (follower.feed.fresh, follower.aways) == (False, 1)
    waiting = asyncio.create_task(follower.feed.ready())
    await settle()
    assert not waiting.done()
    world.ranking.away = False
    await world.apply(board, ranked("cid", 9, seq=3))
    assert await waiting == await world.truth(board)
    assert follower.feed.fresh


async def test_a_feed_that_begins_while_the_ranking_is_away_becomes_ready_when_it_is_back(
    world: World, board: Board
) -> None:
    world.ranking.away = True
    follower = Follower(world, board)
    await asyncio.sleep(5)
    assert (follower.feed.window, follower.aways) == (None, 0)
    world.ranking.away = False
    assert await follower.feed.ready() == await world.truth(board)


async def test_a_subscription_that_is_not_confirmed_is_tried_again(world: World, board: Board) -> None:
    world.bus.refusing = 3
    follower = Follower(world, board)
    await follower.feed.ready()
    await world.apply(board, ranked("cid", 9, seq=3))
    assert follower.feed.window == await world.truth(board)


async def test_a_store_that_is_away_when_an_epoch_begins_is_asked_again(world: World, follower: Follower) -> None:
    world.boards.failing = StoreUnavailable("away")
    edited = await world.edit(title="T")
    await asyncio.sleep(2)
    assert (follower.feed.fresh, follower.aways) == (False, 1)
    assert follower.changes[-1][0] == 1
    world.boards.failing = None
    await asyncio.sleep(2)
    assert await follower.is_true(edited)
    assert follower.feed.fresh


async def test_the_feed_of_a_board_that_is_gone_says_so_and_ends(
    world: World, board: Board, follower: Follower
) -> None:
    await world.boards.delete("b")
    # The epoch that was drawn before the delete reaches the ranking after it.
    await world.ranking.mark(board.key, 99)
    await world.ranking.swap(board.key, 99, 24)
    await follower.task
    assert len(follower.goodbyes) == 1
    assert world.bus._listeners == {}


async def test_the_feed_of_a_board_whose_name_another_has_by_now_ends(
    world: World, board: Board, follower: Follower
) -> None:
    await world.boards.delete("b")
    await world.board()
    await world.ranking.mark(board.key, 99)
    await world.ranking.swap(board.key, 99, 24)
    await follower.task
    assert len(follower.goodbyes) == 1


async def test_a_feed_that_is_cancelled_leaves_the_bus(world: World, follower: Follower) -> None:
    assert len(world.bus._listeners) == 1
    follower.task.cancel()
    await asyncio.gather(follower.task, return_exceptions=True)
    assert world.bus._listeners == {}


async def test_answers_made_of_a_window_go_with_it(world: World, board: Board, follower: Follower) -> None:
    follower.feed.answers[b"limit=10"] = ({}, {})
    await world.apply(board, ranked("cid", 9, seq=3))
    assert follower.feed.answers == {}
