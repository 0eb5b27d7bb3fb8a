"""The tracker against the sorted list it stands for. Both twins, in Python and in C, pass every test."""

from __future__ import annotations

import random
from bisect import bisect_left
from struct import Struct

import pytest

from realtime.core.errors import SettingInvalid
from realtime.core.tracker import HANDLES, PLACES, Tracker
from realtime.gateway.speedups import choose

STEPS = 1500
_PAIR = Struct(">QQ").pack


@pytest.fixture(params=["python", "c"])
def twin(request: pytest.FixtureRequest) -> type[Tracker]:
    try:
        return choose(request.param).tracker
    except SettingInvalid as missing:
        pytest.skip(str(missing))


def key(column: int, seq: int = 0) -> bytes:
    return _PAIR(column, seq)


@pytest.fixture
def tracker(twin: type[Tracker]) -> Tracker:
    """Four of a board of ten, two of them with one score."""
    tracker = twin(16)
    for handle, (column, seq, position, rank) in enumerate(
        [(10, 1, 0, 1), (20, 2, 3, 4), (20, 5, 5, 4), (30, 1, 8, 9)]
    ):
        tracker.add(handle, key(column, seq), position, rank)
    return tracker


def places(tracker: Tracker, *handles: int) -> list[tuple[int, int]]:
    return [tracker.place(handle)[1:] for handle in handles]


BEFORE = [(0, 1), (3, 4), (5, 4), (8, 9)]


def test_who_is_added_stands_where_it_was_said_and_was_told_so(tracker: Tracker) -> None:
    assert len(tracker) == 4
    assert tracker.place(1) == (key(20, 2), 3, 4)
    assert tracker.changed() == []
    assert tracker.tell(1) == (3, 4, 3, 4)


def test_a_player_who_comes_past_is_counted_by_all_it_passed(tracker: Tracker) -> None:
    tracker.apply([(key(40, 1), key(15, 9))], [])
    assert places(tracker, 0, 1, 2, 3) == [(0, 1), (4, 5), (6, 5), (9, 10)]
    assert tracker.changed() == [1, 2, 3]


def test_news_are_who_changed_and_where_they_stand_once(tracker: Tracker) -> None:
    tracker.apply([(key(40, 1), key(15, 9))], [])
    assert tracker.news() == [(1, key(20, 2), 4, 5), (2, key(20, 5), 6, 5), (3, key(30, 1), 9, 10)]
    assert (tracker.news(), tracker.changed()) == ([], [])
    assert tracker.tell(1) == (4, 5, 4, 5)


def test_a_player_who_falls_back_lets_all_it_passed_move_up(tracker: Tracker) -> None:
    tracker.apply([(key(12, 1), key(25, 9))], [])
    assert places(tracker, 0, 1, 2, 3) == [(0, 1), (2, 3), (4, 3), (8, 9)]


def test_a_newcomer_and_a_leaver_move_all_behind_them(tracker: Tracker) -> None:
    tracker.apply([(b"", key(15, 9))], [])
    assert places(tracker, 0, 1, 2, 3) == [(0, 1), (4, 5), (6, 5), (9, 10)]
    tracker.apply([(key(15, 9), b"")], [])
    assert places(tracker, 0, 1, 2, 3) == BEFORE


def test_who_has_the_same_columns_passes_by_position_and_not_by_rank(tracker: Tracker) -> None:
    tracker.apply([(key(40, 1), key(20, 4))], [])
    assert places(tracker, 0, 1, 2, 3) == [(0, 1), (3, 4), (6, 4), (9, 10)]


def test_a_move_within_the_same_columns_changes_no_rank(tracker: Tracker) -> None:
    tracker.apply([(key(20, 1), key(20, 9))], [])
    assert places(tracker, 0, 1, 2, 3) == [(0, 1), (2, 4), (4, 4), (8, 9)]


def test_the_very_key_of_a_watched_player_does_not_pass_it(tracker: Tracker) -> None:
    tracker.apply([(b"", key(20, 2))], [])
    assert places(tracker, 1, 2) == [(3, 4), (6, 4)]


