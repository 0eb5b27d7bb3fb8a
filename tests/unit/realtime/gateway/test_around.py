"""The stretch around a player: what is read, what is counted on, and what is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from realtime.core.messages import Around
from realtime.core.model import RankMode
from realtime.gateway import fanout as fanouts
from realtime.gateway.around import AT_ONCE
from tests.changes import gone, ranked, renamed
from tests.turned import settle
from tests.unit.realtime.gateway.held import Passes
from tests.unit.realtime.gateway.nodes import beside
from tests.unit.realtime.gateway.world import CHECK, TICK, World, climb, types

if TYPE_CHECKING:
    from realtime.core.model import Board
    from realtime.gateway.around import Arounds
    from tests.unit.realtime.gateway.world import Stretch, Viewer


class Reads:
    """What is asked of the ranking, script by script."""

    def __init__(self, world: World) -> None:
        self.asked: list[list[str]] = []
        self._ask = world.ranking.stretches
        world.ranking.stretches = self.stretches  # type: ignore[method-assign]

    async def stretches(self, key: Any, columns: Any, asked: Any) -> Any:
        self.asked.append([player for player, _ in asked])
        return await self._ask(key, columns, asked)


@pytest.fixture
def reads(world: World) -> Reads:
    return Reads(world)


async def watching(world: World, player: str, radius: int = 2) -> Viewer:
    viewer = world.viewer()
    await viewer.watch(Around(player, radius))
    await viewer.drain()
    return viewer


def of(world: World) -> Arounds:
    near = world.hub._boards["b"]._near
    assert near is not None
    return near.arounds


def shown(viewer: Viewer, player: str, radius: int = 2) -> tuple[int | None, int | None, list[str]]:
    """Position and rank of the first row, and who is there."""
    held: Stretch = viewer.stretches[f"b/around/{player}/{radius}"]
    return held.position, held.rank, [row["player"] for row in held.rows]


async def a_tick(viewer: Viewer) -> list[dict[str, Any]]:
    await asyncio.sleep(TICK * 2)
    return await viewer.drain()


# -- what is shown --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("player", "radius", "first", "last"), [("p5", 2, 3, 7), ("p0", 2, 0, 2), ("p11", 1, 10, 11), ("p5", 10, 0, 11)]
)
async def test_the_stretch_ends_where_the_board_does(
    world: World, board: Board, player: str, radius: int, first: int, last: int
) -> None:
    viewer = world.viewer()
    await viewer.watch(Around(player, radius))
    *_, snapshot = await viewer.drain()
    names = [f"p{number}" for number in range(first, last + 1)]
    assert shown(viewer, player, radius) == (first, first + 1, names)
    assert [entry["rank"] for entry in snapshot["entries"]] == list(range(first + 1, last + 2))
    assert (snapshot["player"], snapshot["radius"], snapshot["total"]) == (player, radius, 12)
    assert board.name == "b"


async def test_it_moves_with_the_player(world: World, board: Board) -> None:
    viewer = await watching(world, "p9")
    await world.apply(board, ranked("p9", 98, 1, seq=50))
    assert types(await a_tick(viewer)) == ["delta"]
    assert shown(viewer, "p9") == (1, 2, ["p1", "p2", "p9", "p3", "p4"])
    await world.apply(board, ranked("p9", 500, seq=51))
    await a_tick(viewer)
    assert shown(viewer, "p9") == (0, 1, ["p9", "p0", "p1"])


async def test_who_is_not_ranked_has_no_stretch_until_the_first_rank(world: World, board: Board) -> None:
    viewer = await watching(world, "new", 1)
    assert shown(viewer, "new", 1) == (None, None, [])
    await world.apply(board, climb(50))
    assert await a_tick(viewer) == []
    await world.apply(board, ranked("new", 95, 1, seq=51))
    (delta,) = await a_tick(viewer)
    assert (delta["type"], shown(viewer, "new", 1)) == ("delta", (6, 7, ["p5", "new", "p6"]))


async def test_who_is_removed_has_none_any_more_and_gets_one_again(world: World, board: Board) -> None:
    viewer = await watching(world, "p5")
    await world.apply(board, gone("p5", seq=50))
    await a_tick(viewer)
    assert shown(viewer, "p5") == (None, None, [])
    await world.apply(board, climb(51))
    assert await a_tick(viewer) == []
    await world.apply(board, ranked("p5", 100, 1, seq=52))
    await a_tick(viewer)
    assert shown(viewer, "p5") == (0, 1, ["p11", "p0", "p5", "p1", "p2"])


async def test_a_neighbours_new_name_is_shown_and_a_strangers_is_not_looked_at(
    world: World, board: Board, reads: Reads
) -> None:
    viewer = await watching(world, "p5")
    reads.asked.clear()
    await world.apply(board, renamed("p0", profile_seq=50, name="Zero"))
    assert (await a_tick(viewer), reads.asked) == ([], [])
    await world.apply(board, renamed("p6", profile_seq=51, name="Six"))
    (delta,) = await a_tick(viewer)
    assert delta["ops"] == [["set", 3, {"name": "Six"}]]


@pytest.mark.parametrize(
    ("player", "change"), [("p0", climb(50)), ("p11", ranked("low", -1, seq=50)), ("p10", gone("p11", seq=50))]
)
async def test_at_the_boards_own_ends_who_comes_and_goes_is_seen(
    world: World, board: Board, player: str, change: Any
) -> None:
    viewer = await watching(world, player)
    await world.apply(board, change)
    await a_tick(viewer)
    fresh = await watching(world, player)
    assert shown(viewer, player) == shown(fresh, player)
    assert change.player in str(viewer.seen[-1]["ops"]) or viewer.seen[-1]["ops"][0][0] == "out"


@pytest.mark.parametrize("neighbour", ["p3", "p7"])
async def test_a_neighbour_at_either_end_who_goes_away_is_missed(world: World, board: Board, neighbour: str) -> None:
    """It takes nobody's place among the others."""
    viewer = await watching(world, "p5")
    await world.apply(board, ranked(neighbour, 500 if neighbour == "p3" else -1, seq=50))
    await a_tick(viewer)
    assert neighbour not in shown(viewer, "p5")[2]
    assert shown(viewer, "p5") == shown(await watching(world, "p5"), "p5")


