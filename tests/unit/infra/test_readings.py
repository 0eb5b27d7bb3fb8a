from __future__ import annotations

import math

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from infra.readings import Between, Reading


class Numbers:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.sent = Counter("sent", "Frames", ["to"], registry=self.registry)
        self.open = Gauge("open", "Connections", registry=self.registry)
        self.lag = Histogram("lag_seconds", "Late", buckets=(0.1, 0.5, 1.0), registry=self.registry)

    def read(self, at: float) -> Reading:
        return Reading.of(self.registry.collect(), at)


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


def test_gauges_are_as_they_are_and_counters_grow(numbers: Numbers) -> None:
    numbers.sent.labels("a").inc(3)
    numbers.open.set(7)
    before = numbers.read(10)
    numbers.sent.labels("a").inc(4)
    numbers.sent.labels("b").inc(6)
    numbers.open.set(5)
    between = Between(before, numbers.read(12))
    assert between.now("open") == 5
    assert (between.more("sent_total"), between.rate("sent_total")) == (10, 5)
    assert (between.more("sent_total", "a"), between.rate("sent_total", "b")) == (4, 3)


def test_what_there_is_not_is_not_told(numbers: Numbers) -> None:
    between = Between(numbers.read(1), numbers.read(1))
    for told in (between.now("none"), between.more("none"), between.more("none", "a"), between.rate("none")):
        assert told is None
    assert between.rate("open") is None, "in no time nothing has a rate"
    numbers.open.set(math.nan)
    assert Between(numbers.read(1), numbers.read(2)).now("open") is None
    assert (between.observed("none"), between.quantile("none", 0.5), between.sample("none", 10)) == ([], None, [])


def test_observations_are_those_since_the_last_reading_by_their_buckets(numbers: Numbers) -> None:
    numbers.lag.observe(0.05)
    before = numbers.read(1)
    for late in (0.05, 0.05, 0.3, 7.0):
        numbers.lag.observe(late)
    between = Between(before, numbers.read(2))
    assert between.observed("lag_seconds") == [(0.1, 2), (0.5, 1), (2.0, 1)], "above all bounds: twice the highest"
    assert [between.quantile("lag_seconds", share) for share in (0.0, 0.5, 0.51, 0.75, 0.99, 1.0)] == [
        *(0.1, 0.1, 0.5, 0.5, 2.0, 2.0)
    ]
    assert between.sample("lag_seconds", 100) == [0.1, 0.1, 0.5, 2.0]


@pytest.mark.parametrize("count", [1, 99, 100, 101, 10_000, 123_457])
def test_of_many_observations_as_many_as_may_be_are_told_and_the_worst_is_among_them(
    numbers: Numbers, count: int
) -> None:
    before = numbers.read(1)
    for _ in range(min(count, 1000)):
        numbers.lag.observe(0.05)
    numbers.lag._buckets[0].inc(max(0, count - 1000))
    numbers.lag.observe(0.7)
    sample = Between(before, numbers.read(2)).sample("lag_seconds", 100)
    assert len(sample) == min(100, count + 1)
    assert (sample[-1], sample.count(1.0)) == (1.0, 1)
