"""Ranks that follow from order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime.core.model import RankMode, Row, Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def ranks(rows: Sequence[Row], mode: RankMode, first_rank: int = 1, position: int = 0) -> Iterator[int]:
    """The rank of each row of a stretch that begins at `position` (from 0) with the shared rank `first_rank`."""
    rank = first_rank
    previous: Row | None = None
    for place, row in enumerate(rows, position + 1):
        if mode is RankMode.ORDINAL or (previous is not None and row.score != previous.score):
            rank = place
        previous = row
        yield rank


def rank_of(standing: Standing, mode: RankMode) -> int:
    """The rank that a board of this mode shows."""
    return standing.rank if mode is RankMode.COMPETITION else standing.position + 1


def percentile(standing: Standing, total: int) -> float:
    """The share of ranked players that this one stands before or level with, in percent, one decimal."""
    return round(100 * (total - standing.rank + 1) / total, 1) if total else 0.0
