"""The demo: a contest that really took place, replayed on a board of its own."""

from __future__ import annotations

import uuid
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import infra.local
from infra.cli.replaying import Event, read_events, replay
from infra.cli.rest import ProblemAnswered
from realtime.core import sortkey
from realtime.core.boarddoc import parse
from realtime.core.scores import parse_score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from infra.cli.rest import Rest
    from realtime.core.model import BoardSpec, Score

BOARD: Final = "demo"
SPEED: Final = 45.0
"""Five hours in less than seven minutes."""
DOCUMENT: Final[dict[str, Any]] = {
    "title": "The 2023 ICPC Asia Regionals Online Contest (I)",
    "columns": [{"name": "solved", "direction": "desc"}, {"name": "penalty", "direction": "asc"}],
    "operator": "best",
    "ranks": "competition",
    "writes": "server",
    "public": True,
}
FILE: Final = Path(infra.local.__path__[0]) / "data" / "icpc-online-2023.events.ndjson"
ASKED: Final = 1000
"""Players whose standing one call tells."""


async def ensure_board(admin: Rest) -> BoardSpec:
    """Create the demo's board unless it is there; what it is. `admin` has that role."""
    try:
        document = await admin.board(BOARD)
    except ProblemAnswered as error:
        if error.problem != "board_unknown":
            raise
        document = await admin.put_board(BOARD, DOCUMENT)
    return parse({field: document[field] for field in DOCUMENT})


def contest() -> list[Event]:
    """The contest's scores, in order."""
    with FILE.open("rb") as file:
        return list(read_events(file, [column["name"] for column in DOCUMENT["columns"]]))


async def standing_scores(rest: Rest, players: Iterable[str]) -> dict[str, Score]:
    """What the board holds of these players; those who are not ranked are missing."""
    found: dict[str, Score] = {}
    rest_of = iter(players)
    while asked := list(islice(rest_of, ASKED)):
        for entry in await rest.ranks(BOARD, asked):
            if "score" in entry:
                found[entry["player"]] = parse_score(entry["score"], len(DOCUMENT["columns"]))
    return found


def still_to_come(events: Iterable[Event], spec: BoardSpec, standing: Mapping[str, Score]) -> Iterator[Event]:
    """The events from the first on that would change the board: what an interrupted replay has not sent yet."""
    waiting = False
    for event in events:
        old = standing.get(event.row["player"])
        new = parse_score(event.row["score"], len(spec.columns))
        waiting = waiting or old is None or sortkey.prefix(spec.columns, new) < sortkey.prefix(spec.columns, old)
        if waiting:
            yield event


async def play(rest: Rest, events: Iterable[Event], speed: float, told: Callable[[Event, int, int], None]) -> None:
    """Replay. Raises ProblemAnswered, ServiceUnreachable."""
    await replay(rest, BOARD, events, speed=speed, key=f"demo-{uuid.uuid4()}", told=told)
