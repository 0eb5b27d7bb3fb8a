from __future__ import annotations

import time

from infra.readings import Between, Reading
from realtime.core.letters import Letter
from workers.metrics import Metrics, numbers


def ago(seconds: float) -> int:
    return round((time.time() - seconds) * 1_000_000)


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
