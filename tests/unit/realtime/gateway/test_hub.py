from __future__ import annotations

import asyncio

import pytest

from realtime.core.errors import (
    BoardUnknown,
    Forbidden,
    RankingUnavailable,
    TopicsExceeded,
    TopicUnknown,
)
from realtime.core.model import Board, BoardKey, RankMode
from realtime.gateway.hub import may_read
from tests.changes import ranked
from tests.contract.sending import spec
from tests.turned import settle
from tests.unit.realtime.gateway.world import ADMIN, CHECK, PATIENCE, TICK, TOPIC, Viewer, World, climb, types

# -- coming and going -----------------------------------------------------------------------------------------------


async def test_who_comes_is_welcomed(world: World) -> None:
    viewer = world.viewer()
    assert await viewer.drain() == [{"type": "welcome", "heartbeat": 25, "tick": 50}]
    assert list(world.watch) == [viewer.connection]


async def test_who_subscribes_is_answered_and_shown_the_list(world: World, board: Board) -> None:
    viewer = world.viewer()
    await viewer.subscribe(request=7)
    welcome, subscribed, snapshot = await viewer.drain()
    assert welcome["type"] == "welcome"
    assert subscribed == {"type": "subscribed", "id": 7, "topic": TOPIC, "mode": "snapshot"}
    assert (snapshot["type"], snapshot["limit"], snapshot["total"]) == ("snapshot", 10, 12)
    assert viewer.shows(await world.truth(board))


async def test_who_subscribes_again_gets_a_new_snapshot_and_each_frame_once(
    world: World, board: Board, viewer: Viewer
) -> None:
    await world.apply(board, climb(50))
    await viewer.subscribe(request=2)
    assert types(await viewer.drain()) == ["delta", "subscribed", "snapshot"]
    await asyncio.sleep(TICK * 2)
    await world.apply(board, climb(51))
    await asyncio.sleep(TICK * 3)
    assert types(await viewer.drain()) == ["delta"]
    assert viewer.shows(await world.truth(board))


async def test_other_limits_of_a_board_are_other_topics(world: World, board: Board, viewer: Viewer) -> None:
    await viewer.subscribe(limit=25)
    await viewer.drain()
    await world.apply(board, ranked("p11", 50, seq=50))
    assert [message["topic"] for message in await viewer.drain()] == ["b/top/25"]
    assert viewer.shows(await world.truth(board), limit=25)
    assert world.hub.watched == 1


async def test_who_unsubscribes_is_told_nothing_more(world: World, board: Board, viewer: Viewer) -> None:
    world.hub.unsubscribe(viewer.connection, TOPIC, 9)
    await world.apply(board, climb(50))
    await asyncio.sleep(CHECK * 3)
    assert await viewer.drain() == [{"type": "unsubscribed", "id": 9, "topic": TOPIC}]


async def test_what_is_not_watched_cannot_be_unsubscribed(world: World, viewer: Viewer) -> None:
    with pytest.raises(TopicUnknown):
        world.hub.unsubscribe(viewer.connection, "b/top/25", 9)


async def test_who_unsubscribes_with_a_frame_due_leaves_no_timer(world: World, board: Board, viewer: Viewer) -> None:
    await world.apply(board, climb(50))
    await world.apply(board, climb(51))
    world.hub.unsubscribe(viewer.connection, TOPIC, None)
    await asyncio.sleep(TICK * 2)
    assert types(await viewer.drain()) == ["delta", "unsubscribed"]
    await viewer.subscribe()
    await viewer.drain()
    assert viewer.shows(await world.truth(board))


async def test_who_leaves_is_forgotten(world: World, viewer: Viewer) -> None:
    world.hub.leave(viewer.connection)
    assert list(world.watch) == []
    assert viewer.connection.subscriptions == ()
    assert (world.hub._boards["b"].watchers, world.hub._boards["b"].topics()) == (0, [])


async def test_who_leaves_while_it_waits_for_the_list_is_forgotten(world: World, board: Board) -> None:
    world.ranking.away = True
    viewer = world.viewer()
    waiting = asyncio.create_task(viewer.subscribe())
    await settle()
    world.hub.leave(viewer.connection)
    world.ranking.away = False
    await waiting
    assert (world.hub._boards["b"].watchers, world.hub._boards["b"].topics()) == (0, [])
    assert board.name == "b"


async def test_a_connection_watches_only_so_many_topics() -> None:
    world = World(max_topics=2)
    await world.board()
    viewer = world.viewer()
    await viewer.subscribe(limit=10)
    await viewer.subscribe(limit=25)
    with pytest.raises(TopicsExceeded):
        await viewer.subscribe(limit=50)
    await viewer.subscribe(limit=25)
    world.hub.unsubscribe(viewer.connection, "b/top/10", None)
    await viewer.subscribe(limit=50)
    await world.close()


async def test_a_board_that_is_not_there_cannot_be_watched(world: World) -> None:
    viewer = world.viewer()
    with pytest.raises(BoardUnknown):
        await viewer.subscribe("nothing")
    assert world.hub.watched == 0


async def test_a_private_board_is_watched_with_a_token_only(world: World) -> None:
    await world.board(public=False)
    with pytest.raises(Forbidden):
        await world.viewer().subscribe()
    insider = world.viewer(ADMIN)
    await insider.subscribe()
    assert "snapshot" in await insider.types()


