from __future__ import annotations

from infra.cli.pace import Pace


def test_an_event_is_due_at_its_second_divided_by_the_speed() -> None:
    pace = Pace(origin=100, started=7, speed=10)
    assert pace.wait(100, now=7) == 0
    assert pace.wait(150, now=7) == 5
    assert pace.wait(150, now=10) == 2


def test_what_is_late_is_due_at_once() -> None:
    assert Pace(origin=0, started=0, speed=1).wait(5, now=9) == 0


def test_speed_0_waits_never() -> None:
    assert Pace(origin=0, started=0, speed=0).wait(1e9, now=0) == 0
