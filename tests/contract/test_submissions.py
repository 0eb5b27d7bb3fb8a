from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from realtime.core.errors import (
    BoardChanged,
    ScoreOutOfBounds,
    SumOverflow,
)
from realtime.core.fold import Outcome
from realtime.core.model import INT64_MAX, INT64_MIN, Column, Operator, RankMode
from tests.contract.adapters import Stored
from tests.contract.sending import board as new_board
from tests.contract.sending import send, spec, standing, submission, take

if TYPE_CHECKING:
    from realtime.core.model import Board


@pytest.fixture
async def board(stored: Stored) -> Board:
    return await new_board(stored)


# -- what a submission does -----------------------------------------------------------------------------------------


async def test_a_first_score_stands(stored: Stored, board: Board) -> None:
    (outcome,) = await take(stored, submission(board, "ada", 3, 120))
    assert outcome == Outcome("ada", (3, 120), (3, 120), improved=True, seq=outcome.seq)
    assert outcome.seq > 0
    assert await standing(stored, board) == {"ada": ((3, 120), outcome.seq)}


async def test_a_first_score_stands_even_if_it_is_zero(stored: Stored) -> None:
    for operator in Operator:
        zero = await new_board(stored, operator, name=f"zero-{operator}")
        (outcome,) = await take(stored, submission(zero, "ada", 0, 0))
        assert (outcome.best, outcome.improved) == ((0, 0), True)


async def test_best_compares_the_columns_as_one(stored: Stored, board: Board) -> None:
    steps = [((3, 120), True), ((3, 200), False), ((2, 1), False), ((3, 119), True), ((4, 999), True)]
    best = (3, 120)
    for score, improved in steps:
        (outcome,) = await take(stored, submission(board, "ada", *score))
        best = score if improved else best
        assert (outcome.score, outcome.best, outcome.improved) == (score, best, improved)


async def test_latest_takes_what_comes(stored: Stored) -> None:
    board = await new_board(stored, Operator.LATEST)
    outcomes = [(await take(stored, submission(board, "ada", *score)))[0] for score in ((3, 1), (1, 9), (1, 9))]
    assert [(one.best, one.improved) for one in outcomes] == [((3, 1), True), ((1, 9), True), ((1, 9), False)]
    assert outcomes[2].seq == outcomes[1].seq


async def test_sum_adds_column_by_column(stored: Stored) -> None:
    board = await new_board(stored, Operator.SUM)
    outcomes = [(await take(stored, submission(board, "ada", *score)))[0] for score in ((3, 10), (-1, 5), (0, 0))]
    assert [(one.score, one.best, one.improved) for one in outcomes] == [
        ((3, 10), (3, 10), True),
        ((-1, 5), (2, 15), True),
        ((0, 0), (2, 15), False),
    ]


@pytest.mark.parametrize(
    ("operator", "repeat"), [(Operator.BEST, (3, 1)), (Operator.LATEST, (3, 1)), (Operator.SUM, (0, 0))]
)
async def test_what_changes_nothing_keeps_its_seq_and_so_its_tie(
    stored: Stored, operator: Operator, repeat: tuple[int, int]
) -> None:
    board = await new_board(stored, operator)
    (first,) = await take(stored, submission(board, "ada", 3, 1))
    await take(stored, submission(board, "bob", 3, 1))
    (again,) = await take(stored, submission(board, "ada", *repeat))
    assert (again.improved, again.seq, again.best) == (False, first.seq, (3, 1))
    assert list(await standing(stored, board)) == ["ada", "bob"]


async def test_what_is_not_better_answers_with_the_standing_score_and_seq(stored: Stored, board: Board) -> None:
    (first,) = await take(stored, submission(board, "ada", 3, 1))
    (second,) = await take(stored, submission(board, "ada", 2, 0))
    assert second == Outcome("ada", (2, 0), (3, 1), improved=False, seq=first.seq)


async def test_what_changes_nothing_is_not_announced(stored: Stored, board: Board) -> None:
    await take(stored, submission(board, "ada", 3, 1))
    await stored.sent()
    await take(stored, submission(board, "ada", 3, 1), submission(board, "ada", 1, 1))
    assert await stored.sent() == []