async def test_while_the_ranking_is_away_a_subscription_fails_in_time(world: World, board: Board) -> None:
    world.ranking.away = True
    viewer = world.viewer()
    before = asyncio.get_running_loop().time()
    with pytest.raises(RankingUnavailable):
        await viewer.subscribe()
    assert asyncio.get_running_loop().time() - before == pytest.approx(PATIENCE)
    assert viewer.connection.subscriptions == ()
    world.ranking.away = False
    await viewer.subscribe()
    await viewer.drain()
    assert viewer.shows(await world.truth(board))


def test_may_read_is_the_one_rule() -> None:
    private = Board(BoardKey(1, 1), "b", spec(public=False), 1)
    may_read(Board(BoardKey(1, 1), "b", spec(), 1), None)
    may_read(private, ADMIN)
    with pytest.raises(Forbidden):
        may_read(private, None)


# -- edits and ends -------------------------------------------------------------------------------------------------


async def test_a_board_that_becomes_private_lets_go_of_who_has_no_token(
    world: World, board: Board, viewer: Viewer
) -> None:
    insider = world.viewer(ADMIN)
    await insider.subscribe()
    await insider.drain()
    edited = await world.edit(public=False)
    await settle()
    (error,) = await viewer.drain()
    assert (error["type"], error["code"], error["topic"]) == ("error", "forbidden", TOPIC)
    assert viewer.connection.subscriptions == ()
    assert types(await insider.drain()) == ["snapshot"]
    await world.apply(edited, climb(50))
    await asyncio.sleep(CHECK * 2)
    assert await viewer.drain() == []
    await insider.drain()
    assert insider.shows(await world.truth(board))


async def test_nothing_of_a_board_that_became_private_is_shown_to_who_may_not_see_it(
    world: World, board: Board, viewer: Viewer
) -> None:
    """Not even what is in the first snapshot of the new epoch."""
    await world.boards.put("b", type(board.spec)(title="", columns=board.spec.columns, public=False))
    secret = ranked("secret", 99_999, seq=90)
    await world.rebuild(board, [secret])
    await settle()
    assert types(await viewer.drain()) == ["error"]
    assert b"secret" not in b"".join(viewer.frames)


async def test_a_node_that_knew_the_board_as_public_does_not_let_newcomers_in(world: World, board: Board) -> None:
    await world.directory.get("b")
    await world.edit(public=False)
    viewer = world.viewer()
    with pytest.raises(Forbidden):
        await viewer.subscribe()
    assert types(await viewer.drain()) == ["welcome"]
    assert viewer.connection.subscriptions == ()
    assert board.spec.public


async def test_another_rank_mode_is_shown_after_the_edit(world: World, board: Board, viewer: Viewer) -> None:
    await world.apply(board, ranked("p0", 500, seq=50), ranked("p1", 500, seq=51))
    await viewer.drain()
    assert [entry.rank for entry in viewer.states[TOPIC].entries[:3]] == [1, 1, 3]
    await world.edit(ranks=RankMode.ORDINAL)
    await asyncio.sleep(TICK * 2)
    (snapshot,) = await viewer.drain()
    assert (snapshot["type"], snapshot["ranks"]) == ("snapshot", "ordinal")
    assert [entry.rank for entry in viewer.states[TOPIC].entries[:3]] == [1, 2, 3]


async def test_a_new_epoch_is_shown_as_a_snapshot_and_then_followed(world: World, board: Board, viewer: Viewer) -> None:
    world.store.raise_epoch(board.key)
    await world.rebuild(board)
    await settle()
    assert types(await viewer.drain()) == ["snapshot"]
    await asyncio.sleep(TICK * 2)
    await world.apply(board, climb(50))
    assert types(await viewer.drain()) == ["delta"]
    assert viewer.shows(await world.truth(board))


async def test_a_deleted_board_closes_its_topics(world: World, board: Board, viewer: Viewer) -> None:
    running = world.spawn(world.hub.run())
    await viewer.subscribe(limit=25)
    await viewer.drain()
    await world.boards.delete("b")
    await world.ranking.drop(board.key)
    await asyncio.sleep(CHECK * 1.5)
    errors = [message for message in await viewer.drain() if message["type"] == "error"]
    assert {(error["code"], error["topic"]) for error in errors} == {
        ("board_unknown", TOPIC),
        ("board_unknown", "b/top/25"),
    }
    assert viewer.connection.subscriptions == ()
    assert world.hub.watched == 0
    assert not running.done()


async def test_a_board_made_anew_under_the_name_is_another_board(world: World, viewer: Viewer) -> None:
    await world.boards.delete("b")
    again = await world.board()
    world.directory.forget("b")
    newcomer = await world.watching(again)
    (error,) = await viewer.drain()
    assert (error["code"], error["topic"]) == ("board_unknown", TOPIC)
    await world.apply(again, ranked("new", 1, seq=1))
    await newcomer.drain()
    assert newcomer.shows(await world.truth(again))
    assert await viewer.drain() == []
    await viewer.subscribe()
    await viewer.drain()
    assert viewer.shows(await world.truth(again))


async def test_two_topics_of_a_board_that_is_gone_do_not_trip_over_each_other(
    world: World, board: Board, viewer: Viewer
) -> None:
    await viewer.subscribe(limit=25)
    await viewer.drain()
    await world.boards.delete("b")
    await world.ranking.mark(board.key, 99)
    await world.ranking.swap(board.key, 99, 24)
    await asyncio.sleep(1)
    assert types(await viewer.drain()) == ["error", "error"]
    assert world.hub.watched == 0
