"""A player's own rank: what is told of it, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from realtime.core import messages
from realtime.core.announcement import Origin
from realtime.core.identity import Principal, Role
from realtime.core.messages import Own
from realtime.core.model import RankMode
from realtime.gateway import fanout as fanouts
from tests.changes import gone, ranked
from tests.turned import settle
from tests.unit.realtime.gateway.held import Passes
from tests.unit.realtime.gateway.world import NOW, TICK, World, climb, types

if TYPE_CHECKING:
    from realtime.core.model import Board
    from realtime.gateway.player import Players
    from tests.unit.realtime.gateway.world import Viewer


async def watching(world: World, *names: str) -> Viewer:
    viewer = world.viewer()
    for name in names:
        await viewer.watch(Own(name))
    await viewer.drain()
    return viewer


def of(world: World) -> Players:
    near = world.hub._boards["b"]._near
    assert near is not None
    return near.players


def said(message: dict[str, Any], *fields: str) -> tuple[Any, ...]:
    return tuple(message[field] for field in fields)


# -- one's own changes ----------------------------------------------------------------------------------------------


async def test_the_first_answer_is_a_rank_that_stands_for_itself(world: World, board: Board) -> None:
    viewer = world.viewer()
    await viewer.watch(Own("p5"))
    *_, subscribed, rank = await viewer.drain()
    assert said(subscribed, "topic", "mode") == ("b/player/p5", "snapshot")
    assert said(rank, "type", "from", "version", "rank", "position", "score", "seq", "of", "moved", "passed_by") == (
        *("rank", 2, 2, 6, 5, [95, 0], 6, 12, 0),
        [],
    )
    assert board.name == "b"


async def test_a_change_of_ones_own_is_told_at_once_though_the_rank_stays(world: World, board: Board) -> None:
    viewer = await watching(world, "p5")
    await world.apply(board, ranked("p5", 95, 1, seq=50))
    (rank,) = await viewer.drain()
    assert said(rank, "from", "version", "rank", "moved", "score", "seq") == (2, 3, 6, 0, [95, 1], 50)


async def test_it_is_told_where_ones_own_changes_come_from(world: World, board: Board) -> None:
    viewer = await watching(world, "p5")
    await world.apply(board, ranked("p7", 94, 1, seq=49), origin=Origin(3))
    assert world.pushed == [], "nobody who is watched moved"
    await world.apply(board, ranked("p5", 95, 1, seq=50), origin=Origin(4, "Root=1-a"))
    assert world.pushed == [Origin(4, "Root=1-a")]
    await asyncio.sleep(TICK * 2)
    await world.apply(board, ranked("p5", 95, 2, seq=51))
    assert len(world.pushed) == 1, "of this one it is not known"
    assert viewer


async def test_further_changes_of_ones_own_are_one_frame_when_the_tick_is_over(world: World, board: Board) -> None:
    viewer = await watching(world, "p5")
    for seq in (50, 51, 52):
        await world.apply(board, ranked("p5", seq, seq=seq))
    assert [said(rank, "from", "version") for rank in await viewer.drain()] == [(2, 3)]
    await asyncio.sleep(TICK * 1.01)
    assert [said(rank, "from", "version") for rank in await viewer.drain()] == [(3, 5)]
    await world.apply(board, ranked("p5", 53, seq=53))
    assert await viewer.drain() == []
    await asyncio.sleep(TICK * 1.01)
    assert [said(rank, "from", "version") for rank in await viewer.drain()] == [(5, 6)]


async def test_what_was_told_before_its_tick_for_one_who_came_back_is_not_told_again(
    world: World, board: Board
) -> None:
    viewer = await watching(world, "p5")
    for seq in (50, 51):
        await world.apply(board, ranked("p5", seq, seq=seq))
    assert [said(rank, "from", "version") for rank in await viewer.drain()] == [(2, 3)]
    back = world.viewer()
    await back.watch(Own("p5"), resume=(1, 4))
    assert [said(rank, "from", "version") for rank in await viewer.drain()] == [(3, 4)]
    await asyncio.sleep(TICK * 2.5)
    assert await viewer.drain() == []
    await world.apply(board, ranked("p5", 52, seq=52))
    assert [said(rank, "from", "version") for rank in await viewer.drain()] == [(4, 5)]


async def test_a_change_of_ones_own_during_a_pass_follows_it_within_a_tick(
    world: World, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await watching(world, "p5"), await watching(world, "p5")
    await world.apply(board, ranked("low", -1, seq=50))
    await asyncio.sleep(TICK * 2)
    monkeypatch.setattr(fanouts, "SLICE", 1)
    passes = Passes(world.fanout)
    of(world).check()
    await world.apply(board, ranked("p5", 95, 1, seq=51))
    passes.finish()
    await asyncio.sleep(TICK * 1.01)
    passes.finish()
    for viewer in (first, second):
        check, rank = await viewer.drain()
        assert (check["type"], *said(rank, "from", "version", "seq")) == ("check", 3, 4, 51)


async def test_a_player_who_is_not_ranked_yet_hears_of_the_first_rank_at_once(world: World, board: Board) -> None:
    viewer = world.viewer(Principal("newcomer", "c", Role.PLAYER, NOW + 99))
    await viewer.say(op="subscribe", id=1, board="b", view="player")
    *_, rank = await viewer.drain()
    assert said(rank, "topic", "rank", "position", "score", "seq", "of") == (
        *("b/player/newcomer", None, None, None, None),
        12,
    )
    await world.apply(board, ranked("newcomer", 95, seq=50))
    (rank,) = await viewer.drain()
    assert said(rank, "rank", "position", "of", "moved", "passed_by") == (6, 6, 13, 0, [])


async def test_a_player_who_is_removed_has_no_rank_and_comes_back_to_one(world: World, board: Board) -> None:
    viewer = await watching(world, "p5")
    await world.apply(board, gone("p5", seq=50))
    (rank,) = await viewer.drain()
    assert said(rank, "rank", "position", "score", "seq", "moved", "of") == (None, None, None, None, 0, 11)
    await asyncio.sleep(TICK * 2)
    await world.apply(board, ranked("p5", 99, seq=51))
    (rank,) = await viewer.drain()
    assert said(rank, "rank", "position", "moved", "passed_by") == (2, 2, 0, [])


# -- others' moves --------------------------------------------------------------------------------------------------


async def test_moves_of_others_are_told_at_their_own_tick_with_who_passed(world: World, board: Board) -> None:
    viewer = await watching(world, "p5")
    await world.apply(board, climb(50))
    assert await viewer.drain() == []
    for seq, number in ((51, 10), (52, 9), (53, 8)):
        await world.apply(board, ranked(f"p{number}", 1000 - seq, seq=seq))
    await asyncio.sleep(TICK * 1.01)
    (rank,) = await viewer.drain()
    assert said(rank, "from", "version", "rank", "moved", "passed_by") == (2, 6, 10, -4, ["p8", "p9", "p10"])


@pytest.mark.parametrize(("mode", "passed"), [(RankMode.COMPETITION, []), (RankMode.ORDINAL, ["p9"])])
async def test_who_passes_depends_on_how_the_board_ranks(world: World, mode: RankMode, passed: list[str]) -> None:
    board = await world.board(ranks=mode)
    await world.apply(board, ranked("p5", 50, seq=9), ranked("p9", 40, seq=1))
    viewer = await watching(world, "p5")
    # Shares the score and, by a lower seq that was late, stands before it.
    await world.apply(board, ranked("p9", 50, seq=8))
    await asyncio.sleep(TICK * 2)
    (rank,) = await viewer.drain()
    assert said(rank, "position", "moved", "passed_by") == (1, -len(passed), passed)


async def test_who_is_not_touched_is_told_nothing(world: World, board: Board) -> None:
    viewer = await watching(world, "p0")
    await world.apply(board, ranked("p11", 95, seq=50), ranked("low", -1, seq=51))
    await asyncio.sleep(TICK * 5)
    assert await viewer.drain() == []


async def test_what_moves_while_others_are_being_told_is_told_at_the_next_tick(
    world: World, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = await watching(world, "p3", "p4", "p5")
    monkeypatch.setattr(fanouts, "SLICE", 1)
    passes = Passes(world.fanout)
    await world.apply(board, climb(50))
    await asyncio.sleep(TICK * 1.01)
    assert len(await viewer.drain()) == 1
    await world.apply(board, ranked("p10", 999, seq=51))
    passes.finish()
    await asyncio.sleep(TICK * 1.01)
    passes.finish()
    await viewer.drain()
    assert {said(rank, "version", "rank") for rank in viewer.ranks.values()} == {(4, 6), (4, 7), (4, 8)}


async def test_an_epoch_that_begins_while_others_are_being_told_is_not_gone_back_from(
    world: World, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = await watching(world, "p3", "p4", "p5")
    monkeypatch.setattr(fanouts, "SLICE", 1)
    passes = Passes(world.fanout)
    await world.apply(board, climb(50))
    await asyncio.sleep(TICK * 1.01)
    world.store.raise_epoch(board.key)
    await world.rebuild(board)
    await asyncio.sleep(1)
    passes.finish()
    await viewer.drain()
    assert {said(rank, "epoch", "version") for rank in viewer.ranks.values()} == {(2, 1)}


async def test_one_whose_pass_goes_on_is_told_of_others_after_it(
    world: World, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await watching(world, "p5"), await watching(world, "p5")
    monkeypatch.setattr(fanouts, "SLICE", 1)
    passes = Passes(world.fanout)
    await world.apply(board, ranked("p5", 95, 1, seq=50))
    await world.apply(board, climb(51))
    await asyncio.sleep(TICK * 1.01)
    passes.finish()
    await asyncio.sleep(TICK * 1.01)
    passes.finish()
    for viewer in (first, second):
        assert [said(rank, "from", "version", "rank") for rank in await viewer.drain()] == [(2, 3, 6), (3, 4, 7)]


async def test_ten_thousand_who_are_watched_make_no_ten_thousand_frames_a_tick() -> None:
    """A new leader in each tick of a second: every one of them is passed by each, and told once."""
    world = World(max_topics=100)
    board = await world.board()
    names = [f"p{n}" for n in range(10_000)]
    await world.apply(board, *(ranked(name, 1, n, seq=n + 1) for n, name in enumerate(names)))
    viewers = [world.viewer() for _ in range(100)]
    work = [viewer.watch(Own(name)) for n, viewer in enumerate(viewers) for name in names[n::100]]
    await asyncio.gather(*work)
    before = world.fanout.deliveries
    for seq in range(20_000, 20_019):
        await world.apply(board, ranked("leader", 2, 50_000 - seq, seq=seq))
        await asyncio.sleep(TICK)
    assert world.fanout.deliveries == before
    # One's own change does not wait for that.
    await world.apply(board, ranked("p77", 3, seq=30_000))
    assert world.fanout.deliveries == before + 1
    await asyncio.sleep(TICK * 2)
    assert world.fanout.deliveries == before + 10_000
    await world.close()


# -- many who watch one ---------------------------------------------------------------------------------------------


async def test_all_who_watch_one_player_share_a_frame(
    world: World, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewers = [await watching(world, "p5") for _ in range(5)]
    made: list[str] = []
    make = messages.rank
    monkeypatch.setattr(messages, "rank", lambda topic, *rest: (made.append(topic), make(topic, *rest))[1])
    await world.apply(board, ranked("p5", 99, seq=50))
    await world.apply(board, climb(51))
    await asyncio.sleep(TICK * 2)
    assert made == ["b/player/p5"] * 2
    assert len({tuple(viewer.frames) and (await viewer.drain())[-1]["version"] for viewer in viewers}) == 1


async def test_newcomers_are_looked_up_together(world: World, board: Board) -> None:
    asked: list[int] = []
    standings = world.ranking.standings

    async def counted(key: Any, columns: Any, names: Any) -> Any:
        asked.append(len(names))
        return await standings(key, columns, names)

    world.ranking.standings = counted  # type: ignore[method-assign]
    viewers = [world.viewer() for _ in range(10)]
    await asyncio.gather(*(viewer.watch(Own(f"p{n}")) for n, viewer in enumerate(viewers)))
    assert sum(asked) == 10
    assert len(asked) <= 2
    assert board.name == "b"


async def test_one_looked_up_while_the_board_moved_stands_where_it_stands_now(world: World, board: Board) -> None:
    await watching(world, "p0")

    async def moves() -> None:
        await world.apply(board, climb(50))

    world.ranking.meanwhile.append(moves)
    viewer = await watching(world, "p5")
    assert said(viewer.ranks["b/player/p5"], "version", "rank", "of") == (3, 7, 12)


async def test_whom_nobody_watches_any_more_is_forgotten(world: World, board: Board) -> None:
    viewer = await watching(world, "p5")
    world.hub.unsubscribe(viewer.connection, "b/player/p5", 2)
    assert (of(world).topics, len(of(world)._moves.watched)) == ({}, 0)
    await world.apply(board, climb(50), ranked("p5", 1, seq=51))
    await asyncio.sleep(TICK * 3)
    assert types(await viewer.drain()) == ["unsubscribed"]


# -- keeping true ---------------------------------------------------------------------------------------------------


async def test_a_check_carries_version_and_total_to_who_stands_as_before_once(world: World, board: Board) -> None:
    viewer = await watching(world, "p0")
    await world.apply(board, ranked("low", -1, seq=50))
    of(world).check()
    of(world).check()
    (check,) = await viewer.drain()
    assert said(check, "type", "version", "total", "rank") == ("check", 3, 13, 1)
    await world.apply(board, climb(51))
    await asyncio.sleep(TICK * 2)
    (rank,) = await viewer.drain()
    assert said(rank, "from", "version", "moved") == (3, 4, -1)


async def test_a_new_epoch_is_told_as_a_rank_that_stands_for_itself(world: World, board: Board) -> None:
    viewer = await watching(world, "p5")
    world.store.raise_epoch(board.key)
    await world.rebuild(board)
    await settle()
    await asyncio.sleep(TICK)
    (rank,) = await viewer.drain()
    assert said(rank, "epoch", "from", "version", "rank") == (2, 1, 1, 6)