def test_a_move_that_is_none_does_nothing(tracker: Tracker) -> None:
    tracker.apply([(key(5, 5), key(5, 5)), (b"", b"")], [])
    assert places(tracker, 0, 1, 2, 3) == BEFORE
    assert tracker.changed() == []


def test_moves_of_one_version_are_counted_together(tracker: Tracker) -> None:
    tracker.apply([(key(40, 1), key(11, 1)), (key(41, 1), key(25, 1)), (key(12, 2), key(50, 2))], [])
    assert places(tracker, 0, 1, 2, 3) == [(0, 1), (3, 4), (5, 4), (9, 10)]
    assert tracker.changed() == [3]


def test_a_watched_mover_stands_where_it_was_announced_and_was_told_what_it_was_told(tracker: Tracker) -> None:
    tracker.apply([(key(30, 1), key(15, 7)), (b"", key(1, 1))], [(3, key(15, 7), 2, 3)])
    assert tracker.place(3) == (key(15, 7), 2, 3)
    assert places(tracker, 0, 1, 2) == [(1, 2), (5, 6), (7, 6)]
    assert tracker.changed() == [0, 3, 1, 2]
    assert tracker.tell(3) == (2, 3, 8, 9)


def test_a_watched_player_that_is_named_without_a_move_is_placed_all_the_same(tracker: Tracker) -> None:
    tracker.apply([(key(20, 2), key(20, 2))], [(1, key(20, 2), 4, 5)])
    assert places(tracker, 0, 1, 2, 3) == [(0, 1), (4, 5), (5, 4), (8, 9)]


def test_a_watched_player_who_leaves_the_board_is_tracked_no_more(tracker: Tracker) -> None:
    tracker.apply([(key(20, 2), b"")], [(1, b"", -1, 0)])
    assert len(tracker) == 3
    assert places(tracker, 0, 2, 3) == [(0, 1), (4, 4), (7, 8)]
    with pytest.raises(KeyError):
        tracker.place(1)


def test_what_was_told_is_changed_no_more_until_it_changes_again(tracker: Tracker) -> None:
    tracker.apply([(b"", key(25, 1))], [])
    assert tracker.tell(3) == (9, 10, 8, 9)
    assert tracker.changed() == []
    assert tracker.tell(3) == (9, 10, 9, 10)
    tracker.apply([(key(25, 1), b"")], [])
    assert tracker.changed() == [3]


def test_who_comes_back_to_where_it_was_told_is_not_changed(tracker: Tracker) -> None:
    tracker.apply([(b"", key(25, 1))], [])
    tracker.apply([(key(25, 1), b"")], [])
    assert tracker.changed() == []


def test_a_change_of_rank_alone_is_a_change(tracker: Tracker) -> None:
    tracker.apply([], [(1, key(20, 2), 3, 5)])
    assert tracker.changed() == [1]


def test_a_handle_is_free_again_once_it_is_removed(tracker: Tracker) -> None:
    tracker.apply([(b"", key(1, 1))], [])
    tracker.remove(1)
    assert tracker.changed() == [0, 2, 3]
    tracker.add(1, key(20, 2), 7, 8)
    assert tracker.changed() == [0, 2, 3]
    assert tracker.place(1) == (key(20, 2), 7, 8)
    tracker.remove(1)
    tracker.add(1, key(2, 2), 1, 2)
    tracker.apply([(b"", key(1, 2))], [])
    assert tracker.changed() == [1, 0, 2, 3]
    assert tracker.tell(1) == (2, 3, 1, 2)


def test_two_with_one_key_stand_in_the_order_of_their_handles(twin: type[Tracker]) -> None:
    tracker = twin(16)
    for handle in (7, 3, 9):
        tracker.add(handle, key(5, 5), 4, 5)
    tracker.add(5, key(6, 1), 4, 5)
    tracker.apply([(b"", key(1, 1))], [(5, key(5, 5), 9, 9)])
    assert tracker.changed() == [3, 5, 7, 9]
    for handle in (8, 1, 4):
        tracker.add(handle, key(5, 5), 4, 5)
    tracker.apply([(b"", key(1, 1))], [])
    assert tracker.changed() == [1, 3, 4, 5, 7, 8, 9]


