"""Who passed whom, against the definition; and the log of moves against a plain list of versions."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import hypothesis.strategies as st
import pytest
from hypothesis import given

from realtime.core import passing, sortkey
from realtime.core.announcement import Move
from realtime.core.passing import NAMED, Climbers, MoveLog, Stand
from realtime.core.sortkey import columns_of
from tests.changes import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

ABSENT = b""


def key(solved: int, seq: int) -> bytes:
    return sortkey.encode(COLUMNS, (solved, 0), seq)


def move(player: str, old: bytes, new: bytes) -> Move:
    return Move(player, old, new, 0 if new else -1, 1 if new else 0)


Boards = tuple[dict[str, bytes], dict[str, bytes]]


@st.composite
def boards(draw: st.DrawFn) -> Boards:
    """A board before and after; few scores, so that many are shared. Seqs are never drawn twice."""
    players = [f"p{number}" for number in range(draw(st.integers(1, 14)))]
    seqs = iter(draw(st.permutations(range(1, 2 * len(players) + 1))))
    before, after = {}, {}
    for player in players:
        kind = draw(st.sampled_from(("stays", "moves", "moves", "comes", "goes", "absent")))
        if kind not in ("comes", "absent"):
            before[player] = key(draw(st.integers(0, 3)), next(seqs))
        if kind == "stays":
            after[player] = before[player]
        elif kind in ("moves", "comes"):
            after[player] = key(draw(st.integers(0, 3)), next(seqs))
    return before, after


def naive(boards: Boards, player: str, *, shared: bool) -> list[str]:
    """Moved, was not ahead, is ahead: the nearest first by whole key, at most three."""
    before, after = boards
    if player not in before or player not in after:
        return []

    def ahead(board: dict[str, bytes], other: str) -> bool:
        if other not in board:
            return False
        theirs, mine = board[other], board[player]
        return columns_of(theirs) < columns_of(mine) if shared else theirs < mine

    named = [
        other
        for other in after
        if other in after and before.get(other) != after[other] and ahead(after, other) and not ahead(before, other)
    ]
    return sorted(named, key=lambda other: after[other], reverse=True)[:3]


@given(boards(), st.booleans(), st.sampled_from((0, 1000)))
def test_who_passed_is_who_moved_and_was_not_ahead_and_is(boards: Boards, shared: bool, few: int) -> None:
    """Whether each is looked at, or all are put in order. Whose name alone changed is among the moves, too."""
    before, after = boards
    players = sorted({*before, *after})
    net = {player: (before.get(player, ABSENT), after.get(player, ABSENT)) for player in players}
    stands = [Stand(player, *net[player]) for player in players]
    with mock.patch.object(passing, "FEW", few):
        assert Climbers(net, shared=shared).past(stands) == [naive(boards, player, shared=shared) for player in players]


def test_who_asks_alone_after_many_is_told_the_same() -> None:
    net = {f"p{seq}": (key(0, seq), key(9, seq)) for seq in range(10, 60)}
    climbers = Climbers(net, shared=True)
    me = Stand("me", key(5, 1), key(5, 1))
    alone = climbers.past([me])
    assert climbers.past([me] * 100) == alone * 100
    assert climbers.past([me]) == alone == [["p59", "p58", "p57"]]


def test_at_most_three_are_named_the_nearest_first() -> None:
    net = {f"p{seq}": (key(0, seq), key(9, seq)) for seq in range(10, 16)}
    (named,) = Climbers(net, shared=True).past([Stand("me", key(5, 1), key(5, 1))])
    assert named == ["p15", "p14", "p13"]
    assert len(named) == NAMED


def test_of_those_who_share_a_rank_the_last_to_reach_it_is_the_nearest() -> None:
    net = {"early": (ABSENT, key(9, 10)), "late": (ABSENT, key(9, 20)), "best": (ABSENT, key(10, 30))}
    assert Climbers(net, shared=True).past([Stand("me", key(5, 1), key(5, 1))]) == [["late", "early", "best"]]


def test_who_comes_to_share_ones_rank_has_passed_by_key_alone() -> None:
    net = {"ada": (key(1, 1), key(5, 2))}
    me = [Stand("me", key(5, 9), key(5, 9))]
    assert Climbers(net, shared=True).past(me) == [[]]
    assert Climbers(net, shared=False).past(me) == [["ada"]]


def test_whose_display_alone_changed_has_passed_nobody() -> None:
    net = {"ada": (key(9, 1), key(9, 1))}
    assert Climbers(net, shared=False).past([Stand("me", key(5, 1), key(5, 1))]) == [[]]


# -- the log --------------------------------------------------------------------------------------------------------


VERSIONS = st.lists(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=4, unique_by=lambda one: one[0]), max_size=10
)


def history(scores: Sequence[Sequence[tuple[int, int]]]) -> tuple[list[list[Move]], list[dict[str, bytes]]]:
    """Moves by version from 1 on, and the board after each, from 0 on. A score of 0 takes the player off."""
    board: dict[str, bytes] = {}
    versions, states = [], [dict(board)]
    for seq, batch in enumerate(scores, 1):
        moves = []
        for number, solved in batch:
            player = f"p{number}"
            new = key(solved, seq) if solved else ABSENT
            if old := board.pop(player, ABSENT) or new:
                moves.append(move(player, ABSENT if old is new else old, new))
            if new:
                board[player] = new
        versions.append(moves)
        states.append(dict(board))
    return versions, states


@given(VERSIONS, st.data())
def test_nets_are_what_differs_between_two_versions(scores: list[list[tuple[int, int]]], data: st.DataObject) -> None:
    versions, states = history(scores)
    log = MoveLog()
    for version, moves in enumerate(versions, 1):
        log.append(version, moves)
    until = data.draw(st.integers(0, len(versions)))
    asked = data.draw(st.lists(st.integers(0, until), max_size=4))
    found = log.nets(asked, until)
    assert set(found) == set(asked)
    for version, net in found.items():
        before, after = states[version], states[until]
        changed = {player for player in {*before, *after} if before.get(player) != after.get(player)}
        assert {player for player, (old, new) in net.items() if old != new} == changed
        for player, (old, new) in net.items():
            assert (old, new) == (before.get(player, ABSENT), after.get(player, ABSENT))


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 8), st.integers(0, 9))
def test_what_was_heard_and_what_was_read_make_one_log(first: int, more: int, back: int, asked: int) -> None:
    moves = {version: [move(f"p{version}", ABSENT, key(1, version))] for version in range(1, first + more)}
    log = MoveLog()
    for version in range(first, first + more):
        log.append(version, moves[version])
    # What is read reaches into what was heard: nothing is there twice.
    log.prepend([(version, moves[version]) for version in moves if version > back])
    oldest = min(first, back + 1)
    assert log.after(asked) == [(version, moves[version]) for version in moves if version >= oldest and version > asked]
    assert log.reaches(asked) == (asked >= oldest - 1)


def test_an_empty_log_reaches_nowhere_until_versions_are_put_before_it() -> None:
    log = MoveLog()
    assert not log.reaches(5)
    assert log.after(0) == []
    log.prepend([(4, []), (5, [])])
    assert log.reaches(3)
    assert not log.reaches(2)


def test_what_is_cleared_is_forgotten() -> None:
    log = MoveLog()
    log.append(1, [move("ada", ABSENT, key(1, 1))])
    log.clear()
    assert (log.after(0), log.first, log.reaches(1), log.nets([0], 1)) == ([], 0, False, {0: {}})


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> MoveLog:
    """Room for five moves; versions 1 to 3 have two each."""
    monkeypatch.setattr(passing, "LOGGED", 5)
    log = MoveLog()
    for version in (1, 2, 3):
        log.append(version, [move(f"p{version}{one}", ABSENT, key(one, version)) for one in (1, 2)])
    return log


def test_past_its_bound_the_oldest_versions_go(small: MoveLog) -> None:
    assert [version for version, _ in small.after(0)] == [2, 3]
    assert small.first == 2
    assert not small.reaches(0)
    small.append(4, [move(f"q{one}", ABSENT, key(one, 4)) for one in range(9)])
    assert [version for version, _ in small.after(0)] == [4]
    small.append(5, [])
    assert [version for version, _ in small.after(0)] == [5]


def test_no_more_is_put_before_it_than_there_is_room_for(small: MoveLog) -> None:
    small.prepend([(-1, []), (0, [move("one", ABSENT, key(1, 1))]), (1, [])])
    assert [version for version, _ in small.after(-9)] == [-1, 0, 1, 2, 3]
    small.prepend([(-3, []), (-2, [move("more", ABSENT, key(1, 1))])])
    assert small.after(-9)[0][0] == -1


def test_who_asks_from_before_the_oldest_version_is_told_of_nobody(small: MoveLog) -> None:
    """What is left is no net: somebody who was ahead, fell behind and came back did not pass."""
    assert small.nets([0, 1], 3)[0] == {}
    assert set(small.nets([0, 1], 3)[1]) == {"p21", "p22", "p31", "p32"}


def test_who_asks_from_too_many_moves_ago_is_told_of_nobody_and_costs_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "LOOKED", 5)
    log = MoveLog()
    for version in range(1, 9):
        log.append(version, [move(f"p{version}{one}", ABSENT, key(one, version)) for one in (1, 2)])
    found = log.nets([0, 3, 6, 7], 8)
    assert [len(found[version]) for version in (7, 6, 3, 0)] == [2, 4, 0, 0]
