"""Players who come back: where they stood is worked out exactly, on any node, and they are led on from there."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from realtime.core.errors import RankingUnavailable
from realtime.core.messages import Own
from realtime.core.model import RankMode
from realtime.gateway.recall import AT_ONCE
from tests.changes import gone, random_batches, ranked
from tests.turned import settle
from tests.unit.realtime.gateway.nodes import beside
from tests.unit.realtime.gateway.world import CHECK, TICK, World, climb, types

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from realtime.core.model import Board
    from tests.unit.realtime.gateway.world import Viewer

P5 = "b/player/p5"


@pytest.fixture
async def other(world: World) -> AsyncIterator[World]:
    """A node on which nobody has been."""
    other = beside(world)
    yield other
    await other.close()


async def watching(world: World, *names: str) -> Viewer:
    viewer = world.viewer()
    for name in names:
        await viewer.watch(Own(name))
    await viewer.drain()
    return viewer


async def leave(viewer: Viewer) -> None:
    await viewer.drain()
    viewer.world.hub.leave(viewer.connection)


async def back(old: Viewer, node: World, topic: str = P5) -> tuple[Viewer, list[dict[str, Any]]]:
    """It resumes on a node; what it was sent there, welcome aside. It applies that strictly."""
    new = node.viewer()
    new.ranks = {topic: old.ranks[topic]}
    held = old.ranks[topic]
    await new.watch(Own(topic.rsplit("/", maxsplit=1)[-1]), resume=(held["epoch"], held["version"]))
    return new, (await new.drain())[1:]


def said(message: dict[str, Any], *fields: str) -> tuple[Any, ...]:
    return tuple(message[field] for field in fields)


async def test_on_a_new_node_one_is_told_just_what_was_missed(world: World, board: Board, other: World) -> None:
    viewer = await watching(world, "p5")
    await leave(viewer)
    for seq, number in ((50, 11), (51, 10), (52, 9), (53, 8)):
        await world.apply(board, ranked(f"p{number}", 1000 - seq, seq=seq))
    viewer, (subscribed, rank) = await back(viewer, other)
    assert subscribed["mode"] == "resumed"
    assert said(rank, "from", "version", "rank", "moved", "passed_by") == (2, 6, 10, -4, ["p8", "p9", "p10"])
    # And goes on from there.
    await world.apply(board, ranked("p5", 5000, seq=60))
    (rank,) = await viewer.drain()
    assert said(rank, "from", "version", "rank", "moved") == (6, 7, 1, 9)


async def test_who_moved_meanwhile_is_led_from_where_it_stood(world: World, board: Board, other: World) -> None:
    """The key that it had is nobody's now: where it stood is asked for and stepped back from."""
    viewer = await watching(world, "p5")
    await leave(viewer)
    await world.apply(board, climb(50))
    await world.apply(board, ranked("p5", 97, 1, seq=51))
    await world.apply(board, ranked("p0", 1, seq=52))
    _, (subscribed, rank) = await back(viewer, other)
    assert (subscribed["mode"], *said(rank, "from", "version", "rank", "moved", "passed_by")) == (
        *("resumed", 2, 5, 5, 1),
        ["p11"],
    )


async def test_who_was_removed_meanwhile_has_no_rank(world: World, board: Board, other: World) -> None:
    viewer = await watching(world, "p5")
    await leave(viewer)
    await world.apply(board, gone("p5", seq=50))
    await world.apply(board, climb(51))
    _, (subscribed, rank) = await back(viewer, other)
    assert (subscribed["mode"], *said(rank, "from", "version", "rank", "passed_by")) == ("resumed", 2, 4, None, [])


async def test_who_was_not_ranked_and_is_now_hears_of_it(world: World, board: Board, other: World) -> None:
    viewer = await watching(world, "new")
    await leave(viewer)
    await world.apply(board, ranked("new", 99, 1, seq=50))
    _, (subscribed, rank) = await back(viewer, other, "b/player/new")
    assert (subscribed["mode"], *said(rank, "from", "version", "rank", "moved")) == ("resumed", 2, 3, 3, 0)


async def test_who_missed_nothing_is_told_nothing(world: World, board: Board, other: World) -> None:
    viewer = await watching(world, "p5")
    await leave(viewer)
    _, sent = await back(viewer, other)
    assert [message.get("mode") for message in sent] == ["resumed"]
    assert board.name == "b"


