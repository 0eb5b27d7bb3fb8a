"""`rankcast import`: a file of scores into a board."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from infra.cli.chunks import chunks
from infra.cli.importing import Import, Tally
from infra.cli.rows import json_parser, read_csv, read_ndjson
from infra.cli.service import with_service
from infra.cli.tables import counted
from infra.cli.teaching import TaughtCommand
from realtime.core.model import Operator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.cli.rows import Line
    from infra.cli.service import Service

SHOWN = 20
"""Bad lines that are named; the rest is counted."""


@click.command(
    "import",
    cls=TaughtCommand,
    short_help="Bring a file of scores into a board.",
    epilog="""
    CSV     the first line names the fields:  player,score,name
                                              ann,4200,Ann
            or, on a board of several columns, each by its name:  player,solved,penalty
    NDJSON  one object a line:  {"player": "ann", "score": 4200, "name": "Ann"}
            or {"player": "E10", "solved": 11, "penalty": 55500}

    Examples:
      rankcast import scores.csv --board arcade
      rankcast import export.ndjson --board contest --on-error skip
      rankcast import tuesday.csv --board points --key tuesday
    """,
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--board", required=True, help="The board that takes the scores.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "ndjson"]),
    help="What the file is; unless given, .csv is CSV and all else NDJSON.",
)
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="What a bad line does. Either way it is named; its neighbours are taken.",
)
@click.option(
    "--in-flight",
    type=click.IntRange(1, 16),
    default=4,
    show_default=True,
    help="Batches of 1,000 on their way at once; 1 keeps the file's order, which settles ties.",
)
@click.option("--key", help="What the file is remembered by; unless given, its name.")
@with_service
def import_scores(
    service: Service, *, file: Path, board: str, kind: str | None, on_error: str, in_flight: int, key: str | None
) -> None:
    """Bring the scores of FILE into a board.

    Safe to repeat for a day: a line that was taken is not taken twice, on a board that adds up neither. So mend a bad line,
    or append to the file, and import it again. A line that was taken and says something else now is refused; another
    file of the same name wants a --key of its own.
    """
    kind = kind or ("csv" if file.suffix.lower() == ".csv" else "ndjson")
    started = time.monotonic()
    stop = on_error == "stop"
    tally = asyncio.run(_import(service, file, board, kind=kind, stop=stop, in_flight=in_flight, key=key))
    seconds = max(time.monotonic() - started, 0.001)
    rate = (tally.taken + tally.bad) / seconds
    click.echo(
        f"{counted(tally.taken, 'line')} taken in {seconds:.1f} s ({rate:,.0f} lines/s): {tally.taken - tally.known:,} new, "
        f"{tally.known:,} known from before; {tally.improved:,} changed a standing; {tally.bad:,} bad"
    )
    if tally.bad and stop:
        raise click.ClickException(
            "stopped at a bad line: mend the file and import it again, or skip with --on-error skip"
        )


async def _import(
    service: Service, file: Path, board: str, *, kind: str, stop: bool, in_flight: int, key: str | None
) -> Tally:
    async with service.rest() as rest:
        document = await rest.board(board)
        if document["operator"] == Operator.LATEST:
            # The last line of a player must win.
            in_flight = 1
        columns = [column["name"] for column in document["columns"]]
        with file.open("rb") as source, _Display(file) as display:
            work = Import(rest, board, in_flight=in_flight, stop=stop, heard=display.heard, refused=display.refused)
            return await work.run(chunks(_lines(source, kind, columns), key or file.name))


def _lines(source: BinaryIO, kind: str, columns: Sequence[str]) -> Iterator[Line]:
    return read_csv(source, columns) if kind == "csv" else read_ndjson(source, json_parser(columns))


class _Display:
    """The bar on standard error: how far, how fast, how long still."""

    def __init__(self, file: Path) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[lines]:,} lines, {task.fields[rate]:,.0f}/s,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self._console,
            transient=True,
        )
        self._started = time.monotonic()
        self._shown = 0
        self._task = self._progress.add_task(escape(file.name), total=file.stat().st_size, lines=0, rate=0.0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        if self._shown > SHOWN:
            self._console.print(f"… and {self._shown - SHOWN:,} more", highlight=False)

    def heard(self, tally: Tally) -> None:
        lines = tally.taken + tally.bad
        rate = lines / max(time.monotonic() - self._started, 0.001)
        self._progress.update(self._task, completed=tally.size, lines=lines, rate=rate)

    def refused(self, line: int, problem: str) -> None:
        self._shown += 1
        if self._shown <= SHOWN:
            self._console.print(f"line {line:,}: {escape(problem)}", highlight=False, soft_wrap=True)
