"""When the top's frames go, and what they are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from realtime.core.announcement import Origin
from realtime.core.messages import Top
from realtime.gateway import fanout as fanouts
from tests.changes import gone, ranked
from tests.turned import settle
from tests.unit.realtime.gateway.held import Passes
from tests.unit.realtime.gateway.world import TICK, TOPIC, Viewer, World, climb, types

if TYPE_CHECKING:
    from realtime.core.model import Board
    from realtime.gateway.top import Tops


@pytest.fixture
def passes(world: World, monkeypatch: pytest.MonkeyPatch) -> Passes:
    """One connection a slice."""
    monkeypatch.setattr(fanouts, "SLICE", 1)
    return Passes(world.fanout)


def steps(messages: list[dict[str, int]]) -> list[tuple[int, int]]:
    return [(message["from"], message["to"]) for message in messages]


def tops(world: World) -> Tops:
    return world.hub._boards["b"].tops


# -- when -----------------------------------------------------------------------------------------------------------


async def test_the_first_change_goes_at_once_and_what_follows_is_one_frame_when_the_tick_is_over(
    world: World, board: Board, viewer: Viewer
) -> None:
    for seq in (50, 51, 52):
        await world.apply(board, climb(seq))
    assert steps(await viewer.drain()) == [(2, 3)]
    await asyncio.sleep(TICK * 0.99)
    assert await viewer.drain() == []
    await asyncio.sleep(TICK * 0.02)
    assert steps(await viewer.drain()) == [(3, 5)]


async def test_what_comes_back_to_what_was_shown_makes_no_frame(world: World, board: Board, viewer: Viewer) -> None:
    await world.apply(board, climb(50))
    await world.apply(board, ranked("new", 2000, seq=60))
    await world.apply(board, gone("new", seq=61))
    await asyncio.sleep(TICK * 3)
    assert steps(await viewer.drain()) == [(2, 3)]
    assert viewer.shows(await world.truth(board))


async def test_a_pass_that_takes_longer_than_a_tick_delays_the_next_and_all_that_came_is_one_frame(
    world: World, board: Board, viewer: Viewer, passes: Passes
) -> None:
    second = await world.watching(board)
    for seq in (50, 51):
        await world.apply(board, climb(seq))
    await asyncio.sleep(TICK * 2)
    await world.apply(board, climb(52))
    await asyncio.sleep(TICK * 2)
    assert steps(await viewer.drain()) == [(2, 3)]
    assert await second.drain() == []
    passes.finish()
    assert steps(await viewer.drain()) == [(3, 5)]
    assert steps(await second.drain()) == [(2, 3), (3, 5)]
    # That was due; what is next waits its tick.
    await world.apply(board, climb(53))
    assert await viewer.drain() == []
    await asyncio.sleep(TICK * 1.01)
    passes.finish()
    assert steps(await viewer.drain()) == steps(await second.drain()) == [(5, 6)]


async def test_a_pass_that_ends_within_the_tick_leaves_the_next_to_it(
    world: World, board: Board, viewer: Viewer, passes: Passes
) -> None:
    await world.watching(board)
    await world.apply(board, climb(50))
    await world.apply(board, climb(51))
    passes.finish()
    assert steps(await viewer.drain()) == [(2, 3)]
    await asyncio.sleep(TICK * 1.01)
    assert steps(await viewer.drain()) == [(3, 4)]


async def test_with_a_tick_of_nothing_every_version_is_a_frame() -> None:
    world = World(tick=0)
    board = await world.board()
    viewer = await world.watching(board)
    for seq in range(1, 6):
        await world.apply(board, climb(seq))
    assert steps(await viewer.drain()) == [(version, version + 1) for version in range(1, 6)]
    await world.close()


async def test_with_a_tick_of_nothing_what_comes_during_a_pass_is_one_frame_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fanouts, "SLICE", 1)
    world = World(tick=0)
    board = await world.board()
    viewers = [await world.watching(board) for _ in range(2)]
    passes = Passes(world.fanout)
    for seq in range(1, 4):
        await world.apply(board, climb(seq))
    passes.finish()
    for viewer in viewers:
        assert steps(await viewer.drain()) == [(1, 2), (2, 4)]
        assert viewer.shows(await world.truth(board))
    await world.close()


# -- what -----------------------------------------------------------------------------------------------------------


async def test_where_a_delta_would_be_greater_the_snapshot_goes(world: World) -> None:
    board = await world.board()
    names = {n: f"{n:060}" for n in range(10)}
    await world.apply(board, *(ranked(f"p{n}", 9, n, seq=n + 1, name=name) for n, name in names.items()))
    viewer = await world.watching(board)
    others = (ranked(f"q{n}", 10, n, seq=n + 20, name=name) for n, name in names.items())
    await world.apply(board, *others, *(gone(f"p{n}", seq=n + 40) for n in names))
    (snapshot,) = await viewer.drain()
    assert snapshot["type"] == "snapshot"
    assert viewer.shows(await world.truth(board))


async def test_a_small_delta_goes_though_the_snapshot_were_smaller(world: World) -> None:
    """Nobody looks at what cannot be worth it."""
    board = await world.board()
    await world.apply(board, *(ranked(f"p{n}", n, seq=n + 1) for n in range(10)))
    viewer = await world.watching(board)
    await world.apply(board, *(gone(f"p{n}", seq=n + 50) for n in range(10)), ranked("eve", 9, seq=60))
    assert types(await viewer.drain()) == ["delta"]
    (topic,) = tops(world).topics.values()
    assert len(topic.snapshot().text) < len(viewer.frames[-1])


async def test_a_snapshot_is_made_once_for_all_who_come_at_one_version(world: World, board: Board) -> None:
    topic = (await world.watching(board)).connection.subscriptions[0].topic
    shot = topic.snapshot()
    assert topic.snapshot() is shot
    await world.apply(board, climb(50))
    assert topic.snapshot() is not shot


async def test_a_delta_of_a_larger_top_reaches_no_smaller_one_that_shows_the_same(
    world: World, board: Board, viewer: Viewer
) -> None:
    large = await world.watching(board, limit=25)
    await world.apply(board, ranked("low", 1, seq=50))
    assert types(await large.drain()) == ["delta"]
    assert await viewer.drain() == []


# -- keeping true ---------------------------------------------------------------------------------------------------


async def test_a_check_carries_version_and_total_forward_once(world: World, board: Board, viewer: Viewer) -> None:
    tops(world).check()
    await viewer.drain()
    await world.apply(board, ranked("low", -1, seq=50))
    tops(world).check()
    tops(world).check()
    (check,) = await viewer.drain()
    assert (check["type"], check["version"], check["total"]) == ("check", 3, 13)
    await world.apply(board, climb(51))
    assert steps(await viewer.drain()) == [(3, 4)]


async def test_a_check_while_a_change_waits_for_its_tick_is_of_what_is_shown(
    world: World, board: Board, viewer: Viewer
) -> None:
    await world.apply(board, climb(50))
    await world.apply(board, climb(51))
    await viewer.drain()
    tops(world).check()
    (check,) = await viewer.drain()
    assert (check["type"], check["version"]) == ("check", 3)
    await asyncio.sleep(TICK * 2)
    assert steps(await viewer.drain()) == [(3, 4)]


async def test_there_is_no_check_during_a_pass(world: World, board: Board, viewer: Viewer, passes: Passes) -> None:
    await world.watching(board)
    await world.apply(board, climb(50))
    tops(world).check()
    passes.finish()
    assert types(await viewer.drain()) == ["delta"]


# -- coming back ----------------------------------------------------------------------------------------------------


async def test_who_knows_more_than_the_members_waits_for_their_next_frame(
    world: World, board: Board, viewer: Viewer
) -> None:
    """It was told elsewhere what waits here for its tick."""
    truth = await world.truth(board)
    await world.apply(board, climb(50))
    await world.apply(board, climb(51))
    back = world.viewer()
    before = asyncio.get_running_loop().time()
    await back.watch(Top(10), resume=(truth.epoch, truth.version + 2))
    assert asyncio.get_running_loop().time() - before == pytest.approx(TICK)
    assert [message.get("mode") for message in await back.drain()] == [None, "resumed"]
    assert steps(await viewer.drain()) == [(2, 3), (3, 4)]


async def test_so_does_the_first_one_on_a_node_that_is_behind(world: World, board: Board) -> None:
    truth = await world.truth(board)
    back = world.viewer()
    before = asyncio.get_running_loop().time()
    waiting = asyncio.create_task(back.watch(Top(10), resume=(truth.epoch, truth.version + 2)))
    await settle()
    for seq in (50, 51):
        await world.apply(board, climb(seq))
    await waiting
    assert asyncio.get_running_loop().time() - before < TICK * 3
    assert [message.get("mode") for message in await back.drain()] == [None, "resumed"]


async def test_members_are_led_on_where_they_show_the_same(world: World, board: Board, viewer: Viewer) -> None:
    await world.apply(board, ranked("low", -1, seq=50))
    truth = await world.truth(board)
    back = world.viewer()
    await back.watch(Top(10), resume=(truth.epoch, truth.version))
    assert types(await back.drain()) == ["welcome", "subscribed"]
    assert types(await viewer.drain()) == ["check"]
    await world.apply(board, climb(51))
    back.states[TOPIC] = viewer.states[TOPIC]
    assert steps(await back.drain()) == steps(await viewer.drain()) == [(3, 4)]


# -- how late ------------------------------------------------------------------------------------------------------------


async def test_it_is_told_where_a_frame_comes_from_when_all_in_step_have_it(
    world: World, board: Board, viewer: Viewer, passes: Passes
) -> None:
    assert await world.watching(board)
    await world.apply(board, climb(50), origin=Origin(7, "Root=1-a"))
    assert world.pushed == [], "one of two has it"
    passes.finish()
    assert world.pushed == [Origin(7, "Root=1-a")]
    assert viewer


async def test_a_frame_over_several_versions_is_as_late_as_the_oldest(
    world: World, board: Board, viewer: Viewer
) -> None:
    await world.apply(board, climb(50), origin=Origin(1))
    for seq, origin in ((51, Origin(9)), (52, None), (53, Origin(5, "Root=1-b")), (54, Origin(6, "Root=1-c"))):
        await world.apply(board, climb(seq), origin=origin)
    await asyncio.sleep(TICK * 2)
    assert world.pushed == [Origin(1), Origin(5, "Root=1-b")]
    assert viewer


async def test_what_shows_nowhere_is_not_late(world: World, board: Board, viewer: Viewer) -> None:
    await world.apply(board, *(ranked(f"low{n}", -n, seq=100 + n) for n in range(10)), origin=Origin(1))
    world.pushed.clear()
    await world.apply(board, ranked("least", -1000, seq=200), origin=Origin(2))
    await asyncio.sleep(TICK * 2)
    assert world.pushed == []
    await world.apply(board, climb(300), origin=Origin(3))
    assert world.pushed == [Origin(3)], "what was not shown does not count any more"
    assert viewer