async def test_where_all_neighbours_are_others_the_snapshot_goes(world: World) -> None:
    board = await world.board()
    await world.apply(board, *(ranked(f"p{n}", n, seq=n + 1, name=f"{n:060}") for n in range(60)))
    viewer = await watching(world, "p10", 10)
    await world.apply(board, ranked("p10", 40, 1, seq=90))
    (snapshot,) = await a_tick(viewer)
    assert snapshot["type"] == "snapshot"
    assert shown(viewer, "p10", 10) == shown(await watching(world, "p10", 10), "p10", 10)


# -- what is read ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "rank"), [(RankMode.COMPETITION, 4), (RankMode.ORDINAL, 5)])
async def test_a_stretch_that_only_moved_as_a_whole_is_not_read_again(mode: RankMode, rank: int) -> None:
    world = World()
    board = await world.board(ranks=mode)
    # p2 shares its score with p3, where the stretch begins.
    scores = [100, 99, 97, 97, 96, 95, 94, 93]
    await world.apply(board, *(ranked(f"p{n}", score, seq=n + 1) for n, score in enumerate(scores)))
    viewer = await watching(world, "p5")
    reads = Reads(world)
    await world.apply(board, ranked("new", 500, seq=50))
    (delta,) = await a_tick(viewer)
    assert (delta["ops"], delta["position"], delta["rank"]) == ([], 4, rank)
    assert reads.asked == []
    await world.close()


async def test_only_what_was_touched_is_read(world: World, board: Board, reads: Reads) -> None:
    viewers = {player: await watching(world, player, 1) for player in ("p2", "p6", "p9")}
    reads.asked.clear()
    await world.apply(board, ranked("p6", 94, 1, seq=50))
    for viewer in viewers.values():
        await a_tick(viewer)
    assert reads.asked == [["p6"]]


