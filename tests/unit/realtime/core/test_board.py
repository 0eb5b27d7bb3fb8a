from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.core.board import BoardState
from realtime.core.model import WINDOW, Change
from tests.changes import COLUMNS, gone, random_batches, ranked, renamed, shuffled

seeds = st.integers(0, 2**32)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_any_order_and_any_repetition_of_deliveries_ends_in_the_same_state(seed: int) -> None:
    dice = random.Random(seed)
    batches = random_batches(dice, batches=15, players=12)
    changes = [change for batch in batches for change in batch]
    straight = BoardState(COLUMNS, 1)
    for batch in batches:
        straight.apply(batch)
    mixed = shuffled(dice, [*changes, *dice.sample(changes, len(changes) // 2)])
    other = BoardState(COLUMNS, 1)
    while mixed:
        size = dice.randint(1, 9)
        other.apply(mixed[:size])
        mixed = mixed[size:]
    assert (other.members, other.records) == (straight.members, straight.records)
    loaded = BoardState(COLUMNS, 1)
    loaded.load(shuffled(dice, changes))
    assert (loaded.members, loaded.records, loaded.version) == (straight.members, straight.records, 1)


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from([8, WINDOW + 30]))
def test_members_and_records_and_standings_agree_with_brute_force(seed: int, players: int) -> None:
    state = BoardState(COLUMNS, 1)
    for batch in random_batches(random.Random(seed), batches=10, players=players, largest=40):
        state.apply(batch)
    there = sorted(
        ((-row.score[0], row.score[1], row.seq, row.player), row) for row in state.stretch(0, len(state.members))
    )
    assert [row.player for _, row in there] == [row.player for row in state.stretch(0, 10_000)]
    assert {row.player for _, row in there} == {player for player, change in state.records.items() if change.key}
    for position, (_, row) in enumerate(there):
        standing = state.standing(row.player)
        assert standing is not None
        ahead = sum(1 for _, other in there if (-other.score[0], other.score[1]) < (-row.score[0], row.score[1]))
        assert (standing.row, standing.position, standing.rank) == (row, position, ahead + 1)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_net_moves_lead_from_the_board_before_to_the_board_after(seed: int) -> None:
    state = BoardState(COLUMNS, 1)
    for batch in random_batches(random.Random(seed), batches=12, players=20):
        before = {player: change.key for player, change in state.records.items()}
        announced = state.apply(batch)
        after = {player: change.key for player, change in state.records.items()}
        changed = {player for player, key in after.items() if key != before.get(player, b"")}
        if announced is None:
            assert not changed
            continue
        _, moved, _ = announced
        shown = {move.player for move in moved.moves if move.old == move.new}
        assert {move.player for move in moved.moves} - shown == changed
        for move in moved.moves:
            assert (move.old, move.new) == (before.get(move.player, b""), after[move.player])
            standing = state.standing(move.player)
            place = (standing.position, standing.rank) if standing else (-1, 0)
            assert (move.position, move.rank) == place


@pytest.mark.parametrize(
    "idle",
    [[], [ranked("ada", 3, seq=5)], [ranked("ada", 9, seq=4)], [gone("bob", seq=9)], [renamed("bob", profile_seq=9)]],
)
def test_where_nothing_shows_there_is_no_version(idle: list[Change]) -> None:
    state = BoardState(COLUMNS, 1)
    state.apply([ranked("ada", 3, seq=5)])
    assert state.apply(idle) is None
    assert state.version == 2


def test_who_is_not_ranked_has_no_standing() -> None:
    state = BoardState(COLUMNS, 1)
    state.apply([gone("ada", seq=1)])
    assert state.standing("ada") is None
    assert state.standing("bob") is None
