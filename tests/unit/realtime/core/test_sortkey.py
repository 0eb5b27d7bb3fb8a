from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core import sortkey
from realtime.core.errors import BoardChanged
from realtime.core.model import INT64_MAX, INT64_MIN, Column, Direction

ASC, DESC = Column("a", Direction.ASC), Column("d", Direction.DESC)
int64 = st.integers(INT64_MIN, INT64_MAX) | st.sampled_from([INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX])
seqs = st.integers(0, 2**64 - 1)


@given(st.data(), st.lists(st.sampled_from([ASC, DESC]), min_size=1, max_size=4))
def test_sorting_keys_sorts_scores(data: st.DataObject, columns: list[Column]) -> None:
    """Few different values, so that the later columns and the seq decide, too."""
    values = data.draw(st.lists(int64, min_size=1, max_size=3))
    entries = data.draw(
        st.lists(st.tuples(st.tuples(*[st.sampled_from(values)] * len(columns)), seqs), max_size=8, unique=True)
    )
    by_key = sorted(entries, key=lambda entry: sortkey.encode(columns, *entry))
    signs = [-1 if column is DESC else 1 for column in columns]
    by_score = sorted(
        entries, key=lambda entry: (*(sign * value for sign, value in zip(signs, entry[0], strict=True)), entry[1])
    )
    assert by_key == by_score


@given(st.data(), st.lists(st.sampled_from([ASC, DESC]), min_size=1, max_size=4), seqs)
def test_a_key_is_read_back_as_it_was_written(data: st.DataObject, columns: list[Column], seq: int) -> None:
    score = data.draw(st.tuples(*[int64] * len(columns)))
    key = sortkey.encode(columns, score, seq)
    assert len(key) == sortkey.width(columns)
    assert sortkey.decode(columns, key) == (score, seq)
    assert sortkey.columns_of(key) == sortkey.prefix(columns, score)


@pytest.mark.parametrize(
    ("column", "value", "written"),
    [
        (ASC, INT64_MIN, "0000000000000000"),
        (ASC, -1, "7fffffffffffffff"),
        (ASC, 0, "8000000000000000"),
        (ASC, INT64_MAX, "ffffffffffffffff"),
        (DESC, INT64_MAX, "0000000000000000"),
        (DESC, 0, "7fffffffffffffff"),
        (DESC, INT64_MIN, "ffffffffffffffff"),
    ],
)
def test_the_bytes_of_a_column_are_these(column: Column, value: int, written: str) -> None:
    assert sortkey.prefix([column], (value,)).hex() == written


@pytest.mark.parametrize("columns", [[ASC], [ASC, DESC, ASC], []])
def test_a_key_of_other_columns_is_told(columns: list[Column]) -> None:
    with pytest.raises(BoardChanged):
        sortkey.decode(columns, sortkey.encode([ASC, DESC], (1, 2), 3))
