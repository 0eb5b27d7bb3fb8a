"""Who comes back to a top is told just what was missed: here, on another node, late, or after an edit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from realtime.core.messages import Top
from tests.changes import gone, ranked
from tests.unit.realtime.gateway.nodes import beside
from tests.unit.realtime.gateway.world import TICK, TOPIC, World, climb, types

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from realtime.core.model import Board
    from tests.unit.realtime.gateway.world import Viewer


@pytest.fixture(params=["the same node", "another node"])
async def node(world: World, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Where it comes back to."""
    if request.param == "the same node":
        yield world
    else:
        other = beside(world)
        yield other
        await other.close()


async def gone_away(viewer: Viewer) -> Viewer:
    await viewer.drain()
    viewer.world.hub.leave(viewer.connection)
    return viewer


async def back(old: Viewer, node: World, **how: Any) -> tuple[Viewer, str, list[dict[str, Any]]]:
    """It resumes there; the mode, and what follows. It applies that strictly."""
    new, held = node.viewer(**how), old.states[TOPIC]
    new.states = dict(old.states)
    await new.watch(Top(10), resume=(held.epoch, held.version))
    _, subscribed, *rest = await new.drain()
    return new, subscribed["mode"], rest


async def test_who_missed_nothing_is_told_nothing_and_followed_on(
    world: World, board: Board, viewer: Viewer, node: World
) -> None:
    await gone_away(viewer)
    viewer, mode, rest = await back(viewer, node)
    assert (mode, rest) == ("resumed", [])
    await world.apply(board, climb(50))
    assert types(await viewer.drain()) == ["delta"]
    assert viewer.shows(await world.truth(board))


async def test_what_was_missed_is_one_delta_from_what_it_holds(
    world: World, board: Board, viewer: Viewer, node: World
) -> None:
    await gone_away(viewer)
    for seq in range(50, 60):
        await world.apply(board, climb(seq), ranked("p3", seq, seq=seq + 100))
    viewer, mode, (delta,) = await back(viewer, node)
    assert (mode, delta["from"], delta["to"]) == ("resumed", 2, 12)
    assert viewer.shows(await world.truth(board))
    assert (node.hub.resumed, world.hub.started) == (1, 1)


async def test_what_was_missed_elsewhere_on_the_board_is_a_check(
    world: World, board: Board, viewer: Viewer, node: World
) -> None:
    await gone_away(viewer)
    for seq in range(50, 55):
        await world.apply(board, ranked("low", -1, seq, seq=seq))
    viewer, mode, (check,) = await back(viewer, node)
    assert (mode, check["type"], check["version"], check["total"]) == ("resumed", "check", 7, 13)
    await world.apply(board, climb(60))
    await viewer.drain()
    assert viewer.shows(await world.truth(board))


async def test_where_a_snapshot_is_smaller_than_what_was_missed_it_goes(world: World) -> None:
    board = await world.board()
    names = [f"{n:060}" for n in range(10)]
    await world.apply(board, *(ranked(f"p{n}", 9, n, seq=n + 1, name=name) for n, name in enumerate(names)))
    viewer = await gone_away(await world.watching(board))
    for n, name in enumerate(names):
        await world.apply(board, gone(f"p{n}", seq=n + 50), ranked(f"q{n}", 10, n, seq=n + 20, name=name))
    viewer, mode, (snapshot,) = await back(viewer, world)
    assert (mode, snapshot["type"]) == ("resumed", "snapshot")
    assert viewer.shows(await world.truth(board))


@pytest.mark.parametrize("case", ["another epoch", "forgotten", "never heard of"])
async def test_from_what_is_not_known_any_more_it_is_told_afresh(
    world: World, board: Board, viewer: Viewer, case: str
) -> None:
    await gone_away(viewer)
    held, node = viewer.states[TOPIC], beside(world)
    await world.apply(board, climb(50))
    resume = held.epoch, held.version
    if case == "another epoch":
        world.store.raise_epoch(board.key)
        await world.rebuild(board)
    elif case == "forgotten":
        world.ranking.forgetting = True
    else:
        resume = held.epoch, 99
    new = node.viewer()
    await new.watch(Top(10), resume=resume)
    _, subscribed, snapshot = await new.drain()
    assert (subscribed["mode"], snapshot["type"]) == ("snapshot", "snapshot")
    assert new.shows(await world.truth(board))
    await node.close()


async def test_many_who_come_back_from_one_version_share_a_frame_and_one_look_at_the_stream(
    world: World, board: Board
) -> None:
    viewers = [await world.watching(board) for _ in range(20)]
    for viewer in viewers:
        await gone_away(viewer)
    for seq in range(50, 55):
        await world.apply(board, climb(seq))
    node = beside(world)
    world.ranking.histories = 0
    returned = await asyncio.gather(*(back(viewer, node) for viewer in viewers))
    assert {mode for _, mode, _ in returned} == {"resumed"}
    assert {viewer.frames[-1] for viewer, _, _ in returned} == {returned[0][0].frames[-1]}
    assert world.ranking.histories == 1
    topic = returned[0][0].connection.subscriptions[0].topic
    assert len(topic._frames or ()) == 1
    await node.close()


async def test_who_comes_back_with_a_full_socket_is_led_on_when_there_is_room(
    world: World, board: Board, viewer: Viewer
) -> None:
    await gone_away(viewer)
    held, new = viewer.states[TOPIC], world.viewer()
    new.states = dict(viewer.states)
    new.connection.room = 0
    await world.apply(board, climb(50))
    await new.watch(Top(10), resume=(held.epoch, held.version))
    for seq in (51, 52):
        await world.apply(board, climb(seq))
        await asyncio.sleep(TICK * 2)
    sent = [message for message in await new.drain() if message["type"] == "delta"]
    assert [(delta["from"], delta["to"]) for delta in sent] == [(2, 3), (3, 5)]
    assert new.shows(await world.truth(board))


async def test_a_member_that_resumes_what_it_watches_is_led_from_what_it_says(
    world: World, board: Board, viewer: Viewer
) -> None:
    """On the same connection: what it lost, it lost itself."""
    lost = viewer.states[TOPIC]
    await world.apply(board, climb(50))
    await viewer.drain()
    viewer.states[TOPIC] = lost
    await viewer.watch(Top(10), resume=(lost.epoch, lost.version))
    await asyncio.sleep(TICK * 2)
    subscribed, delta = await viewer.drain()
    assert (subscribed["mode"], delta["from"], delta["to"]) == ("resumed", 2, 3)
    await world.apply(board, climb(51))
    assert len(await viewer.drain()) == 1