def test_the_whole_range_of_a_key_is_ordered(twin: type[Tracker]) -> None:
    tracker = twin(40)
    tracker.add(1, b"\xff" * 40, 7, 8)
    tracker.add(2, bytes(40), 0, 1)
    tracker.apply([(b"", b"\x80" + bytes(39)), (b"", b"\xff" * 31 + b"\xfe" + bytes(8))], [])
    assert places(tracker, 1, 2) == [(9, 10), (0, 1)]


def test_an_empty_tracker_follows_any_version(twin: type[Tracker]) -> None:
    tracker = twin(24)
    tracker.apply([(bytes(24), b"\xff" * 24)], [])
    assert (len(tracker), tracker.changed()) == (0, [])


@pytest.mark.parametrize("width", [0, 8, 15, 17, 48, -16])
def test_a_width_that_no_board_has_is_refused(twin: type[Tracker], width: int) -> None:
    with pytest.raises(ValueError, match=f"16, 24, 32 or 40 bytes, not {width}"):
        twin(width)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((4, bytes(15), 0, 1), "a key of this board has 16 bytes, not 15"),
        ((4, bytes(24), 0, 1), "a key of this board has 16 bytes, not 24"),
        ((4, b"", 0, 1), "a key of this board has 16 bytes, not 0"),
        ((0, bytes(16), 0, 1), "handle 0 is tracked already"),
        ((-1, bytes(16), 0, 1), f"handle -1 is not from 0 to {HANDLES - 1}"),
        ((HANDLES, bytes(16), 0, 1), f"handle {HANDLES} is not from 0 to {HANDLES - 1}"),
        ((2**80, bytes(16), 0, 1), f"handle {2**80} is not from 0"),
        ((4, bytes(16), -1, 1), f"position -1 is not from 0 to {PLACES - 1}"),
        ((4, bytes(16), PLACES, 1), f"position {PLACES} is not from 0 to {PLACES - 1}"),
        ((4, bytes(16), 0, 0), f"rank 0 is not from 1 to {PLACES}"),
        ((4, bytes(16), 0, PLACES + 1), f"rank {PLACES + 1} is not from 1 to {PLACES}"),
    ],
)
def test_what_cannot_be_added_is_refused(tracker: Tracker, row: tuple[int, bytes, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tracker.add(*row)
    assert len(tracker) == 4


def test_the_ends_of_the_ranges_are_taken(twin: type[Tracker]) -> None:
    tracker = twin(16)
    tracker.add(HANDLES - 1, bytes(16), PLACES - 1, PLACES)
    assert tracker.place(HANDLES - 1) == (bytes(16), PLACES - 1, PLACES)


@pytest.mark.parametrize("handle", [4, -1, HANDLES, 2**80])
def test_an_unknown_handle_is_named(tracker: Tracker, handle: int) -> None:
    for call in (tracker.remove, tracker.tell, tracker.place):
        with pytest.raises(KeyError, match=str(handle)):
            call(handle)
    with pytest.raises(KeyError, match=str(handle)):
        tracker.apply([], [(handle, key(1, 1), 0, 1)])


@pytest.mark.parametrize(
    ("moves", "own"),
    [
        ([(key(1), bytes(15))], []),
        ([(bytes(17), b"")], []),
        ([], [(1, key(1), 0, 1), (1, key(2), 0, 1)]),
        ([], [(1, b"", -1, 0), (1, b"", -1, 0)]),
        ([], [(1, bytes(24), 0, 1)]),
        ([], [(1, key(1), PLACES, 1)]),
        ([], [(1, key(1), 0, 0)]),
        ([], [(0, key(1), 0, 1), (9, key(1), 0, 1)]),
    ],
)
def test_a_version_that_is_refused_has_changed_nothing(
    tracker: Tracker, moves: list[tuple[bytes, bytes]], own: list[tuple[int, bytes, int, int]]
) -> None:
    with pytest.raises((ValueError, KeyError)):
        tracker.apply([(b"", key(0)), *moves], [(2, key(3), 0, 1), *own])
    assert [tracker.place(handle) for handle in range(4)] == [
        (key(10, 1), 0, 1), (key(20, 2), 3, 4), (key(20, 5), 5, 4), (key(30, 1), 8, 9),
    ]  # fmt: skip
    tracker.apply([(b"", key(0))], [(2, key(3), 0, 1)])
    assert tracker.changed() == [2, 0, 1, 3]


class Play:
    """A whole board as a sorted list, some of it watched, and the tracker that hears only of its moves."""

    def __init__(self, tracker: Tracker, columns: int, scores: int, dice: random.Random) -> None:
        self.tracker = tracker
        self.columns = columns
        self.scores = scores
        self.dice = dice
        self.seq = 0
        self.keys = {player: self.draw() for player in range(150)}
        self.told: dict[int, tuple[int, int]] = {}

    def draw(self) -> bytes:
        # Few scores: most ranks are shared. Seqs are drawn once and do not come in order.
        self.seq += 1
        columns = (self.dice.randrange(self.scores) for _ in range(self.columns))
        return b"".join(column.to_bytes(8) for column in columns) + (self.seq * 7919 % 2**64).to_bytes(8)

    def standing(self, key: bytes) -> tuple[int, int]:
        order = sorted(self.keys.values())
        return bisect_left(order, key), bisect_left(order, key[:-8]) + 1

    def watch(self) -> None:
        player = self.dice.randrange(200)
        if player in self.told:
            self.tracker.remove(player)
            del self.told[player]
        elif player in self.keys:
            self.told[player] = self.standing(self.keys[player])
            self.tracker.add(player, self.keys[player], *self.told[player])

    def version(self) -> None:
        moves, own = [], []
        for player in self.dice.sample(range(200), self.dice.choice([0, 1, 3, 20])):
            old = self.keys.pop(player, b"")
            new = b"" if self.dice.random() < 0.15 else old if self.dice.random() < 0.1 else self.draw()
            if new:
                self.keys[player] = new
            moves.append((old, new))
            if player in self.told:
                own.append((player, new))
        self.tracker.apply(moves, [(handle, new, *(self.standing(new) if new else (-1, 0))) for handle, new in own])
        for handle, new in own:
            if not new:
                del self.told[handle]

    def tell(self) -> None:
        for player in self.tracker.changed()[: self.dice.randrange(40)]:
            now = self.standing(self.keys[player])
            assert self.tracker.tell(player) == (*now, *self.told[player])
            self.told[player] = now

    def check(self) -> None:
        order = sorted(self.keys.values())
        now = {
            player: (bisect_left(order, self.keys[player]), bisect_left(order, self.keys[player][:-8]) + 1)
            for player in self.told
        }
        assert {player: self.tracker.place(player) for player in now} == {
            player: (self.keys[player], *place) for player, place in now.items()
        }
        assert len(self.tracker) == len(now)
        assert self.tracker.changed() == [
            player for player in sorted(now, key=self.keys.__getitem__) if now[player] != self.told[player]
        ]


@pytest.mark.parametrize(("columns", "scores"), [(1, 4), (1, 2**64), (2, 3), (4, 2)])
def test_every_place_is_that_of_the_sorted_list_through_thousands_of_steps(
    twin: type[Tracker], columns: int, scores: int
) -> None:
    play = Play(twin(8 * columns + 8), columns, scores, random.Random(columns * 31 + scores % 29))
    for _ in range(STEPS):
        play.dice.choices([play.watch, play.version, play.tell, play.check], [6, 3, 1, 2])[0]()
    assert len(play.told) > 20
    play.check()
