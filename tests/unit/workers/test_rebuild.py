from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from realtime.core.announcement import decode_top
from realtime.core.errors import RankingUnavailable
from realtime.core.model import Column
from tests.contract.sending import spec, submission, take
from workers.rebuild import rebuild

if TYPE_CHECKING:
    from realtime.core.model import Board, BoardKey
    from tests.unit.workers.plant import Plant


@pytest.fixture
async def board(plant: Plant) -> Board:
    board = await plant.board()
    await take(plant, *(submission(board, f"p{n:04}", n, 0) for n in range(1200)))
    await plant.players.remove(board, "p0007")
    await plant.work()
    return board


async def test_a_lost_board_is_made_anew_under_a_new_epoch(plant: Plant, board: Board) -> None:
    epoch = plant.store.epochs[board.key]
    await plant.ranking.drop(board.key)
    assert await rebuild(board.key, plant.boards, plant.ledger, plant.ranking)
    assert plant.store.epochs[board.key] > epoch
    assert await plant.is_ranked_as_stored(board)
    assert await plant.ranking.seq(board.key, "p0007") > 0
    top = decode_top(board.spec.columns, plant.ranking.announced(board.key)[-1].top)
    assert (top.version, top.total, top.reset) == (1, 1199, True)


async def test_a_board_that_is_whole_is_left_alone(plant: Plant, board: Board) -> None:
    before = plant.store.epochs[board.key], await plant.ranking.position(board.key)
    assert await rebuild(board.key, plant.boards, plant.ledger, plant.ranking)
    assert (plant.store.epochs[board.key], await plant.ranking.position(board.key)) == before


@pytest.mark.parametrize("step", ["before_mark", "before_load"])
async def test_changes_that_come_meanwhile_are_not_lost(plant: Plant, board: Board, step: str) -> None:
    plant.store.raise_epoch(board.key)
    held, _ = await plant.ranking.position(board.key)

    async def meanwhile() -> None:
        """Another worker, which still knows the old epoch."""
        await take(plant, submission(board, "new", 5000, 0), submission(board, "p0003", 6000, 0))
        await plant.players.remove(board, "p0004")
        for key, changes in await plant.sent():
            await plant.ranking.apply(key, held, changes)

    setattr(plant.ranking, step, meanwhile)
    assert await rebuild(board.key, plant.boards, plant.ledger, plant.ranking)
    assert await plant.is_ranked_as_stored(board)
    assert (await plant.ranking.top(board.key, board.spec.columns)).rows[0].player == "p0003"


async def test_without_its_mark_it_gives_up_and_the_next_one_succeeds(plant: Plant, board: Board) -> None:
    await plant.ranking.drop(board.key)

    async def lose() -> None:
        plant.ranking._shadows.clear()

    plant.ranking.before_load = lose
    assert not await rebuild(board.key, plant.boards, plant.ledger, plant.ranking)
    assert await rebuild(board.key, plant.boards, plant.ledger, plant.ranking)
    assert await plant.is_ranked_as_stored(board)


async def test_only_one_at_a_time_is_at_a_board(plant: Plant, board: Board) -> None:
    await plant.ranking.drop(board.key)
    async with plant.ledger.rebuilding(board.key):
        assert not await rebuild(board.key, plant.boards, plant.ledger, plant.ranking)
    assert await rebuild(board.key, plant.boards, plant.ledger, plant.ranking)


async def test_a_board_that_is_no_more_is_dropped(plant: Plant, board: Board) -> None:
    await plant.boards.delete("contest")
    assert await rebuild(board.key, plant.boards, plant.ledger, plant.ranking)
    assert plant.ranking.announced(board.key) == []


async def test_a_ranking_that_is_away_lets_others_try(plant: Plant, board: Board) -> None:
    plant.ranking.away = True
    with pytest.raises(RankingUnavailable):
        await rebuild(board.key, plant.boards, plant.ledger, plant.ranking)
    assert plant.store.rebuilding == set()


async def test_columns_that_are_edited_while_the_epoch_is_drawn_count(plant: Plant) -> None:
    board = await plant.board()
    await plant.ranking.drop(board.key)
    draw = plant.ledger.new_epoch

    async def edit_and_draw(key: BoardKey) -> int:
        await plant.boards.put(board.name, spec(columns=(Column("points"),)))
        return await draw(key)

    plant.ledger.new_epoch = edit_and_draw
    assert await rebuild(board.key, plant.boards, plant.ledger, plant.ranking)
    plant.ledger.new_epoch = draw
    edited = await plant.boards.get(board.name)
    await take(plant, submission(edited, "ada", 3))
    await plant.work()
    assert await plant.is_ranked_as_stored(edited)


async def test_a_board_that_is_deleted_while_the_epoch_is_drawn_is_not_rebuilt(plant: Plant, board: Board) -> None:
    await plant.ranking.drop(board.key)
    draw = plant.ledger.new_epoch

    async def delete_and_draw(key: BoardKey) -> int:
        await plant.boards.delete(board.name)
        return await draw(key)

    plant.ledger.new_epoch = delete_and_draw
    assert not await rebuild(board.key, plant.boards, plant.ledger, plant.ranking)
    assert not await plant.ranking.holds(board.key, 1)
