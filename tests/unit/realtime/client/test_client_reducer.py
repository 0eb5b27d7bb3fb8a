from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.client.reducer import OutOfStep, State, apply_check, apply_delta, checksum, from_snapshot
from realtime.core import delta, messages
from realtime.core.model import BoardSpec, Column, RankMode, Row
from realtime.core.points import AroundPoint
from realtime.core.window import Window

TOPIC = "b/top/10"
LIMIT = 10


def row(player: str, score: int, seq: int, name: str = "") -> Row:
    # Descending by score, then by who was first: what a sort key does.
    return Row(player, (-score).to_bytes(9, "big", signed=True) + seq.to_bytes(8, "big"), (score,), seq, name or player)


def wire(frame: bytes) -> dict[str, Any]:
    return orjson.loads(frame)


def snapshot(window: Window, mode: RankMode = RankMode.COMPETITION) -> dict[str, Any]:
    return wire(messages.snapshot(TOPIC, window, LIMIT, mode))


def step(before: Window, after: Window) -> dict[str, Any]:
    ops = delta.diff(before.rows[:LIMIT], after.rows[:LIMIT])
    return wire(messages.delta(TOPIC, after, before.version, ops))


def check(window: Window) -> dict[str, Any]:
    return wire(messages.check(TOPIC, window, LIMIT))


ONE = Window(7, 3, 3, (row("ann", 30, 1), row("bob", 20, 2), row("cid", 20, 3)))
TWO = Window(7, 5, 4, (row("bob", 40, 4), row("ann", 30, 1), row("dee", 25, 5, "Dee"), row("cid", 20, 3)))


@pytest.fixture
def state() -> State:
    return from_snapshot(snapshot(ONE))


def test_a_snapshot_is_a_state_with_its_ranks(state: State) -> None:
    assert (state.epoch, state.version, state.total) == (7, 3, 3)
    assert [(entry.rank, entry.player, entry.score) for entry in state.entries] == [
        (1, "ann", (30,)),
        (2, "bob", (20,)),
        (2, "cid", (20,)),
    ]


def test_ordinal_ranks_are_places() -> None:
    state = from_snapshot(snapshot(ONE, RankMode.ORDINAL))
    assert [entry.rank for entry in state.entries] == [1, 2, 3]


def test_scores_beyond_what_a_number_carries_are_exact() -> None:
    best = Window(1, 1, 1, (Row("ann", b"k", (2**63 - 1, -(2**63)), 2**60, "ann"),))
    state = from_snapshot(snapshot(best))
    assert state.entries[0].score == (2**63 - 1, -(2**63))


def test_a_delta_leads_to_what_a_fresh_snapshot_says(state: State) -> None:
    assert apply_delta(state, step(ONE, TWO)).entries == from_snapshot(snapshot(TWO)).entries


def test_a_delta_leaves_the_old_state_as_it_was(state: State) -> None:
    before = [dict(each) for each in state.rows]
    apply_delta(state, step(ONE, TWO))
    assert list(state.rows) == before


def test_a_delta_that_does_not_follow_is_out_of_step(state: State) -> None:
    with pytest.raises(OutOfStep, match="a delta from 4 at 3"):
        apply_delta(state, {**step(ONE, TWO), "from": 4})


def test_a_delta_of_another_epoch_is_out_of_step(state: State) -> None:
    with pytest.raises(OutOfStep, match="epoch 8 after 7"):
        apply_delta(state, {**step(ONE, TWO), "epoch": 8})


@pytest.mark.parametrize(
    "ops",
    [
        [["out", 3]],
        [["out", -1]],
        [["in", 4, {}]],
        [["move", 3, 0, {}]],
        [["move", 0, 3, {}]],
        [["set", 3, {}]],
        [["set", 0, None]],
        [["out", 0], ["out", 2]],
        [["fly", 0]],
        [["out", "0"]],
    ],
)
def test_an_operation_that_does_not_fit_is_out_of_step(state: State, ops: list[list[object]]) -> None:
    with pytest.raises(OutOfStep, match="does not fit a list of"):
        apply_delta(state, {**step(ONE, TWO), "ops": ops})


def test_a_check_carries_version_and_total_forward(state: State) -> None:
    later = apply_check(state, check(dataclasses.replace(ONE, version=9, total=55)))
    assert (later.version, later.total, later.rows) == (9, 55, state.rows)


def test_a_check_of_what_is_held_is_nothing_new(state: State) -> None:
    assert apply_check(state, check(ONE)) is state


def test_a_check_over_another_list_is_out_of_step(state: State) -> None:
    with pytest.raises(OutOfStep, match="the list differs at 5"):
        apply_check(state, check(TWO))


def test_a_check_older_than_our_snapshot_says_nothing(state: State) -> None:
    assert apply_check(state, {**check(TWO), "version": 2}) is state


def test_a_check_of_another_epoch_is_out_of_step(state: State) -> None:
    with pytest.raises(OutOfStep, match="epoch 8 after 7"):
        apply_check(state, {**check(ONE), "epoch": 8})


def test_the_checksum_is_the_nodes_own_also_for_names_beyond_ascii() -> None:
    window = Window(1, 1, 1, (row("ann", 1, 1, "安\t🎈"),))
    assert checksum(from_snapshot(snapshot(window)).rows) == messages.checksum(window.rows)


def test_a_snapshot_that_lacks_a_field_is_out_of_step() -> None:
    message = snapshot(ONE)
    del message["total"]
    with pytest.raises(OutOfStep, match="cannot read"):
        from_snapshot(message)


