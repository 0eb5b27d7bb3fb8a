from __future__ import annotations

from types import SimpleNamespace

import pytest

from infra.readings import Between, Reading
from realtime.core.letters import Letter
from workers.metrics import Metrics, numbers

NOW = 1_760_000_000.0


@pytest.fixture(autouse=True)
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands still: how long the test itself takes is no lag."""
    monkeypatch.setattr("workers.metrics.time", SimpleNamespace(time=lambda: NOW))


def ago(seconds: float) -> int:
    return round((NOW - seconds) * 1_000_000)


def test_the_lag_is_from_each_commit_until_it_was_applied() -> None:
    metrics = Metrics()
    before = Reading.of(metrics.collect(), 0.0)
    metrics.took(7, [Letter(1, b"", None, ago(0.4)), Letter(2, b"", None, ago(-9)), Letter(3, b"")])
    metrics.put_aside.inc()
    metrics.rebuilds.inc(2)
    between = Between(before, Reading.of(metrics.collect(), 10.0))
    assert between.observed("rankcast_apply_lag_seconds") == [(0.002, 1), (0.5, 1)]
    assert numbers(between) == {
        "applied": 7,
        "applied_per_second": 0.7,
        "put_aside": 1,
        "rebuilds": 2,
        "lag_p50": 0.002,
        "lag_p99": 0.5,
    }
