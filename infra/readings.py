"""What a registry said at two moments, and what happened between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.metrics_core import Metric


@dataclass(frozen=True, slots=True)
class Reading:
    """A registry at the moment `at` (seconds of any clock that only goes on).

    `values` has each sample by its name, summed over its labels; `labelled` has it by its name and its labels' values;
    `buckets` has of each histogram how many observations were at most so much.
    """

    at: float
    values: dict[str, float] = field(default_factory=dict)
    labelled: dict[tuple[str, ...], float] = field(default_factory=dict)
    buckets: dict[str, dict[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, families: Iterable[Metric], at: float) -> Reading:
        """Read a registry."""
        made = cls(at)
        for sample in (sample for family in families for sample in family.samples):
            if "le" in sample.labels:
                held = made.buckets.setdefault(sample.name.removesuffix("_bucket"), {})
                bound = float(sample.labels["le"])
                held[bound] = held.get(bound, 0.0) + sample.value
                continue
            made.values[sample.name] = made.values.get(sample.name, 0.0) + sample.value
            if sample.labels:
                made.labelled[sample.name, *sample.labels.values()] = sample.value
        return made


@dataclass(frozen=True, slots=True)
class Between:
    """What happened from one reading to a later one. What is in neither is None, or nothing."""

    before: Reading
    after: Reading

    @property
    def seconds(self) -> float:
        """How long that was."""
        return self.after.at - self.before.at

    def now(self, name: str) -> float | None:
        """A gauge as it was in the end; None, too, where it is not known."""
        value = self.after.values.get(name)
        return value if value is not None and math.isfinite(value) else None

    def more(self, name: str, *labels: str) -> float | None:
        """By how much a counter grew."""
        if labels:
            after = self.after.labelled.get((name, *labels))
            return None if after is None else after - self.before.labelled.get((name, *labels), 0.0)
        after = self.after.values.get(name)
        return None if after is None else after - self.before.values.get(name, 0.0)

    def rate(self, name: str, *labels: str) -> float | None:
        """By how much it grew a second."""
        more = self.more(name, *labels)
        return None if more is None or self.seconds <= 0 else more / self.seconds

    def observed(self, name: str) -> list[tuple[float, int]]:
        """How many observations of a histogram fell into each of its buckets, by their upper bounds; none that are empty.

        What is above all bounds counts as twice the highest: a number has to be said, and it must not look small.
        """
        after, before = self.after.buckets.get(name, {}), self.before.buckets.get(name, {})
        found, below = [], 0.0
        highest = max((bound for bound in after if math.isfinite(bound)), default=0.0)
        for bound in sorted(after):
            upto = after[bound] - before.get(bound, 0.0)
            if upto > below:
                found.append((bound if math.isfinite(bound) else 2 * highest, round(upto - below)))
            below = upto
        return found

    def quantile(self, name: str, share: float) -> float | None:
        """The bucket's bound that so large a share of the observations does not exceed; None where there was none."""
        observed = self.observed(name)
        wanted = share * sum(count for _, count in observed)
        for bound, count in observed:
            wanted -= count
            if wanted <= 0:
                return bound
        return None

    def sample(self, name: str, most: int) -> list[float]:
        """The observations, each as its bucket's bound, in order; where there are more than `most`, evenly chosen, the highest
        one among them.
        """  # noqa: D205 - one thought
        observed = self.observed(name)
        total = sum(count for _, count in observed)
        wanted = min(most, total)
        chosen: list[float] = []
        passed = 0
        for bound, count in observed:
            passed += count
            chosen += [bound] * (math.floor(passed * wanted / total) - len(chosen))
        return chosen