def test_a_delta_lifts_no_staleness(state: State) -> None:
    assert apply_delta(dataclasses.replace(state, stale=True), step(ONE, TWO)).stale


@st.composite
def histories(draw: st.DrawFn) -> list[Window]:
    """Boards over a few players, each version a few changes after the one before."""
    rows: dict[str, Row] = {}
    windows = []
    seq = 0
    for version in range(1, draw(st.integers(2, 8)) + 1):
        for player in draw(st.lists(st.sampled_from("abcdefghijklmnop"), max_size=5)):
            seq += 1
            if draw(st.booleans()) or player not in rows:
                rows[player] = row(player, draw(st.integers(-3, 3)), seq, draw(st.sampled_from(["", "x", "ü"])))
            else:
                del rows[player]
        ordered = tuple(sorted(rows.values(), key=lambda each: each.key))
        windows.append(Window(1, version, len(rows), ordered))
    return windows


@given(histories(), st.sampled_from(RankMode))
def test_a_snapshot_and_its_deltas_equal_every_fresh_snapshot(windows: list[Window], mode: RankMode) -> None:
    state = from_snapshot(snapshot(windows[0], mode))
    for before, after in itertools.pairwise(windows):
        state = apply_delta(state, step(before, after))
        fresh = from_snapshot(snapshot(after, mode))
        assert state.entries == fresh.entries
        assert (state.version, state.total) == (fresh.version, fresh.total)
        assert [entry.rank for entry in state.entries] == [each["rank"] for each in snapshot(after, mode)["entries"]]
        assert apply_check(state, check(after)) == state


# -- around a player -----------------------------------------------------------------------------------------------------

AROUND = messages.Around("c", 2)
SPEC = BoardSpec(title="", columns=(Column("points"),))


def in_mode(point: AroundPoint, mode: RankMode) -> AroundPoint:
    return dataclasses.replace(point, spec=dataclasses.replace(SPEC, ranks=mode))


def stretch(window: Window, player: str = "c", radius: int = 2) -> AroundPoint:
    """The rows around a player, with the position and the shared rank of the first; nothing where it is not ranked."""
    place = next((place for place, one in enumerate(window.rows) if one.player == player), None)
    if place is None:
        return AroundPoint(window.epoch, window.version, window.total, SPEC)
    start = max(0, place - radius)
    ahead = sum(one.score > window.rows[start].score for one in window.rows)
    rows = window.rows[start : place + radius + 1]
    return AroundPoint(window.epoch, window.version, window.total, SPEC, start, ahead + 1, rows)


def snapshot_around(point: AroundPoint, mode: RankMode = RankMode.COMPETITION) -> dict[str, Any]:
    return wire(messages.snapshot_around("b/around/c/2", AROUND, in_mode(point, mode)))


def step_around(before: AroundPoint, after: AroundPoint, mode: RankMode = RankMode.COMPETITION) -> dict[str, Any]:
    ops = delta.diff(before.rows, after.rows)
    return wire(messages.delta_around("b/around/c/2", in_mode(after, mode), before.version, ops))


@pytest.mark.parametrize(("mode", "ranks"), [(RankMode.COMPETITION, [3, 7]), (RankMode.ORDINAL, [6, 7])])
def test_a_first_row_may_share_its_rank_with_rows_that_are_not_shown(mode: RankMode, ranks: list[int]) -> None:
    state = from_snapshot(snapshot_around(AroundPoint(7, 3, 50, SPEC, 5, 3, (row("b", 30, 1), row("c", 20, 2))), mode))
    assert state.position == 5
    assert [entry.rank for entry in state.entries] == ranks


def test_a_stretch_that_only_moved_has_other_ranks() -> None:
    before = AroundPoint(7, 3, 50, SPEC, 5, 3, (row("b", 30, 1), row("c", 20, 2)))
    after = dataclasses.replace(before, version=4, position=6, rank=4)
    state = apply_delta(from_snapshot(snapshot_around(before)), step_around(before, after))
    assert (state.position, [entry.rank for entry in state.entries]) == (6, [4, 8])


def test_around_a_player_who_is_not_ranked_there_is_nothing() -> None:
    nothing = AroundPoint(7, 3, 50, SPEC)
    state = from_snapshot(snapshot_around(nothing))
    assert (state.position, state.first_rank, state.entries) == (None, None, [])
    assert apply_check(state, wire(messages.check_around("", dataclasses.replace(nothing, version=4)))).version == 4


def test_a_check_of_a_stretch_that_begins_elsewhere_is_out_of_step() -> None:
    point = AroundPoint(7, 3, 50, SPEC, 5, 3, (row("c", 20, 2),))
    state = from_snapshot(snapshot_around(point))
    with pytest.raises(OutOfStep, match="begins elsewhere at 4"):
        apply_check(state, wire(messages.check_around("", dataclasses.replace(point, version=4, position=6))))


@given(histories(), st.sampled_from(RankMode))
def test_a_stretch_and_its_deltas_equal_every_fresh_one(windows: list[Window], mode: RankMode) -> None:
    points = [stretch(window) for window in windows]
    state = from_snapshot(snapshot_around(points[0], mode))
    for before, after in itertools.pairwise(points):
        state = apply_delta(state, step_around(before, after, mode))
        fresh = from_snapshot(snapshot_around(after, mode))
        assert (state.version, state.total, state.position) == (fresh.version, fresh.total, fresh.position)
        assert state.entries == fresh.entries
        assert [entry.rank for entry in state.entries] == [
            one["rank"] for one in snapshot_around(after, mode)["entries"]
        ]
        assert apply_check(state, wire(messages.check_around("", after))) == state
