"""Tops of past versions: whatever was announced, `at` gives the rows as they were."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from realtime.core import record
from realtime.core.announcement import Past, TopChanged, encode_moves
from realtime.core.board import BoardState
from realtime.core.errors import VersionGap
from realtime.core.history import STATES, History
from realtime.core.model import WINDOW, Change, Row
from realtime.core.window import Window
from tests.changes import COLUMNS, gone, ranked, renamed

EPOCH = 7
CHANGES = st.lists(
    st.tuples(st.sampled_from(("score", "score", "gone", "rename")), st.integers(0, WINDOW + 20), st.integers(0, 9)),
    min_size=1,
    max_size=5,
)


class Board:
    """A board with its stream: `windows[v]` is the top at version v, `past[v]` what was announced with it."""

    def __init__(self, players: int = 0) -> None:
        self.state = BoardState(COLUMNS, EPOCH)
        self.seq = 0
        self.state.load([self.change("score", player, player % 7) for player in range(players)])
        self.windows = {1: self.state.window()}
        self.past: dict[int, Past] = {}

    def change(self, kind: str, player: int, solved: int) -> Change:
        self.seq += 1
        if kind == "gone":
            return gone(f"p{player}", seq=self.seq)
        if kind == "rename":
            return renamed(f"p{player}", profile_seq=self.seq, name=f"n{self.seq}")
        return ranked(f"p{player}", solved, seq=self.seq)

    def apply(self, *changes: tuple[str, int, int]) -> None:
        total = self.state.total
        announced = self.state.apply([self.change(*one) for one in changes])
        if announced is not None:
            top, moved, before = announced
            rows = tuple(record.row(COLUMNS, one.player, one.key, one.display) for one in before)
            version = self.state.version
            self.windows[version] = self.state.window()
            self.past[version] = Past(top, rows, total, encode_moves(moved))

    def heard(self, since: int) -> History:
        """As a node holds it that came at a version and heard everything after."""
        history = History(self.windows[since])
        for version in range(since + 1, self.state.version + 1):
            history.append(history.newest.follow(self.past[version].top))
        return history

    def stream(self, since: int) -> list[Past]:
        return [self.past[version] for version in range(since + 1, self.state.version + 1)]


def rows(window: Window | None) -> tuple[Row, ...]:
    assert window is not None
    return window.rows


@settings(max_examples=50)
@given(st.integers(0, WINDOW + 20), st.lists(CHANGES, min_size=1, max_size=12), st.data())
def test_every_version_is_as_it_was_whether_it_was_heard_or_stepped_back_to(
    players: int, batches: list[list[tuple[str, int, int]]], data: st.DataObject
) -> None:
    board = Board(players)
    for batch in batches:
        board.apply(*batch)
    came, back = (data.draw(st.integers(1, board.state.version)) for _ in range(2))
    history = board.heard(came)
    history.extend(board.stream(back))
    first = min(came, back)
    assert history.first == first
    for version in range(first, board.state.version + 1):
        assert rows(history.at(EPOCH, version)) == board.windows[version].rows
    assert history.at(EPOCH, first - 1) is None


def test_the_newest_is_answered_as_it_is_and_older_ones_with_its_total() -> None:
    board = Board(3)
    board.apply(("score", 9, 9))
    history = board.heard(1)
    assert history.at(EPOCH, 2) is history.newest
    assert history.at(EPOCH, 1) == Window(EPOCH, 1, 4, board.windows[1].rows)


@pytest.mark.parametrize(("epoch", "version"), [(EPOCH, 0), (EPOCH, 3), (EPOCH - 1, 2), (EPOCH + 1, 1)])
def test_what_is_not_known_is_not_answered(epoch: int, version: int) -> None:
    board = Board(3)
    board.apply(("score", 9, 9))
    assert board.heard(1).at(epoch, version) is None


def test_versions_that_show_the_same_take_no_room() -> None:
    history = History(Window(EPOCH, 1, 0, ()))
    for version in range(2, 10 * STATES):
        history.append(history.newest.follow(TopChanged(EPOCH, version, version)))
    assert history.first == 1
    assert rows(history.at(EPOCH, 5)) == ()


def test_stepping_back_over_versions_that_show_the_same_takes_no_room() -> None:
    """Quiet ones before what is known, and between two that changed something."""
    board = Board(WINDOW + 2)
    lowest = board.state.stretch(WINDOW, 2)[-1].player[1:]
    for solved in range(100, 103):
        board.apply(("score", 0, solved))
        for _ in range(STATES // 2):
            board.apply(("rename", int(lowest), 0))
    history = board.heard(board.state.version)
    history.extend(board.stream(1))
    assert history.first == 1
    assert len(history._versions) == 4
    for version in range(1, board.state.version + 1, 7):
        assert rows(history.at(EPOCH, version)) == board.windows[version].rows


def test_past_its_bound_the_oldest_states_go() -> None:
    board = Board()
    for version in range(2, STATES + 12):
        board.apply(("score", 0, version))
    history = board.heard(1)
    assert history.first == board.state.version - STATES + 1
    assert history.at(EPOCH, history.first - 1) is None
    assert rows(history.at(EPOCH, history.first)) == board.windows[history.first].rows


def test_stepping_back_keeps_to_the_bound_and_has_no_hole() -> None:
    board = Board()
    for version in range(2, STATES + 12):
        board.apply(("score", 0, version))
    history = board.heard(board.state.version - 3)
    history.extend(board.stream(1))
    assert history.first == board.state.version - STATES + 1
    for version in (history.first, history.first + 100, board.state.version):
        assert rows(history.at(EPOCH, version)) == board.windows[version].rows


def test_what_does_not_reach_the_oldest_known_version_is_no_way_back() -> None:
    board = Board(3)
    for version in range(2, 8):
        board.apply(("score", 0, version * 10))
    history = board.heard(6)
    with pytest.raises(VersionGap):
        history.extend(board.stream(1)[:3])
    assert history.first == 6