async def test_who_missed_only_what_passed_by_elsewhere_is_led_on_by_a_check(
    world: World, board: Board, other: World
) -> None:
    viewer = await watching(world, "p5")
    await leave(viewer)
    await world.apply(board, ranked("low", -1, seq=50))
    _, (subscribed, check) = await back(viewer, other)
    assert (subscribed["mode"], *said(check, "type", "version", "rank")) == ("resumed", "check", 3, 6)


@pytest.mark.parametrize("case", ["forgotten", "another epoch", "from the future"])
async def test_what_is_not_known_any_more_is_told_afresh(world: World, board: Board, other: World, case: str) -> None:
    viewer = await watching(world, "p5")
    await leave(viewer)
    await world.apply(board, climb(50))
    if case == "forgotten":
        world.ranking.forgetting = True
    elif case == "another epoch":
        world.store.raise_epoch(board.key)
        await world.rebuild(board)
        viewer.ranks[P5] = {**viewer.ranks[P5], "version": 0}
    else:
        viewer.ranks[P5] = {**viewer.ranks[P5], "version": 99}
    new = other.viewer()
    held = viewer.ranks[P5]
    await new.watch(Own("p5"), resume=(held["epoch"], held["version"]))
    _, subscribed, rank = await new.drain()
    assert (subscribed["mode"], rank["from"] == rank["version"]) == ("snapshot", True)


async def test_while_the_past_cannot_be_read_one_is_told_afresh(world: World, board: Board, other: World) -> None:
    viewer = await watching(world, "p5")
    await leave(viewer)
    await world.apply(board, ranked("p5", 1, seq=50))
    await watching(other, "p5")

    async def away(*_: Any) -> Any:
        raise RankingUnavailable("away")

    world.ranking.places = away  # type: ignore[method-assign]
    _, (subscribed, rank) = await back(viewer, other)
    assert (subscribed["mode"], said(rank, "rank", "seq")) == ("snapshot", (12, 50))


async def test_where_an_epoch_begins_before_the_past_is_known_one_is_told_afresh_at_once(
    world: World, board: Board, other: World
) -> None:
    viewer = await watching(world, "p5")
    await leave(viewer)
    await world.apply(board, ranked("p5", 200, seq=50))
    await watching(other, "p5")
    places = world.ranking.places

    async def ahead(*asked: Any) -> Any:
        # What is found is ahead of what this node has heard, and will never be heard of.
        other.bus.losing_moves = 1
        await world.apply(board, climb(51))
        return await places(*asked)

    world.ranking.places = ahead  # type: ignore[method-assign]
    coming = asyncio.create_task(back(viewer, other))
    await asyncio.sleep(TICK * 4)
    assert not coming.done()
    world.store.raise_epoch(board.key)
    await world.rebuild(board)
    await asyncio.sleep(TICK * 4)
    assert coming.done()
    _, (subscribed, rank, *_) = coming.result()
    assert (subscribed["mode"], rank["from"] == rank["version"]) == ("snapshot", True)


async def test_what_moves_while_places_are_asked_for_is_counted(world: World, board: Board, other: World) -> None:
    viewer = await watching(world, "p5")
    await leave(viewer)
    await world.apply(board, ranked("p5", 200, seq=50))
    await watching(other, "p5")
    places = world.ranking.places

    async def meanwhile(*asked: Any) -> Any:
        await world.apply(board, climb(51))
        found = await places(*asked)
        await world.apply(board, ranked("p10", 999, seq=52))
        return found

    world.ranking.places = meanwhile  # type: ignore[method-assign]
    viewer, (subscribed, rank) = await back(viewer, other)
    assert (subscribed["mode"], *said(rank, "from", "version", "rank", "moved")) == ("resumed", 2, 3, 1, 5)
    await asyncio.sleep(TICK * 2)
    (rank,) = await viewer.drain()
    assert said(rank, "from", "version", "rank", "moved") == (3, 5, 3, -2)


