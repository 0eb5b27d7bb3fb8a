from __future__ import annotations

from typing import Any

import orjson
import pytest

from realtime.client.player import PlayerState
from realtime.client.reducer import OutOfStep, State
from realtime.client.topic import follow, stands_alone
from realtime.core import messages
from tests.unit.realtime.client.node import PLAYER, TOPIC, rank, renamed, snapshot, stand, window


def wire(frame: bytes) -> dict[str, Any]:
    message: dict[str, Any] = orjson.loads(frame)
    return message


LIST = follow(None, wire(snapshot(3, "ann")))
STANDING = follow(None, wire(rank(stand(3, 12))))
AWAY = wire(messages.stale(TOPIC, 1_893_456_000))
BACK = wire(messages.fresh(TOPIC))


def test_a_list_is_followed_by_deltas_and_checks() -> None:
    held = follow(LIST, wire(renamed(3, 4, "Ann")))
    assert isinstance(held, State)
    assert held.rows[0]["name"] == "Ann"
    assert follow(LIST, wire(messages.check(TOPIC, window(9, "ann"), 10))).version == 9


def test_a_player_is_followed_by_ranks_and_checks() -> None:
    held = follow(STANDING, wire(rank(stand(4, 11), stand(3, 12))))
    assert isinstance(held, PlayerState)
    assert held.rank == 11
    assert follow(STANDING, wire(messages.check_player(PLAYER, "ann", stand(9, 12)))).version == 9


@pytest.mark.parametrize("held", [LIST, STANDING])
def test_staleness_is_set_and_lifted_by_its_messages(held: State | PlayerState) -> None:
    away = follow(held, AWAY)
    assert away.stale
    assert follow(away, AWAY) is away
    assert follow(away, BACK) == held


def test_snapshots_and_ranks_of_one_version_stand_alone() -> None:
    assert stands_alone(wire(snapshot(3, "ann")))
    assert stands_alone(wire(rank(stand(3, 12))))
    assert not stands_alone(wire(rank(stand(4, 12), stand(3, 12))))
    assert not stands_alone(wire(renamed(3, 4, "Ann")))


@pytest.mark.parametrize(
    ("held", "message"),
    [
        (None, wire(renamed(3, 4, "Ann"))),
        (None, wire(rank(stand(4, 12), stand(3, 12)))),
        (None, AWAY),
        (STANDING, wire(renamed(3, 4, "Ann"))),
        (LIST, wire(rank(stand(4, 12), stand(3, 12)))),
    ],
)
def test_what_does_not_fit_what_is_held_is_out_of_step(
    held: State | PlayerState | None, message: dict[str, Any]
) -> None:
    with pytest.raises(OutOfStep):
        follow(held, message)
