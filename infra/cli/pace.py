"""When the events of a recording are due in a replay."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """A replay of a recording from its second `origin` on that began at `started`, on any clock; `speed` 0 waits never."""

    origin: float
    started: float
    speed: float

    def wait(self, at: float, now: float) -> float:
        """Seconds from `now` until the event at second `at` of the recording is due; 0 when it is."""
        if self.speed <= 0:
            return 0.0
        return max(0.0, self.started + (at - self.origin) / self.speed - now)