async def test_who_was_removed_begins_anew_with_a_newer_seq(stored: Stored) -> None:
    board = await new_board(stored, Operator.SUM)
    (first,) = await take(stored, submission(board, "ada", 3, 1))
    tomb = await stored.players.remove(board, "ada")
    (second,) = await take(stored, submission(board, "ada", 1, 1))
    assert (second.best, second.improved) == ((1, 1), True)
    assert first.seq < tomb < second.seq


async def test_scores_are_exact_at_the_ends_of_int64(stored: Stored) -> None:
    columns = tuple(Column(f"c{n}") for n in range(4))
    board = await new_board(stored, Operator.LATEST, columns=columns)
    score = (INT64_MAX, INT64_MIN, 2**53 + 1, -(2**53) - 1)
    (outcome,) = await take(stored, submission(board, "ada", *score))
    assert outcome.best == score
    assert (await standing(stored, board))["ada"][0] == score


async def test_metadata_goes_with_the_score_that_stands(stored: Stored, board: Board) -> None:
    await take(stored, submission(board, "ada", 3, 1, metadata=b'{"lap":1}'))
    await take(stored, submission(board, "ada", 2, 1, metadata=b'{"lap":2}'))
    assert (await stored.state(board)).records["ada"].metadata == b'{"lap":1}'
    await take(stored, submission(board, "ada", 4, 1, metadata=b'{"lap":3}'))
    assert (await stored.state(board)).records["ada"].metadata == b'{"lap":3}'
    await take(stored, submission(board, "ada", 5, 1))
    assert (await stored.state(board)).records["ada"].metadata == b""


# -- many in one batch ----------------------------------------------------------------------------------------------


async def test_seqs_follow_the_order_of_arrival_whatever_the_players_are_called(stored: Stored, board: Board) -> None:
    outcomes = await take(stored, *(submission(board, player, 1, 1) for player in ("zoe", "ada", "Bob", "a-9")))
    assert [one.player for one in outcomes] == ["zoe", "ada", "Bob", "a-9"]
    assert [one.seq for one in outcomes] == sorted(one.seq for one in outcomes)
    assert list(await standing(stored, board)) == ["zoe", "ada", "Bob", "a-9"]


async def test_one_player_several_times_in_a_batch_is_folded_in_order(stored: Stored) -> None:
    board = await new_board(stored, Operator.SUM)
    outcomes = await take(stored, *(submission(board, "ada", points, 0) for points in (1, 0, 10, 100)))
    assert [one.best for one in outcomes] == [(1, 0), (1, 0), (11, 0), (111, 0)]
    assert [one.improved for one in outcomes] == [True, False, True, True]
    assert outcomes[1].seq == outcomes[0].seq
    assert await standing(stored, board) == {"ada": ((111, 0), outcomes[3].seq)}


async def test_a_worse_score_later_in_a_batch_does_not_undo_a_better_one(stored: Stored, board: Board) -> None:
    first, second = await take(stored, submission(board, "ada", 5, 1), submission(board, "ada", 4, 1))
    assert (second.improved, second.seq, second.best) == (False, first.seq, (5, 1))


async def test_a_refused_row_does_not_fail_its_neighbours(stored: Stored) -> None:
    board = await new_board(stored, Operator.SUM, minimum=(0, None), maximum=(100, None))
    results = await send(
        stored,
        submission(board, "ada", 60, 0),
        submission(board, "bob", 101, 0),
        submission(board, "cid", -1, 0),
        submission(board, "ada", 41, 0),
        submission(board, "ada", 40, 0),
    )
    assert [type(result) for result in results] == [
        Outcome,
        ScoreOutOfBounds,
        ScoreOutOfBounds,
        ScoreOutOfBounds,
        Outcome,
    ]
    assert {player: score for player, (score, _) in (await standing(stored, board)).items()} == {"ada": (100, 0)}


@pytest.mark.parametrize("edge", [INT64_MAX, INT64_MIN])
async def test_an_overflow_fails_its_row_alone(stored: Stored, edge: int) -> None:
    board = await new_board(stored, Operator.SUM)
    step = 1 if edge > 0 else -1
    results = await send(
        stored,
        submission(board, "ada", 0, edge),
        submission(board, "ada", 5, step),
        submission(board, "bob", 1, 1),
        submission(board, "ada", 7, 0),
    )
    assert [type(result) for result in results] == [Outcome, SumOverflow, Outcome, Outcome]
    assert (await standing(stored, board))["ada"][0] == (7, edge)


