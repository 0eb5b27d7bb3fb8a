from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from realtime.core.board import BoardState
from realtime.core.errors import (
    BoardChanged,
    IdempotencyMismatch,
    ScoreOutOfBounds,
)
from realtime.core.fold import Outcome
from realtime.core.model import Operator
from tests.contract.adapters import Stored, follow
from tests.contract.sending import board as new_board
from tests.contract.sending import send, spec, standing, submission, take

if TYPE_CHECKING:
    from realtime.core.model import Board


@pytest.fixture
async def board(stored: Stored) -> Board:
    return await new_board(stored)


# -- idempotency ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operator", Operator)
async def test_a_repeat_under_a_key_is_answered_as_the_first_was(stored: Stored, operator: Operator) -> None:
    board = await new_board(stored, operator)
    (first,) = await take(stored, submission(board, "ada", 3, 1, key="k"))
    await take(stored, submission(board, "ada", 9, 0))
    held = await standing(stored, board)
    await stored.sent()
    (again,) = await take(stored, submission(board, "ada", 3, 1, key="k"))
    assert again == first
    assert (first.repeated, again.repeated) == (False, True)
    assert await standing(stored, board) == held
    assert await stored.sent() == []


async def test_a_key_twice_in_one_batch_counts_once(stored: Stored) -> None:
    board = await new_board(stored, Operator.SUM)
    first, again = await take(stored, *(submission(board, "ada", 3, 1, key="k") for _ in range(2)))
    assert again == first
    assert (first.repeated, again.repeated) == (False, True)
    assert (await standing(stored, board))["ada"][0] == (3, 1)


async def test_another_body_under_a_key_is_refused(stored: Stored) -> None:
    board = await new_board(stored, Operator.SUM)
    await take(stored, submission(board, "ada", 3, 1, key="k"))
    results = await send(
        stored,
        submission(board, "ada", 4, 1, key="k"),
        submission(board, "bob", 1, 0, key="l"),
        submission(board, "bob", 2, 0, key="l"),
    )
    assert [type(result) for result in results] == [IdempotencyMismatch, Outcome, IdempotencyMismatch]
    assert {player: score for player, (score, _) in (await standing(stored, board)).items()} == {
        "ada": (3, 1),
        "bob": (1, 0),
    }


async def test_other_keys_and_no_key_are_other_submissions(stored: Stored) -> None:
    board = await new_board(stored, Operator.SUM)
    await take(stored, submission(board, "ada", 1, 0, key="k"), submission(board, "ada", 1, 0, key="l"))
    await take(stored, submission(board, "ada", 1, 0), submission(board, "ada", 1, 0))
    assert (await standing(stored, board))["ada"][0] == (4, 0)


async def test_what_did_not_improve_is_stored_under_its_key_too(stored: Stored, board: Board) -> None:
    await take(stored, submission(board, "ada", 5, 0))
    (first,) = await take(stored, submission(board, "ada", 3, 1, key="k"))
    await stored.players.remove(board, "ada")
    assert await take(stored, submission(board, "ada", 3, 1, key="k")) == [first]
    assert await standing(stored, board) == {}


async def test_a_refused_row_leaves_its_key_free(stored: Stored) -> None:
    board = await new_board(stored, maximum=(10, None))
    refused, other = await send(
        stored, submission(board, "ada", 11, 0, key="k"), submission(board, "bob", 1, 0, key="l")
    )
    assert (type(refused), type(other)) == (ScoreOutOfBounds, Outcome)
    (again,) = await send(stored, submission(board, "ada", 11, 0, key="k"))
    assert isinstance(again, ScoreOutOfBounds)
    await take(stored, submission(board, "ada", 9, 0, key="k"))


async def test_a_row_refused_and_then_taken_under_one_key_in_a_batch_is_stored_as_taken(stored: Stored) -> None:
    board = await new_board(stored, Operator.SUM, maximum=(10, None))
    refused, taken = await send(
        stored, submission(board, "ada", 11, 0, key="k"), submission(board, "ada", 9, 0, key="k")
    )
    assert (type(refused), type(taken)) == (ScoreOutOfBounds, Outcome)
    assert await send(stored, submission(board, "ada", 9, 0, key="k")) == [taken]


async def test_a_row_of_a_changed_board_leaves_its_key_free(stored: Stored, board: Board) -> None:
    edited, _ = await stored.boards.put("contest", spec(maximum=(10, None)))
    (changed,) = await send(stored, submission(board, "ada", 1, 0, key="k"))
    assert isinstance(changed, BoardChanged)
    await take(stored, submission(edited, "ada", 1, 0, key="k", body="another"))


# -- several at once ------------------------------------------------------------------------------------------------


async def test_a_key_in_several_transactions_at_once_counts_once(stored: Stored) -> None:
    board = await new_board(stored, Operator.SUM)
    for n in range(10):
        calls = (
            send(stored, submission(board, "ada", 1, 0, key=f"k{n}"), submission(board, f"p{m}", 1, 0))
            for m in range(4)
        )
        answers = [result[0] for result in await asyncio.gather(*calls)]
        assert [type(answer) for answer in answers] == [Outcome] * 4
        assert len(set(answers)) == 1
    assert (await standing(stored, board))["ada"][0] == (10, 0)


async def test_batches_on_the_same_players_at_once_lose_nothing_and_all_are_answered(stored: Stored) -> None:
    board = await new_board(stored, Operator.SUM)
    other = await new_board(stored, Operator.SUM, name="other")
    dice = random.Random(8)
    names = [f"p{n}" for n in range(12)]
    batches = [
        [
            submission(dice.choice((board, other)), player, 1, 0, name=dice.choice((None, "A", "B")))
            for player in dice.sample(names, 12)
        ]
        for _ in range(40)
    ]
    outcomes = [one for batch in await asyncio.gather(*(take(stored, *batch) for batch in batches)) for one in batch]
    assert len(outcomes) == 480
    assert len({one.seq for one in outcomes}) == 480
    sums = [score[0] for one in (board, other) for score, _ in (await standing(stored, one)).values()]
    assert sum(sums) == 480
    states = {one.key: BoardState(one.spec.columns, 1) for one in (board, other)}
    follow(states, await stored.sent())
    for one in (board, other):
        held = await stored.state(one)
        assert (states[one.key].members, states[one.key].records) == (held.members, held.records)


async def test_the_one_that_commits_first_has_the_lower_seq(stored: Stored, board: Board) -> None:
    """For one player a later answer never carries an older seq than what it stands on."""
    calls = (take(stored, submission(board, "ada", n, 0)) for n in range(1, 30))
    outcomes = [batch[0] for batch in await asyncio.gather(*calls)]
    seqs = [one.seq for one in sorted(outcomes, key=lambda one: one.best) if one.improved]
    assert seqs == sorted(seqs)
    assert (await standing(stored, board))["ada"] == ((29, 0), max(seqs))
