from __future__ import annotations

import asyncio

from realtime.core.errors import StoreUnavailable
from realtime.core.messages import Own
from realtime.core.model import Board
from tests.changes import ranked
from tests.turned import settle
from tests.unit.realtime.gateway.world import CHECK, INTEREST, TICK, TOPIC, Viewer, World, climb, fill, types

# -- stale and fresh ------------------------------------------------------------------------------------------------


async def test_while_the_ranking_is_away_watchers_are_told_once_and_again_when_it_is_back(
    world: World, board: Board, viewer: Viewer
) -> None:
    world.ranking.away = True
    world.bus.lose()
    await asyncio.sleep(3)
    assert await viewer.drain() == [{"type": "stale", "topic": TOPIC, "as_of": 1_700_000_000}]
    world.ranking.away = False
    world.bus.losing = 1
    await world.apply(board, climb(50))
    await asyncio.sleep(3)
    assert types(await viewer.drain()) == ["fresh", "delta"]
    assert viewer.shows(await world.truth(board))
    assert not viewer.states[TOPIC].stale


async def test_who_is_still_waiting_for_its_first_list_is_not_told_that_it_is_fresh(
    world: World, board: Board, viewer: Viewer
) -> None:
    world.ranking.away = True
    world.bus.lose()
    await asyncio.sleep(1)
    late = world.viewer()
    waiting = asyncio.create_task(late.subscribe())
    await asyncio.sleep(1)
    world.ranking.away = False
    await waiting
    assert types(await late.drain()) == ["welcome", "subscribed", "snapshot"]
    assert types(await viewer.drain()) == ["stale", "fresh"]
    assert late.shows(await world.truth(board))


# -- checks ---------------------------------------------------------------------------------------------------------


async def test_checks_come_while_the_board_moves_and_carry_version_and_total_forward(
    world: World, board: Board, viewer: Viewer
) -> None:
    world.spawn(world.hub.run())
    await asyncio.sleep(CHECK * 1.5)
    await viewer.drain()
    await world.apply(board, ranked("low", -1, seq=50))
    await asyncio.sleep(CHECK)
    (check,) = await viewer.drain()
    assert (check["type"], check["version"], check["total"]) == ("check", 3, 13)
    await world.apply(board, climb(51))
    (delta,) = await viewer.drain()
    assert delta["from"] == 3


async def test_on_a_board_that_stands_still_there_are_no_checks(world: World, viewer: Viewer) -> None:
    world.spawn(world.hub.run())
    await asyncio.sleep(CHECK * 1.5)
    await viewer.drain()
    await asyncio.sleep(CHECK * 5)
    assert await viewer.drain() == []


async def test_who_lags_is_sent_no_check_of_what_it_does_not_show(world: World, board: Board, viewer: Viewer) -> None:
    world.spawn(world.hub.run())
    await fill(viewer)
    await world.apply(board, climb(50))
    await asyncio.sleep(CHECK * 3)
    assert types(await viewer.drain()) == ["delta"]
    assert viewer.shows(await world.truth(board))


async def test_silent_loss_is_found_by_comparing_versions(world: World, board: Board, viewer: Viewer) -> None:
    world.spawn(world.hub.run())
    world.bus.losing = 1
    await world.apply(board, climb(50))
    assert await viewer.drain() == []
    await asyncio.sleep(CHECK * 1.5)
    assert "delta" in types(await viewer.drain())
    assert viewer.shows(await world.truth(board))
    assert world.hub.drift == 1


async def test_a_subscription_that_is_silently_gone_is_made_again(world: World, board: Board, viewer: Viewer) -> None:
    world.spawn(world.hub.run())
    await viewer.watch(Own("p11"))
    await viewer.drain()
    world.bus._listeners.clear()
    await world.apply(board, climb(50))
    await asyncio.sleep(CHECK * 1.5)
    assert world.hub.drift == 1
    assert {"delta", "rank"} <= set(types(await viewer.drain()))
    # What comes next is heard as it is announced.
    await world.apply(board, climb(51))
    await asyncio.sleep(TICK)
    assert sorted(types(await viewer.drain())) == ["delta", "rank"]
    assert world.hub.drift == 1


async def test_a_board_that_only_moves_on_is_no_drift(world: World, board: Board, viewer: Viewer) -> None:
    world.spawn(world.hub.run())
    for seq in range(50, 70):
        await world.apply(board, climb(seq))
        await asyncio.sleep(CHECK / 3)
        await viewer.drain()
    assert world.hub.drift == 0
    assert world.ranking.reads == 1


async def test_a_store_that_is_away_while_the_ranking_is_too_ends_nothing(
    world: World, board: Board, viewer: Viewer
) -> None:
    world.spawn(world.hub.run())
    world.ranking.away, world.boards.failing = True, StoreUnavailable("away")
    world.bus.lose()
    await asyncio.sleep(CHECK * 4)
    world.ranking.away, world.boards.failing = False, None
    await world.apply(board, climb(50))
    await asyncio.sleep(CHECK)
    await viewer.drain()
    assert viewer.shows(await world.truth(board))


# -- reading --------------------------------------------------------------------------------------------------------


async def test_a_board_that_was_read_is_followed_for_a_while(world: World, board: Board) -> None:
    world.spawn(world.hub.run())
    assert world.hub.feed(board) is None
    world.hub.follow(board)
    await settle()
    feed = world.hub.feed(board)
    assert feed is not None
    assert feed.window == await world.truth(board)
    for _ in range(4):
        await asyncio.sleep(INTEREST * 0.8)
        assert world.hub.feed(board) is feed
    await asyncio.sleep(INTEREST + CHECK * 1.1)
    assert world.hub.watched == 0
    assert world.bus._listeners == {}


async def test_a_board_that_is_watched_is_followed_for_ever(world: World, board: Board, viewer: Viewer) -> None:
    world.spawn(world.hub.run())
    await asyncio.sleep(INTEREST * 5)
    await world.apply(board, climb(50))
    await viewer.drain()
    assert viewer.shows(await world.truth(board))


async def test_a_feed_that_is_not_current_does_not_answer_reads(world: World, board: Board) -> None:
    world.hub.follow(board)
    await settle()
    assert world.hub.feed(board) is not None
    world.ranking.away = True
    world.bus.lose()
    await asyncio.sleep(1)
    assert world.hub.feed(board) is None


async def test_another_board_of_the_same_name_is_not_answered_for(world: World, board: Board) -> None:
    world.hub.follow(board)
    await settle()
    await world.boards.delete("b")
    again = await world.board()
    assert world.hub.feed(again) is None
    assert world.hub.follow(again).board == again
