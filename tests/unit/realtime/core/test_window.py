from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.core import record
from realtime.core.announcement import Past, TopChanged
from realtime.core.board import BoardState
from realtime.core.errors import VersionGap
from realtime.core.model import WINDOW
from realtime.core.window import Window
from tests.changes import COLUMNS, gone, later, random_batches, ranked

seeds = st.integers(0, 2**32)


@settings(max_examples=50, deadline=None)
@given(seeds, st.sampled_from([6, WINDOW - 2, WINDOW + 2, WINDOW + 60]))
def test_a_window_that_follows_is_the_boards_window_at_every_version(seed: int, players: int) -> None:
    state = BoardState(COLUMNS, 1)
    window = state.window()
    for batch in random_batches(random.Random(seed), batches=12, players=players, largest=60):
        announced = state.apply(batch)
        if announced is not None:
            window = window.follow(announced[0])
        assert window == state.window()


def test_a_window_is_cut_at_its_last_row() -> None:
    state = BoardState(COLUMNS, 1)
    state.apply([ranked(f"p{n}", 1000 - n, seq=n + 1) for n in range(WINDOW)])
    window = state.window()
    announced = state.apply([ranked("new", 2000, seq=500)])
    assert announced is not None
    followed = window.follow(announced[0])
    assert (len(followed.rows), followed.total) == (WINDOW, WINDOW + 1)
    assert followed == state.window()


def test_a_window_never_grows_beyond_its_size() -> None:
    state = BoardState(COLUMNS, 1)
    state.apply([ranked(f"p{n}", 1000 - n, seq=n + 1) for n in range(WINDOW)])
    best = BoardState(COLUMNS, 1)
    best.apply([ranked("new", 2000, seq=500)])
    followed = state.window().follow(TopChanged(1, 3, WINDOW + 1, best.stretch(0, 1)))
    assert [row.player for row in followed.rows] == ["new", *(f"p{n}" for n in range(WINDOW - 1))]


def test_who_leaves_is_replaced_by_the_row_that_moves_in() -> None:
    state = BoardState(COLUMNS, 1)
    state.apply([ranked(f"p{n}", 1000 - n, seq=n + 1) for n in range(WINDOW + 5)])
    window = state.window()
    announced = state.apply([gone("p0", seq=500), gone("p7", seq=501)])
    assert announced is not None
    assert [row.player for row in window.follow(announced[0]).rows[-2:]] == [f"p{WINDOW}", f"p{WINDOW + 1}"]


@pytest.mark.parametrize(("epoch", "version"), [(5, 3), (5, 5), (5, 2), (4, 4), (6, 4), (6, 1)])
def test_only_the_next_version_of_the_same_epoch_follows(epoch: int, version: int) -> None:
    with pytest.raises(VersionGap):
        Window(5, 3, 0, ()).follow(TopChanged(epoch, version, 0))
    assert Window(5, 3, 0, ()).follow(TopChanged(5, 4, 9)) == Window(5, 4, 9, ())


def test_rows_stay_the_same_object_where_none_of_them_changed() -> None:
    window = Window(5, 3, 1, (BoardState(COLUMNS, 5).stretch(0, 1)))
    assert window.follow(TopChanged(5, 4, 2)).rows is window.rows


# -- stepping back ----------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(seeds, st.sampled_from([6, WINDOW - 2, WINDOW + 2, WINDOW + 60]), st.sampled_from([3, 60]))
def test_a_window_that_steps_back_is_the_boards_window_before(seed: int, players: int, largest: int) -> None:
    state = BoardState(COLUMNS, 1)
    state.apply(ranked(f"p{n}", n % 7, seq=n + 1) for n in range(players))
    stood = [state.window()]
    past = []
    for batch in random_batches(random.Random(seed), batches=12, players=players, largest=largest):
        announced = state.apply([later(change) for change in batch])
        if announced is not None:
            top, _, left = announced
            rows = tuple(record.row(COLUMNS, one.player, one.key, one.display) for one in left)
            past.append(Past(top, rows, stood[-1].total, b""))
            stood.append(state.window())
    window = stood.pop()
    for one in reversed(past):
        window = window.back(one)
        assert window == stood.pop()


def test_who_only_stood_by_is_the_same_row_a_step_back() -> None:
    state = BoardState(COLUMNS, 5)
    state.apply([ranked("ann", 3, seq=1), ranked("bob", 2, seq=2)])
    window = Window(5, 3, 2, state.stretch(0, 2))
    below = Past(TopChanged(5, 3, 2), (), 1, b"")
    assert window.back(below) == Window(5, 2, 1, window.rows)
    assert window.back(below).rows is window.rows
    gained = Past(TopChanged(5, 3, 2, window.rows[1:]), (), 1, b"")
    assert window.back(gained).rows == window.rows[:1]


@pytest.mark.parametrize(("epoch", "version", "reset"), [(5, 2, False), (5, 4, False), (4, 3, False), (5, 3, True)])
def test_only_the_version_that_stands_is_stepped_back_over(epoch: int, version: int, reset: bool) -> None:
    with pytest.raises(VersionGap):
        Window(5, 3, 0, ()).back(Past(TopChanged(epoch, version, 0, reset=reset), (), 0, b""))
