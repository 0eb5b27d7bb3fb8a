"""`rankcast replay`: a recording of scores, played into a board."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from infra.cli.replaying import Event, last_second, read_events
from infra.cli.replaying import replay as play
from infra.cli.service import with_service
from infra.cli.tables import clock, counted
from infra.cli.teaching import TaughtCommand

if TYPE_CHECKING:
    from infra.cli.service import Service


@click.command(
    cls=TaughtCommand,
    short_help="Play a recording into a board.",
    epilog="""
    One object a line, in the order of time; `at` is seconds since the start:
      {"at": 166, "player": "E10", "name": "Nemesis", "score": [1, 120]}
    or, with the board's columns by their names:
      {"at": 166, "player": "E10", "name": "Nemesis", "solved": 1, "penalty": 120}

    Examples:
      rankcast replay contest.ndjson --board contest                  an hour in a minute
      rankcast replay contest.ndjson --board contest --speed 0        as fast as it goes
    """,
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--board", required=True, help="The board that takes the scores.")
@click.option(
    "--speed",
    type=click.FloatRange(0),
    default=60,
    show_default=True,
    help="Seconds of the recording in one of ours; 0 is as fast as it goes.",
)
@with_service
def replay(service: Service, file: Path, board: str, speed: float) -> None:
    """Play the scores that FILE records into a board, each when it came in."""
    sent, refused = asyncio.run(_replay(service, file, board, speed))
    click.echo(f"{counted(sent, 'score')} sent, {refused:,} of them refused")
    if refused:
        raise click.ClickException("the board refuses some of the scores: does the file fit its columns?")


async def _replay(service: Service, file: Path, board: str, speed: float) -> tuple[int, int]:
    sent = refused = 0
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[clock]}  {task.fields[sent]:,} scores"),
        console=Console(stderr=True),
        transient=True,
    )
    async with service.rest() as rest:
        columns = [column["name"] for column in (await rest.board(board))["columns"]]
        with file.open("rb") as source, progress:
            task = progress.add_task(escape(file.name), total=last_second(source), clock=clock(0), sent=0)

            def told(event: Event, size: int, bad: int) -> None:
                nonlocal sent, refused
                sent, refused = sent + size, refused + bad
                progress.update(task, completed=event.at, clock=clock(event.at), sent=sent)

            key = f"replay-{uuid.uuid4()}"
            await play(rest, board, read_events(source, columns), speed=speed, key=key, told=told)
    return sent, refused
