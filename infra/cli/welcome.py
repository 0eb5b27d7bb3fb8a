"""What `rankcast up` says when the service is ready: where it is, and what to try next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from infra.cli import demo
from infra.cli.service import DATA_DIR

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def panel(urls: Sequence[str], data_dir: Path, *, with_demo: bool) -> Panel:
    """Where the service is."""
    rows = Table.grid(padding=(0, 2))
    rows.add_row("page", Text(f"{urls[0]}/?board={demo.BOARD}" if with_demo else f"{urls[0]}/", "bold green"))
    if len(urls) > 1:
        rows.add_row("nodes", Text("\n".join(urls)))
    rows.add_row("interface", Text(f"{urls[0]}/docs"))
    rows.add_row("data", Text(f"{data_dir}, logs in {data_dir / 'logs'}"))
    return Panel(rows, title="Rankcast is up", subtitle="Ctrl-C ends it", expand=False, padding=(1, 2))


def next_steps(command: str, url: str, data_dir: Path, *, with_demo: bool) -> list[tuple[str, str]]:
    """What to try, each with a command line that can be copied as it is."""
    where = "" if data_dir == DATA_DIR else f" --data-dir {data_dir}"
    if not with_demo:
        return [
            ("make a board", f"{command} board create arcade{where}"),
            ("hand in a score", f'{command} submit arcade ann 4200 --name "Ann"{where}'),
            ("watch it here", f"{command} watch arcade{where}"),
        ]
    board = f"{url}/v1/boards/{demo.BOARD}"
    token = f'"Authorization: Bearer $({command} token --role server{where})"'
    body = """'{"player": "you", "score": [13, 0]}'"""
    return [
        ("watch it here", f"{command} watch {demo.BOARD}{where}"),
        ("take the lead", f'{command} submit {demo.BOARD} me 12 0 --name "Me"{where}'),
        ("read over REST", f"curl '{board}/top?limit=3'"),
        ("write over REST", f"curl {board}/scores -H {token} -d {body}"),
    ]


def once_more(command: str, data_dir: Path) -> str:
    """How to have the demo's contest played again."""
    where = "" if data_dir == DATA_DIR else f" --data-dir {data_dir}"
    return f"{command} board delete {demo.BOARD}{where}"


def command_name(started_as: Path, here: Path) -> str:
    """How to call this command from `here`: by its name, unless it was started by its path."""
    if started_as.is_relative_to(here):
        return str(started_as.relative_to(here))
    return "rankcast"
