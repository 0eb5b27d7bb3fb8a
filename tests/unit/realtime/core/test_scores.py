from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core import errors, scores
from realtime.core.model import INT64_MAX, INT64_MIN


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("0", 0),
        ("-1", -1),
        ("12345", 12345),
        (str(INT64_MAX), INT64_MAX),
        (str(INT64_MIN), INT64_MIN),
        (f'"{INT64_MAX}"', INT64_MAX),
        (f'"{INT64_MIN}"', INT64_MIN),
        ('"0"', 0),
        ('"-7"', -7),
    ],
)
def test_an_integer_is_taken_as_a_number_or_as_text(sent: str, stored: int) -> None:
    assert scores.parse_integer(orjson.loads(sent)) == stored


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        ("true", errors.ScoreBoolean),
        ("false", errors.ScoreBoolean),
        ("1.0", errors.ScoreFraction),
        ("1.5", errors.ScoreFraction),
        ("-0.0", errors.ScoreFraction),
        ("1e3", errors.ScoreFraction),
        ("1E3", errors.ScoreFraction),
        ("9223372036854775808", errors.ScoreOutOfRange),
        ("-9223372036854775809", errors.ScoreOutOfRange),
        ("18446744073709551615", errors.ScoreOutOfRange),
        ("18446744073709551616", errors.ScoreOutOfRange),
        ("1e300", errors.ScoreOutOfRange),
        ('"9223372036854775808"', errors.ScoreOutOfRange),
        ('"-9223372036854775809"', errors.ScoreOutOfRange),
        ("null", errors.ScoreNotInteger),
        ('""', errors.ScoreNotInteger),
        ('"1.5"', errors.ScoreNotInteger),
        ('"1e3"', errors.ScoreNotInteger),
        ('"01"', errors.ScoreNotInteger),
        ('"+1"', errors.ScoreNotInteger),
        ('" 1"', errors.ScoreNotInteger),
        ('"1\\n"', errors.ScoreNotInteger),
        ('"\\u0661"', errors.ScoreNotInteger),
        ('"NaN"', errors.ScoreNotInteger),
        ('"' + "9" * 5000 + '"', errors.ScoreNotInteger),
        ("[]", errors.ScoreNotInteger),
        ("{}", errors.ScoreNotInteger),
    ],
)
def test_anything_else_is_refused_by_what_is_wrong_with_it(sent: str, refusal: type[errors.ScoreRefused]) -> None:
    with pytest.raises(refusal) as refused:
        scores.parse_integer(orjson.loads(sent))
    assert type(refused.value) is refusal


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_at_all_is_refused_as_that(value: float) -> None:
    """JSON has none of these; a lenient reader may."""
    with pytest.raises(errors.ScoreNan):
        scores.parse_integer(value)


@pytest.mark.parametrize(
    ("value", "columns", "stored"),
    [(5, 1, (5,)), ([5], 1, (5,)), ([1, "2"], 2, (1, 2)), ([1, 2, 3, 4], 4, (1, 2, 3, 4))],
)
def test_a_score_is_a_number_or_one_for_each_column(value: Any, columns: int, stored: tuple[int, ...]) -> None:
    assert scores.parse_score(value, columns) == stored


@pytest.mark.parametrize(("value", "columns"), [(5, 2), ([5], 2), ([], 1), ([1, 2], 1), ([1, 2, 3], 2), (None, 2)])
def test_a_score_of_other_columns_is_refused(value: Any, columns: int) -> None:
    with pytest.raises(errors.ScoreColumns):
        scores.parse_score(value, columns)


@given(st.integers(INT64_MIN, INT64_MAX) | st.sampled_from([2**53 - 1, 2**53, -(2**53) + 1, -(2**53)]))
def test_what_is_written_is_read_back_and_no_browser_rounds_it(value: int) -> None:
    written = scores.wire_integer(value)
    assert scores.parse_integer(orjson.loads(orjson.dumps(written))) == value
    assert isinstance(written, str) or int(float(written)) == value
    assert isinstance(written, str) == (abs(value) >= 2**53)


def test_a_board_with_one_column_has_plain_numbers() -> None:
    assert scores.wire_score((7,)) == 7
    assert scores.wire_score((7, 2**60)) == [7, str(2**60)]
