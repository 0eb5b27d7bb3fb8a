"""`rankcast token`: a token of the local issuer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from infra.cli.service import NoService, data_dir_option
from infra.cli.teaching import TaughtCommand
from infra.local.issuer import issuer_of
from realtime.core.identity import Role

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    cls=TaughtCommand,
    short_help="Print a token of the local issuer.",
    epilog="""
    Examples:
      rankcast token --role player --player ann
      curl -H "Authorization: Bearer $(rankcast token --role server)" \\
           -d '{"player": "ann", "score": [13, 0]}' http://127.0.0.1:8080/v1/boards/demo/scores
    """,
)
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What the bearer may do.")
@click.option("--player", help="The player's id: needed for the role player.")
@click.option("--lifetime", type=click.IntRange(1), default=3600, show_default=True, help="Seconds until it expires.")
@data_dir_option
def token(role: str, player: str | None, lifetime: int, data_dir: Path) -> None:
    """Print an access token for the service in --data-dir, and nothing else.

    A player submits its own scores, a server anybody's, an admin does all that and keeps boards.
    """
    if role == Role.PLAYER and player is None:
        raise click.UsageError("the role player needs --player ID")
    if not data_dir.is_dir():
        raise NoService(f"there is no data folder {data_dir}: `rankcast up` makes one")
    click.echo(issuer_of(data_dir).token(role, player, lifetime))
