"""What a connection may ask, who it is, and what it is answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from realtime.core import closing
from realtime.core.errors import Forbidden, TopicsExceeded
from realtime.core.identity import Principal, Role
from realtime.core.messages import Around, Own, Top, View
from tests.changes import ranked
from tests.turned import settle
from tests.unit.realtime.gateway.world import ADMIN, CHECK, NOW, TICK, World, climb, types

if TYPE_CHECKING:
    from realtime.core.model import Board
    from tests.unit.realtime.gateway.world import Viewer

ADA = Principal("ada", "client", Role.PLAYER, NOW + 3600)
VIEWS: list[View] = [Top(10), Own("p5"), Around("p5", 2)]


@pytest.fixture
async def guest(world: World, board: Board) -> Viewer:
    """Somebody without a token, welcomed. There is a board."""
    assert board.spec.public
    viewer = world.viewer()
    await viewer.drain()
    return viewer


# -- tokens ---------------------------------------------------------------------------------------------------------


async def test_a_token_that_is_known_is_taken_at_once(world: World, guest: Viewer) -> None:
    world.identity.principals["t"] = ADA
    assert world.hub.received(guest.connection, b'{"op":"auth","token":"t"}') is None
    assert guest.connection.principal == ADA
    assert await guest.drain() == [{"type": "authenticated", "expires_at": NOW + 3600}]


async def test_a_token_that_has_to_be_verified_is_waited_for(world: World, guest: Viewer) -> None:
    world.identity.principals["slow"] = ADA
    work = world.hub.received(guest.connection, b'{"op":"auth","token":"slow"}')
    assert work is not None
    assert (guest.connection.principal, await guest.drain()) == (None, [])
    await work
    assert guest.connection.principal == ADA
    assert await guest.types() == ["authenticated"]


async def test_a_token_that_is_refused_is_an_error_and_the_connection_stays_who_it_was(
    world: World, guest: Viewer
) -> None:
    world.identity.principals["t"] = ADA
    await guest.say(op="auth", token="t")
    await guest.say(op="auth", token="another", id=7)
    _, error = await guest.drain()
    assert (error["type"], error["code"], error["id"]) == ("error", "unauthenticated", 7)
    assert guest.connection.principal == ADA
    assert guest.connection.closed is None


async def test_of_who_leaves_while_its_token_is_verified_nothing_is_kept(world: World, guest: Viewer) -> None:
    world.identity.principals["slow"] = ADA
    work = world.hub.received(guest.connection, b'{"op":"auth","token":"slow"}')
    assert work is not None
    guest.connection.close(closing.SILENT)
    await work
    assert (guest.connection.principal, world.watch._ends) == (None, {})


async def test_a_renewed_token_keeps_the_session_and_an_expired_one_ends_it(world: World, guest: Viewer) -> None:
    running = world.spawn(world.watch.run())
    world.identity.principals = {
        name: Principal("ada", "client", Role.PLAYER, NOW + seconds) for name, seconds in (("one", 40), ("two", 90))
    }
    await guest.say(op="auth", token="one")
    await guest.watch(Top(10))

    async def until(second: int) -> list[str]:
        while world.now < NOW + second:
            world.now += 1
            await asyncio.sleep(1)
        return [message.get("code", message["type"]) for message in await guest.drain()]

    assert (await until(30))[-1] == "token_expiring"
    await guest.say(op="auth", token="two")
    assert await until(59) == ["authenticated"]
    assert await until(75) == ["token_expiring"]
    await until(92)
    assert guest.connection.closed == closing.TOKEN_EXPIRED
    assert world.hub.connections == 0
    assert not running.done()


# -- what is asked --------------------------------------------------------------------------------------------------


async def test_a_ping_is_answered(guest: Viewer) -> None:
    await guest.say(op="ping")
    assert await guest.drain() == [{"type": "pong"}]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"op": "dance", "id": 3}, "message_invalid"),
        ({"op": "subscribe", "id": 3, "board": "b", "view": "all"}, "field_invalid"),
        ({"op": "subscribe", "id": 3, "board": "b", "view": "top", "limit": 11}, "field_invalid"),
        ({"op": "subscribe", "id": 3, "board": "b/c", "view": "top"}, "id_invalid"),
        ({"op": "subscribe", "id": 3, "board": "nothing", "view": "top"}, "board_unknown"),
        ({"op": "subscribe", "id": 3, "board": "b", "view": "player"}, "unauthenticated"),
        ({"op": "subscribe", "id": 3, "board": "b", "view": "around", "player": "me"}, "unauthenticated"),
        ({"op": "unsubscribe", "id": 3, "topic": "b/top/10"}, "topic_unknown"),
    ],
)
async def test_what_cannot_be_done_is_an_error_that_names_the_request_and_the_session_goes_on(
    guest: Viewer, message: dict[str, Any], code: str
) -> None:
    await guest.say(**message)
    (error,) = await guest.drain()
    assert (error["type"], error["id"], error["code"]) == ("error", 3, code)
    assert "topic" not in error
    assert guest.connection.subscriptions == ()
    await guest.subscribe()
    assert await guest.types() == ["subscribed", "snapshot"]


async def test_what_is_no_json_is_an_error(world: World, guest: Viewer) -> None:
    assert world.hub.received(guest.connection, b"{") is None
    assert [message["code"] for message in await guest.drain()] == ["message_invalid"]


@pytest.mark.parametrize(("view", "topic"), [("player", "b/player/ada"), ("around", "b/around/ada/5")])
async def test_me_is_the_player_of_the_token(world: World, guest: Viewer, view: str, topic: str) -> None:
    world.identity.principals["t"] = ADA
    await guest.say(op="auth", token="t")
    await guest.say(op="subscribe", id=1, board="b", view=view, player="me")
    assert [message["topic"] for message in await guest.drain() if message["type"] == "subscribed"] == [topic]


async def test_a_token_that_is_no_players_names_no_me(world: World, guest: Viewer) -> None:
    world.identity.principals["t"] = ADMIN
    await guest.say(op="auth", token="t")
    await guest.say(op="subscribe", id=1, board="b", view="player", player="me")
    assert (await guest.drain())[-1]["code"] == "field_invalid"


# -- who may see it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS)
async def test_a_private_board_shows_nothing_without_a_token(world: World, view: View) -> None:
    board = await world.board("secret", public=False)
    await world.apply(board, ranked("p5", 1, seq=1))
    guest, insider = world.viewer(), world.viewer(ADA)
    with pytest.raises(Forbidden):
        await guest.watch(view, "secret")
    assert types(await guest.drain()) == ["welcome"]
    await insider.watch(view, "secret")
    assert types(await insider.drain())[:2] == ["welcome", "subscribed"]


@pytest.mark.parametrize("view", VIEWS)
async def test_of_a_board_that_becomes_private_who_has_no_token_is_told_no_more(
    world: World, guest: Viewer, view: View
) -> None:
    insider = world.viewer(ADA)
    for viewer in (guest, insider):
        await viewer.watch(view)
        await viewer.drain()
    edited = await world.edit(public=False)
    await asyncio.sleep(1)
    await world.apply(edited, ranked("p5", 7000, seq=70))
    await asyncio.sleep(1)
    (error,) = await guest.drain()
    assert (error["code"], error["topic"]) == ("forbidden", view.topic("b"))
    assert b"7000" not in b"".join(guest.frames)
    await insider.drain()
    assert b"7000" in b"".join(insider.frames)


# -- many topics ----------------------------------------------------------------------------------------------------


async def test_topics_of_every_kind_count_and_what_is_refused_leaves_nothing_behind() -> None:
    world = World(max_topics=3)
    board = await world.board()
    viewer = world.viewer()
    for view in VIEWS:
        await viewer.watch(view)
    for view in (Top(25), Own("p6"), Around("p6", 2)):
        with pytest.raises(TopicsExceeded):
            await viewer.watch(view)
    followed = world.hub._boards[board.name]
    assert (followed.watchers, len(followed.topics())) == (3, 3)
    await viewer.watch(VIEWS[1])
    world.hub.unsubscribe(viewer.connection, "b/player/p5", None)
    await viewer.watch(Own("p6"))
    await world.close()


@pytest.mark.parametrize("view", VIEWS[1:])
async def test_who_subscribes_again_gets_the_state_anew_and_each_frame_once(
    world: World, board: Board, guest: Viewer, view: View
) -> None:
    await guest.watch(view, request=1)
    await guest.drain()
    await world.apply(board, climb(50))
    await guest.watch(view, request=2)
    await asyncio.sleep(TICK * 2)
    first, state, *rest = await guest.drain()
    assert (first["id"], first["mode"], state["version"]) == (2, "snapshot", 2)
    assert len(rest) == 1
    await world.apply(board, ranked("p5", 5000, seq=60))
    await asyncio.sleep(TICK * 2)
    assert len(await guest.drain()) == 1
    assert world.hub._boards["b"].watchers == 1


async def test_three_kinds_of_one_board_are_told_side_by_side(world: World, board: Board, guest: Viewer) -> None:
    for view in VIEWS:
        await guest.watch(view)
    await guest.drain()
    await world.apply(board, ranked("p5", 5000, seq=60))
    await asyncio.sleep(TICK * 2)
    assert sorted((message["topic"], message["type"]) for message in await guest.drain()) == [
        ("b/around/p5/2", "delta"),
        ("b/player/p5", "rank"),
        ("b/top/10", "delta"),
    ]


# -- away and back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS[1:])
async def test_that_the_ranking_is_away_and_back_is_told_of_every_view(
    world: World, board: Board, guest: Viewer, view: View
) -> None:
    await guest.watch(view)
    await guest.drain()
    world.ranking.away = True
    world.bus.lose()
    await asyncio.sleep(1)
    late = world.viewer()
    await late.watch(view)
    topic = view.topic("b")
    assert await guest.drain() == [{"type": "stale", "topic": topic, "as_of": NOW}]
    # It is shown what the node holds, and that this may be old.
    assert types(await late.drain())[-1] == "stale"
    world.ranking.away = False
    world.bus.losing_moves = 1
    await world.apply(board, ranked("p5", 5000, seq=60))
    await asyncio.sleep(CHECK)
    for viewer in (guest, late):
        said = types(await viewer.drain())
        assert said.count("fresh") == 1
        assert said[-1] in ("rank", "delta")


async def test_nobody_is_left_in_a_board_that_is_deleted_whatever_it_watched(
    world: World, board: Board, guest: Viewer
) -> None:
    world.spawn(world.hub.run())
    for view in VIEWS:
        await guest.watch(view)
    await guest.drain()
    await world.boards.delete("b")
    await world.ranking.drop(board.key)
    await asyncio.sleep(CHECK * 1.5)
    errors = [message for message in await guest.drain() if message["type"] == "error"]
    assert sorted(error["topic"] for error in errors) == sorted(view.topic("b") for view in VIEWS)
    await settle()
    assert (world.hub.watched, world.bus._listeners) == (0, {})
