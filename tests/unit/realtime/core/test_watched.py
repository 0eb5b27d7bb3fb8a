"""Watched players against a sorted list of keys, over both trackers."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from realtime.core import sortkey
from realtime.core.announcement import Move
from realtime.core.errors import SettingInvalid
from realtime.core.passing import MoveLog
from realtime.core.tracker import Tracker
from realtime.core.watched import Place, Watched, stood
from realtime.gateway.speedups import choose
from tests.changes import COLUMNS, WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from realtime.core.watched import Tracking

    Make = Callable[[int], Tracking]

PLAYERS = 12
ABSENT = b""
SCORES = st.lists(
    st.lists(
        st.tuples(st.integers(0, PLAYERS - 1), st.integers(0, 4)), min_size=1, max_size=5, unique_by=lambda one: one[0]
    ),
    min_size=1,
    max_size=12,
)
# The fixture is the class of a tracker: it carries nothing from one example to the next.
shared_fixture = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["python", "c"])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param == "python":
        return Tracker
    try:
        return choose("c").tracker
    except SettingInvalid as missing:
        pytest.skip(str(missing))


class Naive:
    """A board as sorted lists: `states[v]` by player the place at version v, `moves[v]` what led there, `keys[v]` all keys."""

    def __init__(self, versions: list[list[tuple[int, int]]]) -> None:
        self._board: dict[str, bytes] = {}
        self._seq = 0
        self.moves: dict[int, list[Move]] = {}
        self.keys: list[list[bytes]] = []
        self.states: list[dict[str, Place | None]] = []
        self._remember()
        self.apply([(number, number % 4) for number in range(0, PLAYERS, 2)])
        for scores in versions:
            self.apply(scores)
        self.newest = len(self.states) - 1

    def apply(self, scores: list[tuple[int, int]]) -> None:
        """A score of 0 takes the player off."""
        keys = {}
        for number, solved in scores:
            self._seq += 1
            keys[f"p{number}"] = sortkey.encode(COLUMNS, (solved, 0), self._seq) if solved else ABSENT
        old = {player: self._board.pop(player, ABSENT) for player in keys}
        self._board.update({player: key for player, key in keys.items() if key})
        self._remember()
        self.moves[len(self.states) - 1] = [
            Move(
                player, old[player], key, *((place.position, place.rank) if (place := self._place(player)) else (-1, 0))
            )
            for player, key in keys.items()
            if old[player] != key
        ]

    def _remember(self) -> None:
        self.keys.append(sorted(self._board.values()))
        self.states.append({f"p{number}": self._place(f"p{number}") for number in range(PLAYERS)})

    def _place(self, player: str) -> Place | None:
        key = self._board.get(player)
        return None if key is None else place_in(self.keys[-1], key)

    def log(self, since: int = 0) -> MoveLog:
        log = MoveLog()
        for version in range(since + 1, self.newest + 1):
            log.append(version, self.moves[version])
        return log


def place_in(keys: list[bytes], key: bytes) -> Place:
    """Where a key stands, or would stand."""
    columns = [sortkey.columns_of(one) for one in keys]
    return Place(key, bisect_left(keys, key), bisect_left(columns, sortkey.columns_of(key)) + 1)


def all_of(watched: Watched, players: list[str]) -> dict[str, Place | None]:
    return {player: watched.place(player) for player in players}


@shared_fixture
@given(versions=SCORES, data=st.data())
def test_whoever_is_watched_stands_where_the_sorted_list_has_it(
    make: Make, versions: list[list[tuple[int, int]]], data: st.DataObject
) -> None:
    """Who is watched comes and goes, so that handles are used again."""
    naive = Naive(versions)
    watched = Watched(make, WIDTH)
    names: set[str] = set()
    for version in range(1, naive.newest + 1):
        own = watched.apply(naive.moves[version])
        assert own == [move for move in naive.moves[version] if move.player in names]
        state = naive.states[version]
        assert all_of(watched, list(names)) == {player: state[player] for player in names}
        for player in data.draw(st.sets(st.sampled_from(sorted(state)), max_size=3)):
            if player in watched:
                watched.remove(player)
                names.remove(player)
            else:
                watched.add(player, state[player])
                names.add(player)
        assert len(watched) == len(names)


@shared_fixture
@given(versions=SCORES, data=st.data())
def test_who_stood_so_after_a_version_is_brought_to_where_the_newest_has_it(
    make: Make, versions: list[list[tuple[int, int]]], data: st.DataObject
) -> None:
    naive = Naive(versions)
    since = data.draw(st.integers(0, naive.newest))
    watched = Watched(make, WIDTH)
    brought = watched.brought(naive.states[since].items(), naive.log(data.draw(st.integers(0, since))), since)
    assert brought == naive.states[naive.newest]
    assert len(watched) == 0


@shared_fixture
@given(versions=SCORES, data=st.data())
def test_where_keys_stood_is_worked_out_from_where_they_stand(
    make: Make, versions: list[list[tuple[int, int]]], data: st.DataObject
) -> None:
    """Keys of those who have not moved, and keys that are nobody's any more."""
    naive = Naive(versions)
    every = sorted({key for keys in naive.keys for key in keys})
    asked = data.draw(
        st.lists(st.tuples(st.sampled_from(every), st.integers(0, naive.newest)), max_size=8), label="key, version"
    )
    reached = min((version for _, version in asked), default=0)
    log = naive.log(data.draw(st.integers(0, reached)))
    found = stood(make, WIDTH, [(place_in(naive.keys[-1], key), version) for key, version in asked], log)
    assert found == [place_in(naive.keys[version], key) for key, version in asked]


