"""`rankcast submit`: one score."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click
import orjson

from infra.cli.service import with_service
from infra.cli.teaching import TaughtCommand
from realtime.core.errors import ScoreRefused
from realtime.core.scores import parse_integer, wire_score

if TYPE_CHECKING:
    from infra.cli.service import Service


class ScoreType(click.ParamType[int]):
    """One column's value: a 64-bit integer."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The value. Fails for what is no integer of 64 bits."""
        try:
            return parse_integer(value)
        except ScoreRefused as error:
            self.fail(f"{value!r}: {error}", param, ctx)


# A score may be negative: what looks like an option that does not exist is an argument.
@click.command(
    cls=TaughtCommand,
    short_help="Hand in one score.",
    context_settings={"ignore_unknown_options": True},
    epilog="""
    Examples:
      rankcast submit arcade ann 4200 --name "Ann"
      rankcast submit demo me 13 0
    """,
)
@click.argument("board")
@click.argument("player")
@click.argument("score", nargs=-1, required=True, type=ScoreType())
@click.option("--name", help="The player's name from now on.")
@click.option("--key", help="Makes a repeat of this submission answer what the first did, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the service's answer as it is.")
@with_service
def submit(
    service: Service,
    board: str,
    player: str,
    score: tuple[int, ...],
    *,
    name: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Hand in PLAYER's SCORE on BOARD: one value for each column, as stored (12.345 with 3 decimals is 12345)."""
    submission: dict[str, Any] = {"player": player, "score": wire_score(score)}
    if name is not None:
        submission["name"] = name
    answer = asyncio.run(_submit(service, board, submission, key))
    if as_json:
        click.echo(orjson.dumps(answer).decode())
        return
    best = answer["best"] if isinstance(answer["best"], list) else [answer["best"]]
    standing = " ".join(str(value) for value in best)
    click.echo(f"{player} {'now has' if answer['improved'] else 'still has'} {standing} (seq {answer['seq']})")


async def _submit(service: Service, board: str, submission: dict[str, Any], key: str | None) -> dict[str, Any]:
    async with service.rest() as rest:
        return await rest.submit(board, submission, key)
