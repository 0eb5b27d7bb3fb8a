"""What a submission does to the standing entry: the operators, the bounds, and who keeps a tie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realtime.core import sortkey
from realtime.core.errors import ScoreOutOfBounds, SumOverflow
from realtime.core.model import INT64_MAX, INT64_MIN, Board, Entry, Operator, Score

if TYPE_CHECKING:
    from realtime.core.model import BoardSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One score as it was sent. `key` is the digest of its idempotency key, `body` the digest of what was sent.

    `trace` names the request to whoever follows it through the queue; nobody here looks into it.
    """

    board: Board
    player: str
    score: Score
    name: str | None = None
    metadata: bytes = b""
    key: bytes = b""
    body: bytes = b""
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one accepted submission: the standing score afterwards and since which seq it stands.

    `repeated`: it was taken before, under the same idempotency key, and this is the answer of then; so it is equal to that.
    """

    player: str
    score: Score
    best: Score
    improved: bool
    seq: int
    repeated: bool = field(default=False, compare=False)


def fold(spec: BoardSpec, entry: Entry, submission: Submission, seq: int) -> tuple[Entry, bool]:
    """Apply one submission to an entry; returns the entry afterwards and whether it changed.

    `seq` is taken only where the columns change: repeating one's best does not lose a tie.
    Raises ScoreOutOfBounds or SumOverflow; the entry then stands as it was.
    """
    _within(spec, submission.score, "is")
    score = _standing(spec, entry.score, submission.score)
    if score == entry.score:
        return entry, False
    return Entry(score, seq, submission.metadata), True


def _standing(spec: BoardSpec, old: Score | None, new: Score) -> Score:
    if old is None or spec.operator is Operator.LATEST:
        return new
    if spec.operator is Operator.BEST:
        return new if sortkey.prefix(spec.columns, new) < sortkey.prefix(spec.columns, old) else old
    total = tuple(a + b for a, b in zip(old, new, strict=True))
    if any(not INT64_MIN <= value <= INT64_MAX for value in total):
        raise SumOverflow("the sum would not fit into 64 bits")
    _within(spec, total, "would add up to")
    return total


def _within(spec: BoardSpec, score: Score, comes_to: str) -> None:
    for index, value in enumerate(score):
        low = spec.minimum[index] if spec.minimum else None
        high = spec.maximum[index] if spec.maximum else None
        if (low is not None and value < low) or (high is not None and value > high):
            raise ScoreOutOfBounds(
                f"{spec.columns[index].name} {comes_to} {value}: this board takes {_taken(low, high)}"
            )


def _taken(low: int | None, high: int | None) -> str:
    """Bounds in words, of which there is one at least."""
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"
