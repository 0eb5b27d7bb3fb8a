"""When to come back after a lost connection."""

from __future__ import annotations

BASE = 0.5
CAP = 15.0


def full_jitter(attempt: int, chance: float) -> float:
    """Seconds to wait after `attempt` failures in a row (from 0): anywhere between at once and a bound that doubles.

    `chance` is drawn evenly from [0, 1). The clients of a node that died thus do not return as one herd.
    """
    return chance * min(CAP, BASE * 2.0 ** min(attempt, 30))
