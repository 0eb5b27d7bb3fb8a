"""Plays recorded scores into a board: in order, batched by what is due."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import orjson

from infra.cli.pace import Pace
from infra.cli.rows import LONGEST, FileUnfit, LineBad, json_parser, read_ndjson

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

    from infra.cli.rest import Rest

BATCH: Final = 1000
TOGETHER: Final = 0.04
"""Seconds: what is due within them goes in one batch."""


@dataclass(frozen=True, slots=True)
class Event:
    """A score and the second of the recording at which it came in."""

    at: float
    row: dict[str, Any]


def read_events(file: BinaryIO, columns: Sequence[str]) -> Iterator[Event]:
    """The events of an NDJSON recording for a board of these columns. Raises FileUnfit naming the first bad line."""
    submission = json_parser(columns)

    def parse(document: dict[str, Any]) -> dict[str, Any]:
        at = document.get("at")
        if isinstance(at, bool) or not isinstance(at, (int, float)):
            raise LineBad("`at` must be the seconds since the start")
        return submission(document) | {"at": at}

    for line in read_ndjson(file, parse):
        if line.row is None:
            raise FileUnfit(f"line {line.number}: {line.problem}")
        yield Event(line.row.pop("at"), line.row)


def last_second(file: BinaryIO) -> float | None:
    """The `at` of a recording's last line, None when it has none. The file is left at its beginning."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - LONGEST))
    lines = file.read().splitlines() or [b""]
    file.seek(0)
    try:
        return float(orjson.loads(lines[-1])["at"])
    except (KeyError, TypeError, ValueError):
        return None


async def replay(
    rest: Rest,
    board: str,
    events: Iterable[Event],
    *,
    speed: float,
    key: str,
    told: Callable[[Event, int, int], None],
) -> None:
    """Send all events, each when it is due: `speed` seconds of the recording in one of ours, 0 for as fast as it goes.

    `key` is this replay's own: a batch whose answer was lost is sent again under it and counts once.
    After each batch `told` hears the last event, how many were sent, and how many of them were refused.
    Raises ProblemAnswered, ServiceUnreachable.
    """
    clock = asyncio.get_running_loop().time
    batch = 0
    async for due in _due(events, speed, clock):
        results = await rest.submit_batch(board, [event.row for event in due], f"{key}-{batch}")
        told(due[-1], len(due), sum("code" in result for result in results))
        batch += 1


async def _due(events: Iterable[Event], speed: float, clock: Callable[[], float]) -> AsyncIterator[list[Event]]:
    """Lists of events that are due together, each when it is. Whoever falls behind gets longer ones."""
    pace: Pace | None = None
    waiting: list[Event] = []
    for event in events:
        pace = pace or Pace(event.at, clock(), speed)
        if waiting and (len(waiting) == BATCH or pace.wait(event.at, clock()) > TOGETHER):
            yield waiting
            waiting = []
        if not waiting:
            await asyncio.sleep(pace.wait(event.at, clock()))
        waiting.append(event)
    if waiting:
        yield waiting
