"""What a topic's messages make of its list, a top or the stretch around a player: pure functions, no clock and no network.

`apply(snapshot, deltas)` equals a fresh snapshot at every version, or says that it cannot know (OutOfStep): then whoever
holds the state asks for a snapshot. Messages are decoded JSON, as the design's section 5 has them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from realtime.core.delta import apply
from realtime.core.errors import RankcastError
from realtime.core.model import RankMode
from realtime.core.scores import parse_integer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from realtime.core.model import Score

Message = dict[str, Any]


class OutOfStep(RankcastError):
    """The state does not lead to where a message starts: a snapshot is needed."""

    code: ClassVar[str] = "out_of_step"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a list. `rank` follows from the order; `score` has one integer per column."""

    rank: int
    player: str
    name: str | None
    score: Score
    seq: int
    country: str | None
    picture: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A list at one version. `rows` are the entries as the wire has them, best first; `total` counts the whole board.

    `position` (from 0) and `first_rank` (from 1) are the first row's. Both are None, and there are no rows, around a player
    who is not ranked. `stale` is set while the node answers from what it has because the ranking is away.
    """

    topic: str
    epoch: int
    version: int
    total: int
    ranks: RankMode
    rows: tuple[Mapping[str, Any], ...]
    position: int | None = 0
    first_rank: int | None = 1
    stale: bool = False

    @property
    def entries(self) -> list[Entry]:
        """The rows with their ranks: they follow from the first row's, the order and the mode."""
        return list(_ranked(self.rows, self.ranks, self.first_rank or 1, self.position or 0))


def from_snapshot(message: Message) -> State:
    """The state that a `snapshot` of a top or of a stretch around a player is. Raises OutOfStep when it is neither."""
    try:
        entries, position = message["entries"], message.get("position", 0)
        return State(
            topic=message["topic"],
            epoch=message["epoch"],
            version=message["version"],
            total=message["total"],
            ranks=RankMode(message["ranks"]),
            rows=tuple(entries),
            position=position,
            first_rank=entries[0]["rank"] if entries else None if position is None else position + 1,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise OutOfStep(f"a snapshot that this client cannot read: {error!r}") from error


def apply_delta(state: State, message: Message) -> State:
    """The state after a `delta`. Raises OutOfStep when it does not follow, or an operation points outside the list."""
    same_epoch(state.epoch, message)
    if message["from"] != state.version:
        raise OutOfStep(f"a delta from {message['from']} at {state.version}")
    rows: list[dict[str, Any]] = [dict(row) for row in state.rows]
    _check(message["ops"], len(rows))
    apply(rows, message["ops"])
    return replace(
        state,
        version=message["to"],
        total=message["total"],
        rows=tuple(rows),
        # A top begins where it always does, and says nothing of it.
        position=message.get("position", state.position),
        first_rank=message.get("rank", state.first_rank),
    )


def apply_check(state: State, message: Message) -> State:
    """The state that a `check` proves, at its version and total. Raises OutOfStep when the list is not the node's."""
    same_epoch(state.epoch, message)
    # A snapshot of our own may be newer than what the node last told everybody.
    if message["version"] < state.version:
        return state
    if message["crc"] != checksum(state.rows):
        raise OutOfStep(f"the list differs at {message['version']}")
    if message.get("position", state.position) != state.position:
        raise OutOfStep(f"the list begins elsewhere at {message['version']}")
    if (message["version"], message["total"]) == (state.version, state.total):
        return state
    return replace(state, version=message["version"], total=message["total"])


def checksum(rows: Sequence[Mapping[str, Any]]) -> int:
    r"""CRC-32 of the UTF-8 lines `player\tseq\tname\n` of a list."""
    lines = (f"{row['player']}\t{row['seq']}\t{row.get('name') or ''}\n" for row in rows)
    return zlib.crc32("".join(lines).encode())


def same_epoch(epoch: int, message: Message) -> None:
    """Raise OutOfStep for a message of another epoch: versions of two cannot be compared."""
    if message["epoch"] != epoch:
        raise OutOfStep(f"epoch {message['epoch']} after {epoch}")


def _check(ops: Sequence[Sequence[Any]], size: int) -> None:
    """Raise OutOfStep unless each operation finds its place in the list as the one before left it."""
    for kind, *places in ops:
        match kind, places:
            case "out", [int(i)] if 0 <= i < size:
                size -= 1
            case "in", [int(i), dict()] if 0 <= i <= size:
                size += 1
            case "move", [int(i), int(j), dict()] if 0 <= i < size and 0 <= j < size:
                pass
            case "set", [int(i), dict()] if 0 <= i < size:
                pass
            case _:
                raise OutOfStep(f"an operation {kind!r} that does not fit a list of {size}")


def entry_of(row: Mapping[str, Any], rank: int) -> Entry:
    """A wire entry as a value, under the rank that its place gives it. Raises ScoreRefused when it has no score."""
    score = row["score"] if isinstance(row["score"], list) else [row["score"]]
    return Entry(
        rank,
        row["player"],
        row.get("name"),
        tuple(parse_integer(value) for value in score),
        parse_integer(row["seq"]),
        row.get("country"),
        row.get("picture"),
    )


def _ranked(rows: Sequence[Mapping[str, Any]], mode: RankMode, first_rank: int, position: int) -> Iterator[Entry]:
    rank, above = first_rank, None
    for place, row in enumerate(rows, position + 1):
        entry = entry_of(row, rank)
        if mode is RankMode.ORDINAL or (above is not None and entry.score != above):
            rank = place
        above = entry.score
        yield replace(entry, rank=rank)
