"""`rankcast dead-letters`: list, redrive."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click
import orjson
from rich.console import Console
from rich.table import Table

from infra.cli.service import with_service
from infra.cli.tables import counted
from infra.cli.teaching import TaughtGroup
from realtime.core.identity import Role

if TYPE_CHECKING:
    from infra.cli.service import Service


@click.group("dead-letters", cls=TaughtGroup, epilog="Example:\n  rankcast dead-letters list")
def dead_letters() -> None:
    """Look at what could not be applied, and let it be tried again."""


@dead_letters.command(
    "list",
    epilog="""
    A dead letter is a row of the outbox that no worker could read, or a message of the dead-letter queue.

    Examples:
      rankcast dead-letters list
      rankcast dead-letters list --json | jq '.dead_letters[].reason'
    """,
)
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many at the most.")
@click.option("--json", "as_json", is_flag=True, help="Print the service's answer as it is.")
@with_service
def list_dead_letters(service: Service, *, limit: int, as_json: bool) -> None:
    """List what was put aside, and why."""
    answer = asyncio.run(_list(service, limit))
    if as_json:
        click.echo(orjson.dumps(answer).decode())
        return
    table = Table(box=None)
    table.add_column("dead letter", overflow="fold", no_wrap=True)
    for heading in ("since", "rows", "bytes", "reason"):
        table.add_column(heading)
    for each in answer["dead_letters"]:
        rows = ", ".join(map(str, each["rows"])) or "unknown"
        table.add_row(each["id"], each["at"], rows, f"{each['size']:,}", each["reason"])
    if table.row_count:
        Console().print(table)
    else:
        click.echo("there are none", err=True)


async def _list(service: Service, limit: int) -> dict[str, Any]:
    async with service.rest(Role.ADMIN) as rest:
        return await rest.dead_letters(limit)


@dead_letters.command(epilog="Example:\n  rankcast dead-letters redrive")
@with_service
def redrive(service: Service) -> None:
    """Let everything that was put aside be tried again. What still cannot be read comes back here."""
    done = asyncio.run(_redrive(service))
    click.echo(
        f"{counted(done['rows'], 'row')} set free, {counted(done['moved'], 'message')} put back, {done['dropped']:,} thrown away as copies"
    )


async def _redrive(service: Service) -> dict[str, Any]:
    async with service.rest(Role.ADMIN) as rest:
        return await rest.redrive()
