"""A board's moves as a node follows them: every version once, in order, whatever the bus does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import pytest

from realtime.core.errors import RankingUnavailable
from realtime.core.model import RankMode
from realtime.core.tracker import Tracker
from realtime.core.watched import Place
from realtime.gateway.moves import Moves
from realtime.gateway.tail import PATIENCE
from tests.changes import gone, ranked
from tests.turned import settle
from tests.unit.realtime.gateway.world import World, climb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from realtime.core.announcement import Move
    from realtime.core.model import Board


class Read(NamedTuple):
    epoch: int
    version: int
    total: int = 77


class Follower:
    """Moves with everything they tell. `known` is the board by epoch."""

    def __init__(self, world: World, board: Board) -> None:
        self.known = {world.store.epochs[board.key]: board}
        self.told: list[tuple[int, list[str], list[str]]] = []
        self.starts: list[tuple[int, int]] = []
        self.moves = Moves(
            board, self.known.get, world.ranking, world.bus, Tracker, moved=self._moved, started=self._started
        )
        self.running = asyncio.create_task(self.moves.run())

    def _moved(self, moves: Sequence[Move], own: list[Move]) -> None:
        self.told.append((self.moves.version, [move.player for move in moves], [move.player for move in own]))

    def _started(self) -> None:
        self.starts.append((self.moves.epoch, self.moves.version))

    def versions(self) -> list[int]:
        return [version for version, *_ in self.told]


@pytest.fixture
async def follower(world: World, board: Board) -> AsyncIterator[Follower]:
    follower = Follower(world, board)
    await settle()
    yield follower
    follower.running.cancel()
    await asyncio.gather(follower.running, return_exceptions=True)
    assert world.bus._listeners == {}


async def watch(world: World, board: Board, moves: Moves, *players: str) -> None:
    found = await world.ranking.standings(board.key, board.spec.columns, players)
    places = [standing and Place(standing.row.key, standing.position, standing.rank) for standing in found.standings]
    assert moves.admit(found.version, list(zip(players, places, strict=True)))


async def exact(world: World, board: Board, moves: Moves, *players: str) -> bool:
    found = await world.ranking.standings(board.key, board.spec.columns, players)
    places = [standing and Place(standing.row.key, standing.position, standing.rank) for standing in found.standings]
    return (moves.version, [moves.watched.place(player) for player in players]) == (found.version, places)


# -- following ------------------------------------------------------------------------------------------------------


async def test_each_version_is_told_with_its_moves_and_those_of_the_watched(
    world: World, board: Board, follower: Follower
) -> None:
    await watch(world, board, follower.moves, "p5", "new")
    await world.apply(board, climb(50), ranked("p5", 7, seq=51))
    await world.apply(board, gone("p0", seq=52), ranked("new", 99, seq=53))
    assert follower.starts == [(1, 2)]
    assert follower.told == [(3, ["p11", "p5"], ["p5"]), (4, ["p0", "new"], ["new"])]
    assert follower.moves.total == 12
    assert await exact(world, board, follower.moves, "p5", "new")


async def test_what_is_said_twice_counts_once(world: World, board: Board, follower: Follower) -> None:
    await watch(world, board, follower.moves, "p5")
    await world.apply(board, climb(50))
    for one in world.ranking.announced(board.key):
        world.bus.publish(board.key, "moves", one.moves)
    await settle()
    assert (follower.versions(), follower.moves.resyncs) == ([3], 0)
    assert await exact(world, board, follower.moves, "p5")


async def test_a_version_that_was_not_heard_is_read_and_nobody_starts_anew(
    world: World, board: Board, follower: Follower
) -> None:
    await watch(world, board, follower.moves, "p5")
    world.bus.losing_moves = 2
    for seq in (50, 51, 52):
        await world.apply(board, climb(seq), ranked("p10", seq, seq=seq + 100))
    await settle()
    assert follower.versions() == [3, 4, 5]
    assert len(follower.starts) == 1
    assert follower.moves.resyncs == 1
    assert await exact(world, board, follower.moves, "p5")


async def test_what_is_announced_while_it_is_read_is_taken_behind_it(
    world: World, board: Board, follower: Follower
) -> None:
    await watch(world, board, follower.moves, "p5")
    history = world.ranking.history

    async def meanwhile(*asked: object) -> object:
        found = await history(*asked)  # type: ignore[arg-type]
        await world.apply(board, climb(60))
        return found

    world.ranking.history = meanwhile  # type: ignore[assignment, method-assign]
    world.bus.losing_moves = 1
    await world.apply(board, climb(50))
    await world.apply(board, climb(51))
    await settle()
    assert follower.versions() == [3, 4, 5]
    assert await exact(world, board, follower.moves, "p5")


async def test_a_hole_that_the_stream_cannot_mend_starts_anew(world: World, board: Board, follower: Follower) -> None:
    await watch(world, board, follower.moves, "p5")
    await world.apply(board, climb(50))
    world.ranking.forgetting = True
    world.bus.losing_moves = 1
    await world.apply(board, climb(51))
    await world.apply(board, climb(52))
    await settle()
    assert follower.starts == [(1, 2), (1, 5)]
    assert len(follower.moves.watched) == 0
    assert not follower.moves.log.reaches(2)
    await world.apply(board, climb(53))
    assert follower.versions() == [3, 6]


async def test_a_new_epoch_waits_until_the_board_is_known_under_it(
    world: World, board: Board, follower: Follower
) -> None:
    await watch(world, board, follower.moves, "p5")
    edited = await world.edit(ranks=RankMode.ORDINAL)
    await asyncio.sleep(3)
    assert (len(follower.starts), follower.moves.board.spec.ranks) == (1, RankMode.COMPETITION)
    follower.known[2] = edited
    await asyncio.sleep(2)
    assert follower.starts[1:] == [(2, 1)]
    assert (follower.moves.board.spec.ranks, len(follower.moves.watched)) == (RankMode.ORDINAL, 0)


async def test_while_the_ranking_is_away_it_is_tried_again_and_nothing_is_missed(
    world: World, board: Board, follower: Follower
) -> None:
    await watch(world, board, follower.moves, "p5")
    world.ranking.away = True
    world.bus.losing_moves = 1
    world.bus.lose()
    await world.apply(board, climb(50))
    await asyncio.sleep(3)
    assert follower.told == []
    world.ranking.away = False
    await asyncio.sleep(2)
    assert (follower.versions(), len(follower.starts)) == ([3], 1)
    assert await exact(world, board, follower.moves, "p5")


async def test_a_bus_that_does_not_confirm_is_asked_again(world: World, board: Board) -> None:
    world.bus.refusing = 3
    follower = Follower(world, board)
    await settle()
    assert follower.starts == []
    await asyncio.sleep(1)
    assert follower.starts == [(1, 2)]
    follower.running.cancel()


# -- who joins ------------------------------------------------------------------------------------------------------


async def test_what_was_read_counts_once_its_version_was_heard(world: World, board: Board, follower: Follower) -> None:
    done: list[str] = []
    assert follower.moves.when(Read(1, 2), lambda: done.append("now"))
    assert follower.moves.total == 77
    assert follower.moves.when(Read(1, 4), lambda: done.append("later"))
    assert not follower.moves.when(Read(2, 1), lambda: done.append("never"))
    assert done == ["now"]
    await world.apply(board, climb(50))
    assert done == ["now"]
    await world.apply(board, climb(51))
    assert done == ["now", "later"]
    assert follower.moves.total == 77
    await world.apply(board, climb(52))
    assert done == ["now", "later"]
    # How many were ranked then is nothing that counts now.
    assert follower.moves.when(Read(1, 2), lambda: done.append("late"))
    assert (done[-1], follower.moves.total) == ("late", 12)


async def test_what_waits_for_a_version_of_an_epoch_that_ends_is_dropped_and_told_so(
    world: World, board: Board, follower: Follower
) -> None:
    done: list[str] = []
    follower.moves.when(Read(1, 4), lambda: done.append("never"), lambda: done.append("dropped"))
    follower.moves.when(Read(1, 4), lambda: done.append("never"))
    follower.known[2] = board
    world.store.raise_epoch(board.key)
    await world.rebuild(board)
    await asyncio.sleep(1)
    assert done == ["dropped"]
    for seq in range(50, 55):
        await world.apply(board, climb(seq))
    assert (follower.moves.epoch, done) == (2, ["dropped"])


async def test_who_was_looked_up_at_an_older_version_is_brought_forward(
    world: World, board: Board, follower: Follower
) -> None:
    found = await world.ranking.standings(board.key, board.spec.columns, ["p5", "new"])
    standing = found.standings[0]
    assert standing is not None
    for seq in (50, 51):
        await world.apply(board, climb(seq), ranked("new", seq, seq=seq + 100))
    places = [("p5", Place(standing.row.key, standing.position, standing.rank)), ("new", None)]
    assert follower.moves.admit(found.version, places)
    assert await exact(world, board, follower.moves, "p5", "new")
    assert not follower.moves.admit(1, [("p6", None)])
    assert "p6" not in follower.moves.watched


# -- who comes back -------------------------------------------------------------------------------------------------


async def test_what_moved_before_anybody_came_is_read_once_for_all_who_ask(
    world: World, board: Board, follower: Follower
) -> None:
    for seq in range(50, 55):
        await world.apply(board, climb(seq))
    late = Follower(world, board)
    await settle()
    follower.running.cancel()
    world.ranking.histories = 0
    assert await asyncio.gather(*(late.moves.reach(version) for version in (2, 3, 7, 6, 2))) == [True] * 5
    assert world.ranking.histories == 1
    assert [version for version, _ in late.moves.log.after(1)] == list(range(2, 8))
    world.ranking.forgetting = True
    assert not await late.moves.reach(0)
    late.running.cancel()


async def test_a_version_that_was_told_elsewhere_is_read_and_waited_for(
    world: World, board: Board, follower: Follower
) -> None:
    world.bus.losing_moves = 1
    await world.apply(board, climb(50))
    await follower.moves.reach_to(1, 3)
    assert (follower.moves.version, follower.moves.resyncs) == (3, 1)
    await follower.moves.reach_to(1, 2)
    assert follower.moves.resyncs == 1


async def test_a_version_that_never_comes_is_waited_for_in_vain_and_read_for_once(
    world: World, board: Board, follower: Follower
) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    first = [asyncio.create_task(follower.moves.reach_to(1, 99)) for _ in range(50)]
    await asyncio.sleep(PATIENCE / 2)
    await asyncio.gather(*first, follower.moves.reach_to(1, 99))
    assert loop.time() - before == pytest.approx(PATIENCE * 1.5)
    assert follower.moves.resyncs == 1
    await world.apply(board, climb(50))
    assert follower.versions() == [3]


async def test_a_version_that_cannot_be_read_is_an_error(world: World, board: Board, follower: Follower) -> None:
    world.bus.losing_moves = 1
    await world.apply(board, climb(50))
    world.ranking.away = True
    with pytest.raises(RankingUnavailable):
        await follower.moves.reach_to(1, 3)
