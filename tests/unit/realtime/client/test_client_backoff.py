from __future__ import annotations

from realtime.client.backoff import BASE, CAP, full_jitter


def test_the_bound_doubles_up_to_the_cap() -> None:
    assert [full_jitter(attempt, 1.0) for attempt in (0, 1, 2, 3)] == [BASE, 2 * BASE, 4 * BASE, 8 * BASE]
    assert full_jitter(50, 1.0) == CAP
    assert full_jitter(10_000, 1.0) == CAP


def test_a_wait_lies_anywhere_below_the_bound() -> None:
    assert full_jitter(3, 0.0) == 0
    assert full_jitter(3, 0.25) == 2 * BASE
