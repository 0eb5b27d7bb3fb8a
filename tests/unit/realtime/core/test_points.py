from __future__ import annotations

import pytest

from realtime.core.model import BoardSpec, RankMode
from realtime.core.points import AroundPoint, PlayerPoint
from tests.changes import COLUMNS

KEY = b"k" * 24


def spec(ranks: RankMode) -> BoardSpec:
    return BoardSpec(title="", columns=COLUMNS, ranks=ranks)


@pytest.mark.parametrize(("ranks", "shown"), [(RankMode.COMPETITION, 3), (RankMode.ORDINAL, 6)])
def test_the_rank_shown_is_the_shared_one_or_follows_the_position(ranks: RankMode, shown: int) -> None:
    assert PlayerPoint(1, 1, 9, spec(ranks), KEY, 5, 3).shown() == shown
    assert AroundPoint(1, 1, 9, spec(ranks), 5, 3).shown() == shown


@pytest.mark.parametrize("ranks", RankMode)
def test_who_is_not_ranked_shows_no_rank(ranks: RankMode) -> None:
    assert PlayerPoint(1, 1, 9, spec(ranks)).shown() is None
    assert AroundPoint(1, 1, 9, spec(ranks)).shown() is None


def test_what_every_version_changes_is_no_difference() -> None:
    before, after = (PlayerPoint(1, version, version, spec(RankMode.ORDINAL), KEY, 5, 3) for version in (1, 2))
    assert before != after
    assert before.stands() == after.stands()
    assert before.stands() != after._replace(position=4).stands()
    assert before.stands() != after._replace(key=b"l" * 24).stands()
    assert AroundPoint(1, 1, 9, spec(RankMode.ORDINAL), 5, 3).stands() == (5, 3, ())