async def test_who_moves_itself_while_places_are_asked_for_others_is_led_from_where_it_stood(
    world: World, board: Board, other: World
) -> None:
    one, two = await watching(world, "p5"), await watching(world, "p6")
    await leave(one)
    await leave(two)
    await world.apply(board, ranked("p5", 200, seq=50))
    await watching(other, "p5", "p6")
    places = world.ranking.places

    async def meanwhile(*asked: Any) -> Any:
        found = await places(*asked)
        await world.apply(board, ranked("p6", 999, seq=51))
        return found

    world.ranking.places = meanwhile  # type: ignore[method-assign]
    (_, sent), (_, of_two) = await asyncio.gather(back(one, other), back(two, other, "b/player/p6"))
    assert [message.get("mode") for message in sent][:1] == ["resumed"]
    assert (of_two[0]["mode"], *said(of_two[1], "from", "version", "rank", "moved")) == ("resumed", 2, 4, 1, 6)


@pytest.mark.parametrize("mode", RankMode)
async def test_many_who_come_back_from_anywhere_are_each_led_from_where_they_were(mode: RankMode) -> None:
    """Every version of a board's life, every player: the viewer checks `moved` against what it held."""
    world = World()
    other = beside(world)
    board = await world.board(ranks=mode)
    names = [f"p{n}" for n in range(8)]
    held: list[tuple[str, dict[str, Any]]] = []
    for batch in random_batches(random.Random(5), 30, len(names)):
        await world.apply(board, *batch)
        viewer = await watching(world, *names)
        held += [(topic, rank) for topic, rank in viewer.ranks.items()]
        world.hub.leave(viewer.connection)
    viewers = [other.viewer() for _ in held]
    for viewer, (topic, rank) in zip(viewers, held, strict=True):
        viewer.ranks[topic] = rank
    world.ranking.histories = 0
    await asyncio.gather(
        *(
            viewer.watch(Own(topic.split("/")[-1]), resume=(rank["epoch"], rank["version"]))
            for viewer, (topic, rank) in zip(viewers, held, strict=True)
        )
    )
    truth = await watching(other, *names)
    for viewer, (topic, _) in zip(viewers, held, strict=True):
        sent = await viewer.drain()
        assert sent[1]["mode"] == "resumed"
        fields = ("epoch", "version", "rank", "position", "seq", "of")
        assert said(viewer.ranks[topic], *fields) == said(truth.ranks[topic], *fields)
    # The stream was read a few times for all of them, not once for each.
    assert len(held) < AT_ONCE
    assert world.ranking.histories <= 4
    for node in (world, other):
        await node.close()


# -- who knows more -------------------------------------------------------------------------------------------------


async def test_members_who_were_not_told_yet_are_led_to_where_one_comes_from(
    world: World, board: Board, other: World
) -> None:
    member, viewer = await watching(other, "p5"), await watching(world, "p5")
    await world.apply(board, climb(50))
    await leave(viewer)
    viewer.ranks[P5] = {**viewer.ranks[P5], "version": 3, "rank": 7}
    _, sent = await back(viewer, other)
    assert [message.get("mode") for message in sent] == ["resumed"]
    assert types(await member.drain()) == ["rank"]


async def test_one_who_leaves_again_at_once_stops_nothing(world: World, board: Board, other: World) -> None:
    """It knew more than the topic, of which nobody is left who could be led on."""
    await watching(other, "p0")
    viewer = await watching(world, "p5")
    await world.apply(board, climb(50))
    await leave(viewer)
    away = other.viewer()
    waiting = asyncio.create_task(away.watch(Own("p5"), resume=(viewer.ranks[P5]["epoch"], 4)))
    await settle()
    other.hub.leave(away.connection)
    await world.apply(board, climb(51))
    await asyncio.wait_for(waiting, CHECK * 2)
    assert types(await away.drain()) == ["welcome"]


async def test_one_who_comes_back_to_an_epoch_that_others_are_looked_up_for_waits(
    world: World, board: Board, other: World
) -> None:
    member = await watching(other, "p5")
    gate = asyncio.Event()
    standings = world.ranking.standings

    async def slow(*asked: Any) -> Any:
        await gate.wait()
        return await standings(*asked)

    world.ranking.standings = slow  # type: ignore[method-assign]
    world.store.raise_epoch(board.key)
    await world.rebuild(board)
    await asyncio.sleep(TICK)
    viewer = other.viewer()
    waiting = asyncio.create_task(viewer.watch(Own("p5"), resume=(2, 1)))
    await asyncio.sleep(TICK)
    assert not waiting.done()
    gate.set()
    await waiting
    assert viewer.ranks.get(P5) is None
    assert [message.get("mode") for message in await viewer.drain()][1:2] == ["resumed"]
    assert said((await member.drain())[-1], "epoch", "rank") == (2, 6)
