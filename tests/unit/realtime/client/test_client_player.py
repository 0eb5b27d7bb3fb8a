from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from realtime.client.player import PlayerState, apply_player_check, apply_rank, from_rank, player_checksum
from realtime.client.reducer import OutOfStep
from realtime.core import messages
from realtime.core.points import PlayerPoint
from tests.unit.realtime.client.node import PLAYER, rank, stand


def wire(frame: bytes) -> dict[str, Any]:
    message: dict[str, Any] = orjson.loads(frame)
    return message


def check(point: PlayerPoint) -> dict[str, Any]:
    return wire(messages.check_player(PLAYER, "ann", point))


ONE, TWO = stand(3, 12), stand(9, 14, of=60)


@pytest.fixture
def state() -> PlayerState:
    return from_rank(wire(rank(ONE)))


def test_a_rank_that_stands_alone_is_a_state(state: PlayerState) -> None:
    assert state == PlayerState(
        topic=PLAYER, player="ann", epoch=1, version=3, of=50, rank=12, position=11, score=(88,), seq=7
    )


def test_a_player_who_is_not_ranked_has_none_of_it() -> None:
    state = from_rank(wire(rank(stand(3, None))))
    assert (state.rank, state.position, state.score, state.seq, state.of) == (None, None, None, None, 50)
    assert player_checksum(state) == 0


def test_columns_beyond_what_a_number_carries_are_exact() -> None:
    message = {**wire(rank(ONE)), "score": [str(2**63 - 1), 5]}
    assert from_rank(message).score == (2**63 - 1, 5)


def test_a_rank_leads_on_from_the_version_held(state: PlayerState) -> None:
    after = apply_rank(replace(state, stale=True), wire(rank(TWO, ONE, "bob")))
    assert (after.version, after.rank, after.of, after.moved, after.passed_by) == (9, 14, 60, -2, ("bob",))
    assert after.stale


@pytest.mark.parametrize("change", [{"from": 2}, {"from": 4}, {"epoch": 2}, {"from": 8, "epoch": 2}], ids=str)
def test_a_rank_that_does_not_follow_is_out_of_step(state: PlayerState, change: dict[str, int]) -> None:
    with pytest.raises(OutOfStep):
        apply_rank(state, {**wire(rank(TWO, ONE)), **change})


def test_a_rank_that_leads_on_is_no_beginning() -> None:
    with pytest.raises(OutOfStep, match="nothing is held"):
        from_rank(wire(rank(TWO, ONE)))


def test_a_rank_of_another_epoch_that_stands_alone_replaces_what_was_held(state: PlayerState) -> None:
    after = apply_rank(replace(state, stale=True), wire(rank(stand(1, 2, epoch=2))))
    assert (after.epoch, after.version, after.rank, after.stale) == (2, 1, 2, False)


@pytest.mark.parametrize("field", ["of", "seq", "passed_by", "epoch"])
def test_a_rank_that_lacks_a_field_is_out_of_step(field: str) -> None:
    message = wire(rank(ONE))
    del message[field]
    with pytest.raises(OutOfStep, match="cannot read"):
        from_rank(message)


def test_a_check_of_what_is_held_is_nothing_new(state: PlayerState) -> None:
    assert apply_player_check(state, check(ONE)) is state


def test_a_check_carries_version_and_total_forward_and_says_that_nothing_happened(state: PlayerState) -> None:
    before = replace(state, moved=-2, passed_by=("bob",))
    after = apply_player_check(before, check(ONE._replace(version=20, total=70)))
    assert after == replace(state, version=20, of=70)


@pytest.mark.parametrize("point", [stand(5, 13), stand(5, 12, seq=8), stand(5, None)])
def test_a_check_of_another_standing_is_out_of_step(state: PlayerState, point: PlayerPoint) -> None:
    with pytest.raises(OutOfStep, match="stands elsewhere at 5"):
        apply_player_check(state, check(point))


def test_a_check_whose_rank_alone_differs_is_out_of_step(state: PlayerState) -> None:
    with pytest.raises(OutOfStep):
        apply_player_check(state, {**check(ONE), "rank": 11})


def test_a_check_older_than_what_is_held_says_nothing(state: PlayerState) -> None:
    assert apply_player_check(state, check(stand(2, 40))) is state


def test_a_check_of_another_epoch_is_out_of_step(state: PlayerState) -> None:
    with pytest.raises(OutOfStep, match="epoch 2 after 1"):
        apply_player_check(state, check(stand(3, 12, epoch=2)))


def test_a_check_of_a_player_who_is_not_ranked_is_of_nothing() -> None:
    state = from_rank(wire(rank(stand(3, None))))
    assert apply_player_check(state, check(stand(4, None))).version == 4
