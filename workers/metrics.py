"""A worker's numbers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prometheus_client.metrics_core import Metric

    from infra.readings import Between
    from realtime.core.letters import Letter

_LAGS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
_MICROSECONDS: Final = 1_000_000


class Metrics:
    """One registry a process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._applied = Counter("rankcast_applied", "Changes handed to the ranking", registry=self._registry)
        self.put_aside = Counter("rankcast_put_aside", "Rows that could not be read", registry=self._registry)
        self.rebuilds = Counter("rankcast_rebuilds", "Boards that were rebuilt", registry=self._registry)
        self._lag = Histogram(
            "rankcast_apply_lag_seconds",
            "From the end of a commit's transaction until all that it changed on a board was applied",
            buckets=_LAGS,
            registry=self._registry,
        )

    def took(self, changes: int, letters: Sequence[Letter]) -> None:
        """A board has taken so many changes, out of these letters."""
        self._applied.inc(changes)
        now = time.time()
        for letter in letters:
            if letter.at:
                self._lag.observe(max(0.0, now - letter.at / _MICROSECONDS))

    def collect(self) -> Iterable[Metric]:
        """Everything, as of now."""
        return self._registry.collect()


def numbers(between: Between) -> Mapping[str, float | None]:
    """What a worker tells of itself by heartbeats: totals since its start, rates and lags since the last beat."""
    return {
        "applied": between.now("rankcast_applied_total"),
        "applied_per_second": between.rate("rankcast_applied_total"),
        "put_aside": between.now("rankcast_put_aside_total"),
        "rebuilds": between.now("rankcast_rebuilds_total"),
        "lag_p50": between.quantile("rankcast_apply_lag_seconds", 0.5),
        "lag_p99": between.quantile("rankcast_apply_lag_seconds", 0.99),
    }
