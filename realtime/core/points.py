"""What a watcher of a player holds: a topic's state at one version, as a value that can be kept and compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from realtime.core.model import RankMode

if TYPE_CHECKING:
    from realtime.core.model import BoardSpec, Row


class PlayerPoint(NamedTuple):
    """Where one player stands: `position` from 0, `rank` the shared one from 1. No key and neither of both: not ranked.

    `total` counts all ranked players; `spec` is the board as the epoch has it.
    """

    epoch: int
    version: int
    total: int
    spec: BoardSpec
    key: bytes = b""
    position: int | None = None
    rank: int | None = None

    def shown(self) -> int | None:
        """The rank that the board shows."""
        return _shown(self.spec, self.position, self.rank)

    def stands(self) -> tuple[bytes, int | None, int | None]:
        """All but what every version changes."""
        return self.key, self.position, self.rank


@dataclass(frozen=True, slots=True)
class AroundPoint:
    """The stretch around one player: `position` (from 0) and shared `rank` of its first row; both None: not ranked."""

    epoch: int
    version: int
    total: int
    spec: BoardSpec
    position: int | None = None
    rank: int | None = None
    rows: tuple[Row, ...] = ()

    def shown(self) -> int | None:
        """The rank that the board shows of the first row."""
        return _shown(self.spec, self.position, self.rank)

    def stands(self) -> tuple[int | None, int | None, tuple[Row, ...]]:
        """All but what every version changes."""
        return self.position, self.rank, self.rows


def _shown(spec: BoardSpec, position: int | None, rank: int | None) -> int | None:
    if position is None:
        return None
    return position + 1 if spec.ranks is RankMode.ORDINAL else rank
