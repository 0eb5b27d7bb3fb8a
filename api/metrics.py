"""The node's numbers as Prometheus text: some are counted as they happen, the rest are read off the parts that hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from realtime.core.fold import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client.metrics_core import Metric

    from api.service import Service
    from realtime.core.ports import Result


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

    def answered(self, results: Sequence[Result]) -> None:
        """Count the results of one request."""
        accepted = sum([isinstance(result, Outcome) for result in results])
        self._accepted.inc(accepted)
        self._refused.inc(len(results) - accepted)

    def render(self, service: Service) -> bytes:
        """The text of now."""
        held = CollectorRegistry()
        held.register(_Held(service))
        return generate_latest(self._registry) + generate_latest(held)


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
        speedups = GaugeMetricFamily("rankcast_speedups", "What sends and tracks: c or python", labels=["in"])
        speedups.add_metric([hub.shell.speedups], 1)
        yield speedups
        yield CounterMetricFamily("rankcast_resyncs", "Times a board was read again to mend a hole", hub.resyncs)
        yield CounterMetricFamily(
            "rankcast_drift", "Times the ranking was ahead of what the node held, unannounced", hub.drift
        )
