"""`rankcast board`: create, list, show, delete."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click
import orjson
from rich.console import Console
from rich.table import Table

from infra.cli.rest import ProblemAnswered
from infra.cli.service import with_service
from infra.cli.teaching import TaughtGroup
from realtime.core.identity import Role
from realtime.core.model import Direction, Operator, RankMode, Writes

if TYPE_CHECKING:
    from infra.cli.rest import Rest
    from infra.cli.service import Service

FIELDS = frozenset({"title", "columns", "operator", "ranks", "writes", "public", "minimum", "maximum"})
"""What a board's document is made of; the service adds what it knows besides."""


class ColumnType(click.ParamType[dict[str, Any]]):
    """`NAME[:asc|desc[:DECIMALS]]` as a column of a board document."""

    name = "NAME[:asc|desc[:DECIMALS]]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """The column. Fails for another direction, or decimals that are no number."""
        name, _, rest = str(value).partition(":")
        direction, _, decimals = rest.partition(":")
        if direction not in {"", *Direction}:
            self.fail(f"{direction!r} is neither asc nor desc", param, ctx)
        if decimals and not decimals.isdecimal():
            self.fail(f"{decimals!r} is no number of decimals", param, ctx)
        return {"name": name, "direction": direction or "desc", "decimals": int(decimals or 0)}


@click.group(cls=TaughtGroup)
def board() -> None:
    """Create, list, show and delete boards."""


@board.command(
    epilog="""
    operator   best keeps a player's best score, latest the last, sum adds up
    ranks      competition shares a rank between equals (1 2 2 4), ordinal goes by who was first
    writes     server: scores come from servers; player: each player may hand in its own

    Examples:
      rankcast board create arcade
      rankcast board create lap-times --column time:asc:3 --title "Fastest lap"
      rankcast board create contest --column solved --column penalty:asc
      rankcast board create arcade --edit --maximum 1000000
    """
)
@click.argument("name")
@click.option("--title", help="What people read; the board's name unless given.")
@click.option(
    "--column",
    "columns",
    type=ColumnType(),
    multiple=True,
    help="A column to rank by, up to 4, the first counts most. [default: score:desc]",
)
@click.option("--operator", type=click.Choice([each.value for each in Operator]), help="[default: best]")
@click.option("--ranks", type=click.Choice([each.value for each in RankMode]), help="[default: competition]")
@click.option("--writes", type=click.Choice([each.value for each in Writes]), help="[default: server]")
@click.option("--public/--private", default=None, help="Whether reading needs no token. [default: public]")
@click.option("--minimum", type=int, multiple=True, help="The least value that is taken, one for each column.")
@click.option("--maximum", type=int, multiple=True, help="The greatest value that is taken, one for each column.")
@click.option("--edit", is_flag=True, help="Change what is named here of a board that exists.")
@with_service
def create(service: Service, name: str, edit: bool, **options: Any) -> None:
    """Create a board, or change one with --edit."""
    chosen = {field: _listed(value) for field, value in options.items() if value is not None and value != ()}
    asyncio.run(_create(service, name, chosen, edit))
    click.echo(f"board {name} {'changed' if edit else 'created'}")


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


async def _create(service: Service, name: str, chosen: dict[str, Any], edit: bool) -> None:
    async with service.rest(Role.ADMIN) as rest:
        standing = await _find(rest, name)
        if standing is None and edit:
            raise click.ClickException(f"there is no board {name} to edit")
        if standing is not None and not edit:
            raise click.ClickException(f"board {name} exists: change it with --edit, or choose another name")
        fresh = {"title": name, "columns": [{"name": "score"}]}
        kept = {field: value for field, value in (standing or fresh).items() if field in FIELDS}
        await rest.put_board(name, kept | chosen)


async def _find(rest: Rest, name: str) -> dict[str, Any] | None:
    try:
        return await rest.board(name)
    except ProblemAnswered as error:
        if error.problem == "board_unknown":
            return None
        raise


@board.command("list", epilog="Example:\n  rankcast board list")
@with_service
def list_boards(service: Service) -> None:
    """List the boards that you may see."""
    table = Table(box=None)
    # A name is what the other commands take: it is never cut.
    table.add_column("board", overflow="fold", no_wrap=True)
    for heading in ("title", "columns", "operator", "ranks", "public"):
        table.add_column(heading)
    for each in asyncio.run(_list(service)):
        columns = ", ".join(f"{column['name']} {column['direction']}" for column in each["columns"])
        public = "yes" if each["public"] else "no"
        table.add_row(each["board"], each["title"], columns, each["operator"], each["ranks"], public)
    if table.row_count:
        Console().print(table)
    else:
        click.echo("there is no board yet: make one with `rankcast board create`", err=True)


async def _list(service: Service) -> list[dict[str, Any]]:
    async with service.rest() as rest:
        return await rest.boards()


@board.command(epilog="Example:\n  rankcast board show demo")
@click.argument("name")
@with_service
def show(service: Service, name: str) -> None:
    """Print a board's document as JSON."""
    document = asyncio.run(_show(service, name))
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


async def _show(service: Service, name: str) -> dict[str, Any]:
    async with service.rest() as rest:
        return await rest.board(name)


@board.command(epilog="Example:\n  rankcast board delete arcade --yes")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_service
def delete(service: Service, name: str, yes: bool) -> None:
    """Delete a board and all its scores. There is no way back."""
    if not yes:
        # Nobody is asked about a board that is not there.
        asyncio.run(_show(service, name))
        _ask_whether_it_is_meant(name)
    asyncio.run(_delete(service, name))
    click.echo(f"board {name} deleted")


def _ask_whether_it_is_meant(name: str) -> None:
    try:
        meant = click.confirm(f"Delete board {name} and all its scores?")
    except click.Abort as abort:
        if not isinstance(abort.__context__, EOFError):
            raise
        # The question ends without a line's end.
        click.echo()
        raise click.ClickException(f"nobody answers, board {name} is kept: --yes deletes it without asking") from abort
    if not meant:
        raise click.ClickException(f"board {name} is kept")


async def _delete(service: Service, name: str) -> None:
    async with service.rest(Role.ADMIN) as rest:
        await rest.delete_board(name)
