"""The node's numbers as Prometheus text: some are counted as they happen, the rest are read off the parts that hold them."""

from __future__ import annotations

import itertools
import math
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from realtime.core.fold import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from prometheus_client.metrics_core import Metric

    from api.service import Service
    from infra.readings import Between
    from realtime.core.announcement import Origin
    from realtime.core.ports import Result

_LAGS: Final = (
    *(0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75),
    *(1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0),
)
_MICROSECONDS: Final = 1_000_000


class Metrics:
    """One registry a node."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        answers = Counter(
            "rankcast_submissions", "Submissions answered, by what became of them", ["result"], registry=self._registry
        )
        self._accepted = answers.labels("accepted")
        self._refused = answers.labels("refused")
        self.batch_rows = Histogram(
            "rankcast_batch_rows",
            "Submissions in one transaction",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
            registry=self._registry,
        )
        self.lag = Histogram(
            "rankcast_lag_seconds",
            "From the end of a commit's transaction until every watcher in step was handed what it changed",
            buckets=_LAGS,
            registry=self._registry,
        )
        self.queue_age = Gauge(
            "rankcast_queue_age_seconds",
            "For how long the oldest row of the outbox waits to be applied; NaN while that cannot be known",
            registry=self._registry,
        )
        self.queue_rows = Gauge(
            "rankcast_queue_rows", "Rows of the outbox that wait to be applied", registry=self._registry
        )
        self.backlog(math.nan, math.nan)
        ProcessCollector(registry=self._registry)

    def answered(self, results: Sequence[Result]) -> None:
        """Count the results of one request."""
        accepted = sum([isinstance(result, Outcome) for result in results])
        self._accepted.inc(accepted)
        self._refused.inc(len(results) - accepted)

    def backlog(self, rows: float, age: float) -> None:
        """How many rows of the outbox wait, and for how many seconds the oldest."""
        self.queue_rows.set(rows)
        self.queue_age.set(age)

    def pushing(self, origin: Origin) -> Callable[[], None]:
        """Told before a version is handed to sockets, and what it answers when all have it: so late it was."""
        return partial(self._pushed, origin.at)

    def _pushed(self, at: int) -> None:
        # The store's clock and ours: where they differ by more than it took, it took no time.
        self.lag.observe(max(0.0, time.time() - at / _MICROSECONDS))

    def collect(self, service: Service) -> Iterator[Metric]:
        """Everything, as of now."""
        return itertools.chain(self._registry.collect(), _Held(service).collect())

    def render(self, service: Service) -> bytes:
        """The text of now."""
        held = CollectorRegistry()
        held.register(_Held(service))
        return generate_latest(self._registry) + generate_latest(held)


def numbers(between: Between) -> Mapping[str, float | None]:
    """What a node tells of itself by heartbeats: totals since its start, and rates and lags since the last beat."""
    return {
        "connections": between.now("rankcast_connections"),
        "boards": between.now("rankcast_boards_followed"),
        "waiting": between.now("rankcast_submissions_waiting"),
        "deliveries": between.now("rankcast_deliveries_total"),
        "deliveries_per_second": between.rate("rankcast_deliveries_total"),
        "merged": between.now("rankcast_merged_total"),
        "skipped": between.now("rankcast_skipped_total"),
        "resyncs": between.now("rankcast_resyncs_total"),
        "drift": between.now("rankcast_drift_total"),
        "refused": between.now("rankcast_refused_total"),
        "accepted": between.after.labelled.get(("rankcast_submissions_total", "accepted")),
        "accepted_per_second": between.rate("rankcast_submissions_total", "accepted"),
        "lag_p50": between.quantile("rankcast_lag_seconds", 0.5),
        "lag_p99": between.quantile("rankcast_lag_seconds", 0.99),
    }


class _Held:
    """What the node's parts hold at the moment they are asked."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        hub, batcher = self._service.hub, self._service.batcher
        yield GaugeMetricFamily("rankcast_connections", "Live connections", hub.connections)
        yield GaugeMetricFamily("rankcast_boards_followed", "Boards that this node follows", hub.watched)
        yield GaugeMetricFamily(
            "rankcast_submissions_waiting", "Submissions that wait for a transaction", batcher.waiting
        )
        fanout = hub.shell.fanout
        yield CounterMetricFamily("rankcast_deliveries", "Frames handed to connections", fanout.deliveries)
        yield CounterMetricFamily(
            "rankcast_skipped", "Frames not handed to a full socket, merged later", fanout.skipped
        )
        yield CounterMetricFamily("rankcast_merged", "Frames that brought a full socket forward", fanout.merged)
        yield CounterMetricFamily("rankcast_checks", "Checks sent, each to all who watch a topic", fanout.checks)
        yield CounterMetricFamily(
            "rankcast_asked_again",
            "Topics asked for again by clients that found themselves out of step",
            hub.asked_again,
        )
        subscribed = CounterMetricFamily(
            "rankcast_subscribed", "Subscriptions, by whether they were led on or told afresh", labels=["mode"]
        )
        subscribed.add_metric(["resumed"], hub.resumed)
        subscribed.add_metric(["snapshot"], hub.started)
        yield subscribed
        refused = CounterMetricFamily(
            "rankcast_refused", "Handshakes and submissions refused for want of room", labels=["what"]
        )
        refused.add_metric(["handshakes"], self._service.door.refused)
        refused.add_metric(["submissions"], batcher.refused)
        yield refused
        speedups = GaugeMetricFamily("rankcast_speedups", "What sends and tracks: c or python", labels=["in"])
        speedups.add_metric([hub.shell.speedups], 1)
        yield speedups
        yield CounterMetricFamily("rankcast_resyncs", "Times a board was read again to mend a hole", hub.resyncs)
        yield CounterMetricFamily(
            "rankcast_drift", "Times the ranking was ahead of what the node held, unannounced", hub.drift
        )
