from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from api.metrics import Metrics, numbers
from infra.readings import Between, Reading
from realtime.core.announcement import Origin

NOW = 1_760_000_000.0


@pytest.fixture(autouse=True)
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands still: how long the test itself takes is no lag."""
    monkeypatch.setattr("api.metrics.time", SimpleNamespace(time=lambda: NOW))


def service() -> Any:
    fanout = SimpleNamespace(deliveries=40, skipped=5, merged=10, checks=12)
    hub = SimpleNamespace(
        connections=2, watched=3, drift=6, resyncs=7, resumed=8, started=9, asked_again=11, shell=SimpleNamespace()
    )
    hub.shell = SimpleNamespace(fanout=fanout, speedups="c")
    return SimpleNamespace(
        hub=hub, batcher=SimpleNamespace(waiting=1, refused=2), door=SimpleNamespace(refused=3, admitted=2)
    )


def read(metrics: Metrics, at: float = 0.0) -> Reading:
    return Reading.of(metrics.collect(service()), at)


def told() -> list[tuple[str, set[str]]]:
    """Every sample of a node's text, by its name, with the names of its labels."""
    samples = re.findall(r"^(\w+)(?:\{(.*)\})? ", Metrics().render(service()).decode(), re.MULTILINE)
    return [(name, set(re.findall(r'(\w+)="', labels))) for name, labels in samples if not name.endswith("_created")]


def test_the_lag_is_from_the_commit_to_the_moment_when_all_have_it() -> None:
    metrics = Metrics()
    before = read(metrics)
    pushed = metrics.pushing(Origin(round((NOW - 0.4) * 1_000_000)))
    assert Between(before, read(metrics)).observed("rankcast_lag_seconds") == [], "nobody has it yet"
    pushed()
    assert Between(before, read(metrics)).observed("rankcast_lag_seconds") == [(0.5, 1)]


def test_what_was_committed_later_than_now_by_another_clock_took_no_time() -> None:
    metrics = Metrics()
    before = read(metrics)
    metrics.pushing(Origin(round((NOW + 5) * 1_000_000)))()
    assert Between(before, read(metrics)).quantile("rankcast_lag_seconds", 1.0) == 0.002


def test_the_backlog_is_told_as_far_as_it_is_known() -> None:
    metrics = Metrics()
    assert Between(read(metrics), read(metrics)).now("rankcast_queue_age_seconds") is None
    metrics.backlog(3, 1.5)
    between = Between(read(metrics), read(metrics))
    assert (between.now("rankcast_queue_rows"), between.now("rankcast_queue_age_seconds")) == (3, 1.5)


def test_a_node_tells_all_of_this_by_its_heartbeats() -> None:
    metrics = Metrics()
    metrics.pushing(Origin(round((NOW - 0.045) * 1_000_000)))()
    told = numbers(Between(Reading(0.0), read(metrics, 10.0)))
    known = {name: value for name, value in told.items() if value is not None}
    assert known.pop("lag_p50") == known.pop("lag_p99") == pytest.approx(0.05)
    assert known == {
        "connections": 2,
        "boards": 3,
        "waiting": 1,
        "deliveries": 40,
        "deliveries_per_second": 4,
        "merged": 10,
        "skipped": 5,
        "resyncs": 7,
        "drift": 6,
        "refused": 5,
        "accepted": 0,
        "accepted_per_second": 0,
    }


def test_the_text_and_the_reading_have_the_same_names() -> None:
    metrics = Metrics()
    text = metrics.render(service()).decode()
    assert {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")} >= {
        family.name + ("_total" if family.type == "counter" else "") for family in metrics.collect(service())
    }