# -- what was told --------------------------------------------------------------------------------------------------


def board_of(make: Make, *names: str) -> tuple[Watched, list[bytes]]:
    keys: list[bytes] = []
    for seq, _ in enumerate(names, 1):
        insort(keys, sortkey.encode(COLUMNS, (100 - seq, 0), seq))
    watched = Watched(make, WIDTH)
    for key, name in zip(keys, names, strict=True):
        watched.add(name, place_in(keys, key))
    return watched, keys


def leader(position: int = 0) -> Move:
    return Move("new", ABSENT, sortkey.encode(COLUMNS, (1000, 0), 99), position, position + 1)


def test_who_stands_elsewhere_than_was_told_is_named_best_first_until_it_is_told(make: Make) -> None:
    watched, keys = board_of(make, "ada", "bob", "eve")
    assert watched.news() == []
    watched.apply([leader()])
    assert watched.tell("bob") == watched.place("bob") == Place(keys[1], 2, 3)
    assert watched.news() == [("ada", Place(keys[0], 1, 2)), ("eve", Place(keys[2], 3, 4))]
    assert watched.news() == []


def test_who_is_not_ranked_is_watched_until_it_is(make: Make) -> None:
    watched, _ = board_of(make, "ada")
    watched.add("new", None)
    assert (watched.place("new"), watched.tell("new"), "new" in watched) == (None, None, True)
    assert watched.apply([leader()]) == [leader()]
    assert watched.place("new") == Place(leader().new, 0, 1)


def test_who_leaves_the_board_is_watched_on_and_its_handle_goes_to_another(make: Make) -> None:
    watched, keys = board_of(make, "ada", "bob")
    watched.apply([Move("ada", keys[0], ABSENT, -1, 0)])
    assert watched.place("ada") is None
    watched.apply([leader()])
    watched.add("new", Place(leader().new, 0, 1))
    watched.apply([Move("ada", ABSENT, keys[0], 1, 2)])
    assert all_of(watched, ["new", "ada", "bob"]) == {
        "new": Place(leader().new, 0, 1),
        "ada": Place(keys[0], 1, 2),
        "bob": Place(keys[1], 2, 3),
    }


def test_a_new_name_is_a_move_of_ones_own_and_changes_no_place(make: Make) -> None:
    watched, keys = board_of(make, "ada", "bob")
    renamed = Move("ada", keys[0], keys[0], 0, 1)
    assert watched.apply([renamed]) == [renamed]
    assert watched.news() == []


def test_who_comes_and_goes_a_thousand_times_takes_one_handle(make: Make) -> None:
    watched, keys = board_of(make, "ada", "bob")
    for _ in range(1000):
        watched.apply([Move("ada", keys[0], ABSENT, -1, 0)])
        watched.apply([Move("ada", ABSENT, keys[0], 0, 1)])
    watched.remove("bob")
    watched.add("bob", Place(keys[1], 1, 2))
    assert len(watched._names) == 2


def test_who_is_not_watched_has_no_place(make: Make) -> None:
    watched, _ = board_of(make, "ada")
    ask: Any
    for ask in (watched.place, watched.tell):
        with pytest.raises(KeyError):
            ask("bob")
    watched.remove("bob")
    watched.remove("ada")
    assert "ada" not in watched
    assert watched.apply([leader()]) == []
