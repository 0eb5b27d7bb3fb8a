"""Numbers as lines in CloudWatch's embedded metric format: the log group's, or the agent's, to make metrics of.

They are those of the Prometheus registry: what happened since the last line.
"""

from __future__ import annotations

import socket
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

import orjson

from realtime.core.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.readings import Between

NAMESPACE: Final = "Rankcast"
MOST: Final = 100
"""Numbers of one metric in one line: CloudWatch takes no more."""


class Told(NamedTuple):
    """A metric as CloudWatch knows it, and the sample of the registry that it is made of."""

    name: str
    unit: str
    how: Literal["now", "more", "rate", "sample"]
    source: str


METRICS: Final = (
    Told("Connections", "Count", "now", "rankcast_connections"),
    Told("Deliveries", "Count", "more", "rankcast_deliveries_total"),
    Told("DeliveriesPerSecond", "Count/Second", "rate", "rankcast_deliveries_total"),
    Told("FramesMerged", "Count", "more", "rankcast_merged_total"),
    Told("Lag", "Seconds", "sample", "rankcast_lag_seconds"),
    Told("QueueAge", "Seconds", "now", "rankcast_queue_age_seconds"),
    Told("QueueRows", "Count", "now", "rankcast_queue_rows"),
    Told("Drift", "Count", "more", "rankcast_drift_total"),
    Told("Resyncs", "Count", "more", "rankcast_resyncs_total"),
    Told("Refused", "Count", "more", "rankcast_refused_total"),
    Told("Submissions", "Count", "more", "rankcast_submissions_total"),
    Told("ChangesApplied", "Count", "more", "rankcast_applied_total"),
    Told("ApplyLag", "Seconds", "sample", "rankcast_apply_lag_seconds"),
    Told("PutAside", "Count", "more", "rankcast_put_aside_total"),
)
"""A registry that has not all of these is told of as far as it has them."""


class Sink(Protocol):
    """Where lines go."""

    def write(self, line: bytes) -> None:
        """Take a line without its end. Never waits for long."""

    def close(self) -> None:
        """Let go of it."""


class StandardOutput:
    """Lines that whoever runs the process collects: a container's log driver, a function's log group."""

    def write(self, line: bytes) -> None:
        """See the protocol."""
        sys.stdout.write(line.decode() + "\n")
        sys.stdout.flush()

    def close(self) -> None:
        """See the protocol."""


class Agent:
    """The CloudWatch agent's socket for this format. What does not arrive is lost: numbers of the next minute come."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def write(self, line: bytes) -> None:
        """See the protocol."""
        try:
            self._socket.sendto(line + b"\n", self._address)
        except OSError:
            return

    def close(self) -> None:
        """See the protocol."""
        self._socket.close()


def open_sink(endpoint: str) -> Sink:
    """The agent at `udp://host:port`, standard output where that is empty. Raises SettingInvalid."""
    if not endpoint:
        return StandardOutput()
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SettingInvalid(f"the agent's address must be udp://host:port, not {endpoint!r}") from error
    if parts.scheme != "udp" or not host or not port:
        raise SettingInvalid(f"the agent's address must be udp://host:port, not {endpoint!r}")
    return Agent(host, port)


class Emf:
    """Writes what happened to `sink`. `dimensions` are those of every metric, `about` is said besides."""

    def __init__(
        self,
        sink: Sink,
        dimensions: Mapping[str, str],
        about: Mapping[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sink = sink
        self._dimensions = dict(dimensions)
        self._about = dict(about)
        self._clock = clock

    def tell(self, between: Between) -> None:
        """One line; none where there is nothing to tell."""
        told = [(metric, value) for metric in METRICS if (value := _value(metric, between)) is not None]
        if told:
            self._sink.write(orjson.dumps(self._document(told)))

    def _document(self, told: list[tuple[Told, float | list[float]]]) -> dict[str, Any]:
        metrics = [{"Name": metric.name, "Unit": metric.unit} for metric, _ in told]
        directive = {"Namespace": NAMESPACE, "Dimensions": [list(self._dimensions)], "Metrics": metrics}
        return {
            "_aws": {"Timestamp": round(self._clock() * 1000), "CloudWatchMetrics": [directive]},
            **self._about,
            **self._dimensions,
            **{metric.name: value for metric, value in told},
        }

    def close(self) -> None:
        """Let go of the sink."""
        self._sink.close()


def _value(metric: Told, between: Between) -> float | list[float] | None:
    match metric.how:
        case "now":
            return between.now(metric.source)
        case "more":
            return between.more(metric.source)
        case "rate":
            return between.rate(metric.source)
        case "sample":
            return between.sample(metric.source, MOST) or None
