from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.model import RankMode, Row, Standing
from realtime.core.ranks import percentile, rank_of, ranks

boards = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), max_size=30).map(sorted)


def rows(scores: list[tuple[int, int]]) -> list[Row]:
    return [Row(f"p{n}", b"", score, n, "") for n, score in enumerate(scores)]


@given(boards, st.integers(0, 30), st.integers(0, 30))
def test_ranks_of_any_stretch_equal_counting_who_is_better(
    scores: list[tuple[int, int]], start: int, length: int
) -> None:
    stretch = rows(scores)[start : start + length]
    shared = [1 + sum(other < score for other in scores) for score in scores][start : start + length]
    first = shared[0] if shared else 0
    assert list(ranks(stretch, RankMode.COMPETITION, first, start)) == shared
    assert list(ranks(stretch, RankMode.ORDINAL, first, start)) == [start + n + 1 for n in range(len(stretch))]


def test_shared_ranks_leave_gaps() -> None:
    level = rows([(1, 0), (2, 0), (2, 0), (3, 0)])
    assert list(ranks(level, RankMode.COMPETITION)) == [1, 2, 2, 4]
    assert list(ranks(level, RankMode.ORDINAL)) == [1, 2, 3, 4]


def test_a_board_shows_the_rank_of_its_mode() -> None:
    standing = Standing(rows([(1, 0)])[0], position=4, rank=2)
    assert rank_of(standing, RankMode.COMPETITION) == 2
    assert rank_of(standing, RankMode.ORDINAL) == 5


@pytest.mark.parametrize(
    ("rank", "total", "share"), [(1, 1, 100.0), (1, 4, 100.0), (2, 4, 75.0), (4, 4, 25.0), (2, 3, 66.7), (1, 0, 0.0)]
)
def test_the_percentile_is_the_share_one_stands_before_or_level_with(rank: int, total: int, share: float) -> None:
    assert percentile(Standing(rows([(1, 0)])[0], rank - 1, rank), total) == share
