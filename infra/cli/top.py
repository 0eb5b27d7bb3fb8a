"""`rankcast top`: the best of a board."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click
import orjson
from rich.console import Console

from infra.cli.service import with_service
from infra.cli.tables import board_table, counted
from infra.cli.teaching import TaughtCommand
from realtime.client.reducer import entry_of

if TYPE_CHECKING:
    from infra.cli.service import Service


@click.command(
    cls=TaughtCommand,
    short_help="Show the best of a board.",
    epilog="""
    Examples:
      rankcast top demo
      rankcast top demo --limit 50 --offset 100
      rankcast top demo --json | jq '.entries[0].player'
    """,
)
@click.argument("board")
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many rows.")
@click.option("--offset", type=click.IntRange(0), default=0, show_default=True, help="How many rows to pass over.")
@click.option("--json", "as_json", is_flag=True, help="Print the service's answer as it is.")
@with_service
def top(service: Service, *, board: str, limit: int, offset: int, as_json: bool) -> None:
    """Show the best of BOARD."""
    document, answer = asyncio.run(_top(service, board, limit, offset))
    if as_json:
        click.echo(orjson.dumps(answer).decode())
        return
    Console().print(board_table(document, [entry_of(row, row["rank"]) for row in answer["entries"]]))
    stale = ", stale: the ranking is away" if answer.get("stale") else ""
    click.echo(f"{counted(answer['total'], 'player')}, version {answer['version']}{stale}")


async def _top(service: Service, board: str, limit: int, offset: int) -> tuple[dict[str, Any], dict[str, Any]]:
    async with service.rest() as rest:
        return await rest.board(board), await rest.top(board, limit, offset)