async def test_many_changes_within_a_tick_are_read_once(world: World, board: Board, reads: Reads) -> None:
    viewer = await watching(world, "p5")
    reads.asked.clear()
    await asyncio.sleep(TICK * 2)
    for seq in range(50, 60):
        await world.apply(board, ranked("p5", 95, seq, seq=seq))
    await asyncio.sleep(TICK / 2)
    for seq in range(60, 70):
        await world.apply(board, ranked("p5", 95, seq, seq=seq))
    await a_tick(viewer)
    assert reads.asked == [["p5"]] * 2


async def test_a_script_reads_at_most_fifty(world: World, board: Board, reads: Reads) -> None:
    viewers = [world.viewer() for _ in range(3)]
    views = [Around(f"p{number}", radius) for number in range(12) for radius in range(1, 11)]
    await asyncio.gather(*(viewers[n % 3].watch(view) for n, view in enumerate(views)))
    assert (max(map(len, reads.asked)), sum(map(len, reads.asked))) == (AT_ONCE, 120)
    assert AT_ONCE == 50
    assert board.name == "b"


async def test_what_is_touched_again_while_it_is_read_is_read_again(world: World, board: Board) -> None:
    viewer = await watching(world, "p5")
    await asyncio.sleep(TICK * 2)

    async def again() -> None:
        await world.apply(board, ranked("p4", 1, seq=51))

    world.ranking.meanwhile.append(again)
    await world.apply(board, ranked("p5", 95, 1, seq=50))
    (delta,) = await a_tick(viewer)
    assert delta["to"] == 4
    assert shown(viewer, "p5") == shown(await watching(world, "p5"), "p5")


async def test_what_moves_elsewhere_while_it_is_read_is_counted_on(world: World, board: Board, reads: Reads) -> None:
    viewer = await watching(world, "p5")
    await asyncio.sleep(TICK * 2)
    reads.asked.clear()

    async def elsewhere() -> None:
        await world.apply(board, climb(51))

    world.ranking.meanwhile.append(elsewhere)
    await world.apply(board, ranked("p5", 95, 1, seq=50))
    (delta,) = await a_tick(viewer)
    assert (len(reads.asked), delta["to"], delta["position"], delta["rank"]) == (1, 4, 4, 5)


