"""Scores on the wire: int64 as JSON numbers, as strings beyond what a browser keeps exact."""

from __future__ import annotations

import re
from math import isfinite
from typing import TYPE_CHECKING, Final

from realtime.core.errors import (
    ScoreBoolean,
    ScoreColumns,
    ScoreFraction,
    ScoreNan,
    ScoreNotInteger,
    ScoreOutOfRange,
)
from realtime.core.model import INT64_MAX, INT64_MIN

if TYPE_CHECKING:
    from realtime.core.model import Score

EXACT: Final = 2**53 - 1
"""The largest integer that a JSON number carries exactly to every client."""
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,19})")


def parse_integer(value: object) -> int:
    """One column's value from decoded JSON. Raises the ScoreRefused that says what is wrong with it."""
    if type(value) is int:
        number = value
    elif isinstance(value, bool):
        raise ScoreBoolean("a score is an integer, not true or false")
    elif isinstance(value, float):
        if not isfinite(value):
            raise ScoreNan("a score is an integer: JSON has no NaN and no Infinity")
        # An integer of more than 64 bits reaches us as a float, too.
        if abs(value) > INT64_MAX:
            raise ScoreOutOfRange("a score must fit into 64 bits")
        raise ScoreFraction("a score is the stored integer: no point, no exponent")
    elif isinstance(value, str) and _INTEGER.fullmatch(value):
        number = int(value)
    else:
        raise ScoreNotInteger("a score must be an integer")
    if not INT64_MIN <= number <= INT64_MAX:
        raise ScoreOutOfRange("a score must fit into 64 bits")
    return number


def parse_score(value: object, columns: int) -> Score:
    """A score of `columns` values: a list, or a plain number on a board with one column."""
    values = value if isinstance(value, list) else [value]
    if len(values) != columns:
        raise ScoreColumns(f"this board has {columns} column(s), the score has {len(values)}")
    return tuple([parse_integer(one) for one in values])


def wire_integer(value: int) -> int | str:
    """An integer as JSON carries it."""
    return value if -EXACT <= value <= EXACT else str(value)


def wire_score(score: Score) -> int | str | list[int | str]:
    """A score as JSON carries it: a plain number on a board with one column."""
    if len(score) == 1:
        return wire_integer(score[0])
    return [wire_integer(value) for value in score]
