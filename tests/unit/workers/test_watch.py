from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.sending import submission, take
from workers.watch import Watch

if TYPE_CHECKING:
    from realtime.core.model import Board
    from tests.unit.workers.plant import Plant


class Sentinel:
    """A server's run, and the mark that is left in it."""

    def __init__(self) -> None:
        self.run = "run 1"
        self.mark: str | None = None

    async def read(self) -> tuple[str | None, str]:
        return self.mark, self.run

    async def leave(self, run: str) -> None:
        self.mark = run

    async def forget(self) -> None:
        self.mark = None


@pytest.fixture
def sentinel() -> Sentinel:
    return Sentinel()


@pytest.fixture
def watch(plant: Plant, sentinel: Sentinel) -> Watch:
    return Watch(sentinel, plant.ledger, plant.refresh)


@pytest.fixture
async def board(plant: Plant) -> Board:
    board = await plant.board()
    await take(plant, submission(board, "ada", 3, 1))
    await plant.work()
    return board


async def test_a_server_where_all_is_whole_is_marked(
    plant: Plant, board: Board, sentinel: Sentinel, watch: Watch
) -> None:
    epoch = plant.store.epochs[board.key]
    await watch.look()
    assert sentinel.mark == "run 1"
    assert plant.store.epochs[board.key] == epoch


async def test_an_empty_server_is_filled_and_marked_only_when_it_is(
    plant: Plant, board: Board, sentinel: Sentinel, watch: Watch
) -> None:
    await watch.look()
    sentinel.mark = None
    await plant.ranking.drop(board.key)
    await watch.look()
    assert sentinel.mark is None
    await plant.refresh.settle_rebuilds()
    assert await plant.is_ranked_as_stored(board)
    await watch.look()
    assert sentinel.mark == "run 1"


async def test_another_run_makes_every_board_suspect_even_if_it_looks_whole(
    plant: Plant, board: Board, sentinel: Sentinel, watch: Watch
) -> None:
    await watch.look()
    epoch = plant.store.epochs[board.key]
    sentinel.run = "run 2"
    await watch.look()
    assert sentinel.mark is None
    await plant.refresh.settle_rebuilds()
    assert (await plant.ranking.position(board.key))[0] > epoch
    await watch.look()
    assert sentinel.mark == "run 2"
    assert await plant.is_ranked_as_stored(board)


async def test_a_marked_server_is_not_looked_at_again(plant: Plant, board: Board, watch: Watch) -> None:
    await watch.look()
    await plant.ranking.drop(board.key)
    await watch.look()
    assert plant.ranking.announced(board.key) == []


async def test_after_a_failover_of_the_store_every_board_is_rebuilt_under_a_new_epoch(
    plant: Plant, board: Board, sentinel: Sentinel, watch: Watch
) -> None:
    await watch.look()
    epoch = plant.store.epochs[board.key]
    await plant.fail_over()
    await watch.look()
    await plant.refresh.settle_rebuilds()
    assert plant.store.epochs[board.key] > epoch
    assert sentinel.mark is None, "it is marked once a look finds all whole"
    await watch.look()
    assert sentinel.mark == "run 1"


async def test_a_failover_that_somebody_else_noticed_first_is_found_in_the_outbox(
    plant: Plant, board: Board, watch: Watch
) -> None:
    await watch.look()
    epoch = plant.store.epochs[board.key]
    await plant.fail_over()
    assert await plant.ledger.follow_timeline()
    await watch.look()
    await plant.work()
    assert plant.store.epochs[board.key] > epoch
    assert await plant.is_ranked_as_stored(board)