async def test_bounds_hold_for_each_column_and_include_their_ends(stored: Stored) -> None:
    board = await new_board(stored, Operator.LATEST, minimum=(0, -5), maximum=(10, None))
    scores = ((0, -5), (10, 999), (11, 0), (-1, 0), (5, -6))
    results = await send(stored, *(submission(board, f"p{n}", *score) for n, score in enumerate(scores)))
    assert [isinstance(result, Outcome) for result in results] == [True, True, False, False, False]


async def test_who_was_only_ever_refused_is_not_on_the_board(stored: Stored) -> None:
    board = await new_board(stored, maximum=(10, None))
    (refused,) = await send(stored, submission(board, "ada", 11, 0, name="Ada"))
    assert isinstance(refused, ScoreOutOfBounds)
    assert await stored.sent() == []
    assert (await stored.state(board)).records == {}
    assert (await stored.players.get("ada")).name is None
    edited, _ = await stored.boards.put("contest", spec(Operator.SUM))
    assert edited.spec.operator is Operator.SUM


async def test_one_batch_may_hold_several_boards(stored: Stored, board: Board) -> None:
    other = await new_board(stored, Operator.SUM, name="other", columns=(Column("points"),), ranks=RankMode.ORDINAL)
    await take(
        stored,
        submission(other, "ada", 5),
        submission(board, "ada", 3, 1),
        submission(other, "ada", 6),
        submission(board, "bob", 1, 1),
    )
    assert [score for score, _ in (await standing(stored, board)).values()] == [(3, 1), (1, 1)]
    assert [score for score, _ in (await standing(stored, other)).values()] == [(11,)]


async def test_a_thousand_rows_are_one_batch(stored: Stored, board: Board) -> None:
    outcomes = await take(stored, *(submission(board, f"p{n % 700}", n, 0) for n in range(1000)))
    assert len(outcomes) == 1000
    assert len(await standing(stored, board)) == 700
    assert len(await stored.outbox.claim(10)) == 1


# -- the board it was checked against -------------------------------------------------------------------------------


async def test_after_an_edit_the_old_document_is_no_longer_taken(stored: Stored, board: Board) -> None:
    edited, _ = await stored.boards.put("contest", spec(maximum=(10, None)))
    results = await send(stored, submission(board, "ada", 99, 0), submission(board, "bob", 1, 0))
    assert [type(result) for result in results] == [BoardChanged, BoardChanged]
    assert await standing(stored, edited) == {}
    await take(stored, submission(edited, "bob", 1, 0))


async def test_a_deleted_board_takes_nothing(stored: Stored, board: Board) -> None:
    await stored.boards.delete("contest")
    (result,) = await send(stored, submission(board, "ada", 1, 0))
    assert isinstance(result, BoardChanged)


async def test_a_board_made_anew_under_the_name_takes_nothing_for_the_old_one(stored: Stored, board: Board) -> None:
    await stored.boards.delete("contest")
    again = await new_board(stored)
    (result,) = await send(stored, submission(board, "ada", 1, 0))
    assert isinstance(result, BoardChanged)
    assert await standing(stored, again) == {}


async def test_a_changed_board_does_not_fail_the_other_boards_of_a_batch(stored: Stored, board: Board) -> None:
    other = await new_board(stored, name="other")
    await stored.boards.put("contest", spec(maximum=(10, None)))
    changed, taken = await send(
        stored, submission(board, "ada", 1, 0, key="k"), submission(other, "ada", 1, 0, name="Ada")
    )
    assert (type(changed), type(taken)) == (BoardChanged, Outcome)
    assert list(await standing(stored, other)) == ["ada"]


async def test_each_submission_is_held_against_the_document_it_was_checked_by(stored: Stored, board: Board) -> None:
    """Two requests of one micro-batch may have read the board before and after an edit."""
    edited, _ = await stored.boards.put("contest", spec(maximum=(10, None)))
    old, new = await send(stored, submission(board, "ada", 99, 0), submission(edited, "bob", 1, 0))
    assert (type(old), type(new)) == (BoardChanged, Outcome)
    new, old = await send(stored, submission(edited, "bob", 2, 0), submission(board, "ada", 99, 0))
    assert (type(old), type(new)) == (BoardChanged, Outcome)