async def test_what_is_touched_during_a_pass_is_read_after_it(
    world: World, board: Board, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewers = [await watching(world, "p5") for _ in range(2)]
    monkeypatch.setattr(fanouts, "SLICE", 1)
    passes = Passes(world.fanout)
    await world.apply(board, ranked("p5", 95, 1, seq=50))
    await asyncio.sleep(TICK * 2)
    reads.asked.clear()
    await world.apply(board, ranked("p5", 95, 2, seq=51))
    await asyncio.sleep(TICK * 5)
    assert reads.asked == []
    passes.finish()
    await asyncio.sleep(TICK * 2)
    passes.finish()
    for viewer in viewers:
        assert [(delta["from"], delta["to"]) for delta in await viewer.drain()] == [(2, 3), (3, 4)]


async def test_while_the_ranking_is_away_it_is_tried_again(world: World, board: Board) -> None:
    viewer = await watching(world, "p5")
    await world.apply(board, ranked("p5", 95, 1, seq=50))
    world.ranking.away = True
    assert await a_tick(viewer) == []
    await asyncio.sleep(1)
    world.ranking.away = False
    await asyncio.sleep(1)
    assert types(await viewer.drain()) == ["delta"]


async def test_what_was_read_of_an_epoch_that_ends_is_read_again_at_once(
    world: World, board: Board, reads: Reads
) -> None:
    await watching(world, "p0", 1)
    # What is read is ahead of what was heard, and will never be heard of.
    world.bus.losing_moves = 1
    await world.apply(board, climb(50))
    viewer = world.viewer()
    waiting = asyncio.create_task(viewer.watch(Around("p5", 2)))
    await asyncio.sleep(TICK * 4)
    assert (reads.asked, waiting.done()) == ([["p0"], ["p5"]], False)
    world.store.raise_epoch(board.key)
    await world.rebuild(board)
    await asyncio.sleep(TICK * 4)
    assert reads.asked[2:] == [["p5", "p0"]]
    await waiting
    await viewer.drain()
    assert (viewer.stretches["b/around/p5/2"].epoch, shown(viewer, "p5")[0]) == (2, 4)


async def test_the_first_stretch_of_a_node_does_not_wait_for_a_second_try(world: World, board: Board) -> None:
    before = asyncio.get_running_loop().time()
    await watching(world, "p5")
    assert asyncio.get_running_loop().time() - before < TICK
    assert board.name == "b"


async def test_what_nobody_watches_any_more_is_forgotten(world: World, board: Board, reads: Reads) -> None:
    viewer = await watching(world, "p5")
    world.hub.leave(viewer.connection)
    reads.asked.clear()
    assert (of(world).topics, len(of(world).moves.watched)) == ({}, 0)
    await world.apply(board, ranked("p5", 1, seq=50))
    await asyncio.sleep(TICK * 2)
    assert reads.asked == []


# -- keeping true, and coming back ----------------------------------------------------------------------------------


async def test_a_check_carries_version_and_total_forward(world: World, board: Board) -> None:
    viewer = await watching(world, "p5")
    await world.apply(board, ranked("low", -1, seq=50))
    of(world).check()
    of(world).check()
    (check,) = await viewer.drain()
    assert (check["type"], check["version"], check["total"], check["position"]) == ("check", 3, 13, 3)


async def back(old: Viewer, node: World, board: Board) -> tuple[str, list[str]]:
    """It resumes there; the mode and the types of what follows. In the end it shows what a newcomer is shown."""
    held, new = old.stretches["b/around/p5/2"], node.viewer()
    new.stretches = old.stretches
    await new.watch(Around("p5", 2), resume=(held.epoch, held.version))
    _, subscribed, *rest = await new.drain()
    await world_moves(node, board)
    await a_tick(new)
    assert shown(new, "p5") == shown(await watching(node, "p5"), "p5")
    return subscribed["mode"], types(rest)


async def world_moves(node: World, board: Board) -> None:
    await node.apply(board, ranked("p7", 95, 5, seq=900))


@pytest.mark.parametrize(("elsewhere", "told"), [(False, ("resumed", ["delta"])), (True, ("snapshot", ["snapshot"]))])
async def test_who_comes_back_is_led_on_where_the_node_has_shown_what_it_holds(
    world: World, board: Board, elsewhere: bool, told: tuple[str, list[str]]
) -> None:
    node = beside(world) if elsewhere else world
    viewer, _ = await watching(world, "p5"), await watching(node, "p5")
    world.hub.leave(viewer.connection)
    await asyncio.sleep(TICK * 2)
    if elsewhere:
        # It held a state that was shown on the first node alone.
        viewer.stretches["b/around/p5/2"].version = 1
    await world.apply(board, ranked("p5", 95, 1, seq=50))
    await asyncio.sleep(TICK * 2)
    assert await back(viewer, node, board) == told
    if elsewhere:
        await node.close()


async def test_who_missed_nothing_is_told_nothing_also_on_another_node(world: World, board: Board) -> None:
    other, viewer = beside(world), await watching(world, "p5")
    assert await back(viewer, other, board) == ("resumed", [])
    await other.close()


async def test_who_comes_back_during_a_pass_does_not_wait_for_long(
    world: World, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It heard elsewhere of a version that shows the same; the members here are in the middle of another frame."""
    for _ in range(2):
        await watching(world, "p5")
    viewer = await watching(world, "p5")
    world.hub.leave(viewer.connection)
    monkeypatch.setattr(fanouts, "SLICE", 1)
    passes = Passes(world.fanout)
    await world.apply(board, ranked("p5", 95, 1, seq=50))
    await asyncio.sleep(TICK * 2)
    await world.apply(board, ranked("low", -1, seq=51))
    new = world.viewer()
    before = asyncio.get_running_loop().time()
    waiting = asyncio.create_task(new.watch(Around("p5", 2), resume=(viewer.stretches["b/around/p5/2"].epoch, 4)))
    await settle()
    passes.finish()
    await asyncio.sleep(TICK)
    passes.finish()
    await waiting
    assert asyncio.get_running_loop().time() - before < CHECK / 2
