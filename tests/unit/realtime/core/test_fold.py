from __future__ import annotations

from typing import Any

import pytest

from realtime.core.errors import ScoreOutOfBounds, SumOverflow
from realtime.core.fold import Submission, fold
from realtime.core.model import INT64_MAX, INT64_MIN, Board, BoardKey, BoardSpec, Entry, Operator, Score
from tests.changes import COLUMNS

STANDING = Entry((3, 120), 7, b"old")


def folded(operator: Operator, entry: Entry, score: Score, seq: int = 9, **fields: Any) -> tuple[Entry, bool]:
    spec = BoardSpec(title="", columns=COLUMNS, operator=operator, **fields)
    sent = Submission(board=Board(BoardKey(1, 1), "b", spec, 1), player="p", score=score, metadata=b"new")
    return fold(spec, entry, sent, seq)


@pytest.mark.parametrize("operator", Operator)
@pytest.mark.parametrize("score", [(0, 0), (5, 1), (-3, INT64_MAX)])
def test_a_first_score_stands_whatever_it_is(operator: Operator, score: Score) -> None:
    assert folded(operator, Entry(), score) == (Entry(score, 9, b"new"), True)


@pytest.mark.parametrize("operator", Operator)
def test_after_a_removal_one_begins_anew(operator: Operator) -> None:
    assert folded(operator, Entry(None, 7), (1, 1)) == (Entry((1, 1), 9, b"new"), True)


@pytest.mark.parametrize(
    ("score", "better"),
    [((4, 999), True), ((3, 119), True), ((3, 120), False), ((3, 121), False), ((2, 0), False)],
)
def test_best_compares_columns_as_one_tuple(score: Score, better: bool) -> None:
    expected = (Entry(score, 9, b"new"), True) if better else (STANDING, False)
    assert folded(Operator.BEST, STANDING, score) == expected


@pytest.mark.parametrize(("score", "changed"), [((1, 1), True), ((3, 120), False)])
def test_latest_takes_what_is_other(score: Score, changed: bool) -> None:
    expected = (Entry(score, 9, b"new"), True) if changed else (STANDING, False)
    assert folded(Operator.LATEST, STANDING, score) == expected


def test_sum_adds_each_column_and_zero_changes_nothing() -> None:
    assert folded(Operator.SUM, STANDING, (-5, 7)) == (Entry((-2, 127), 9, b"new"), True)
    assert folded(Operator.SUM, STANDING, (0, 0)) == (STANDING, False)


@pytest.mark.parametrize(("standing", "score"), [((0, INT64_MAX), (0, 1)), ((INT64_MIN, 0), (-1, 0))])
def test_a_sum_does_not_leave_64_bits(standing: Score, score: Score) -> None:
    with pytest.raises(SumOverflow):
        folded(Operator.SUM, Entry(standing, 1), score)


@pytest.mark.parametrize("score", [(-1, 0), (11, 0), (5, 51)])
@pytest.mark.parametrize("operator", Operator)
def test_a_submission_keeps_within_the_bounds(operator: Operator, score: Score) -> None:
    with pytest.raises(ScoreOutOfBounds):
        folded(operator, Entry(), score, minimum=(0, None), maximum=(10, 50))


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ({"minimum": (None, 3), "maximum": (None, 50)}, "penalty is 51: this board takes 3 to 50"),
        ({"maximum": (4, 99)}, "solved is 5: this board takes at most 4"),
        ({"minimum": (6, None)}, "solved is 5: this board takes at least 6"),
    ],
)
def test_a_refusal_names_the_bounds(bounds: dict[str, tuple[int | None, ...]], told: str) -> None:
    with pytest.raises(ScoreOutOfBounds, match=f"^{told}$"):
        folded(Operator.BEST, Entry(), (5, 51), **bounds)


def test_a_sum_that_is_out_of_bounds_is_told_as_what_it_would_add_up_to() -> None:
    with pytest.raises(ScoreOutOfBounds, match=r"^solved would add up to 10: this board takes at most 9$"):
        folded(Operator.SUM, Entry((6, 0), 1), (4, 0), maximum=(9, None))


@pytest.mark.parametrize(("score", "fits"), [((7, 0), True), ((8, 0), False), ((0, -121), False), ((0, -120), True)])
def test_a_sum_keeps_within_the_bounds_too(score: Score, fits: bool) -> None:
    bounds = {"minimum": (None, 0), "maximum": (10, None)}
    if fits:
        assert folded(Operator.SUM, STANDING, score, **bounds | {"minimum": None})[1]
    else:
        with pytest.raises(ScoreOutOfBounds):
            folded(Operator.SUM, STANDING, score, **bounds)
