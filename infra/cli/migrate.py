"""`rankcast migrate`: bring a database to the newest schema."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from infra import migrations
from infra.cli.service import data_dir_option
from infra.cli.teaching import TaughtCommand
from infra.local.claim import Claim
from infra.local.postgres import EmbeddedPostgres
from infra.local.record import read_record
from infra.local.stack import DATABASE
from infra.secrets_aws import password_of
from infra.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    cls=TaughtCommand,
    short_help="Bring a database to the newest schema.",
    epilog="""
    Examples:
      rankcast migrate
      rankcast migrate --database-url postgresql://rankcast@db.example/rankcast
    """,
)
@click.option("--database-url", envvar="RANKCAST_DATABASE_URL", help="A PostgreSQL database: postgresql://….")
@click.option(
    "--database-secret",
    envvar="RANKCAST_DATABASE_SECRET",
    default="",
    help="The ARN of an AWS secret with its password; without it the URL has one.",
)
@data_dir_option
def migrate(database_url: str | None, database_secret: str, data_dir: Path) -> None:
    """Bring a database to the newest schema. Safe to repeat, also from several machines at once.

    Without --database-url it is the database in --data-dir, which need not be running; `rankcast up` does this by itself.
    """
    if database_url:
        # Nothing but a database is needed for this; where the secret is, boto3 finds out.
        settings = Settings(database_url=database_url, redis_url="", issuer="", jwks_url="")
        applied = asyncio.run(migrations.migrate(database_url, password_of(database_secret, settings)))
    else:
        applied = _migrate_folder(data_dir)
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("nothing to do: the schema is the newest")


def _migrate_folder(data_dir: Path) -> list[str]:
    record = read_record(data_dir)
    if record is not None and record.supervisor.process() is not None and record.database_url:
        return asyncio.run(migrations.migrate(record.database_url))
    data_dir.mkdir(parents=True, exist_ok=True)
    claim = Claim(data_dir / "lock", f"the data folder {data_dir}")
    try:
        with EmbeddedPostgres(data_dir / "postgres", log=data_dir / "logs" / "postgres.log") as postgres:
            return asyncio.run(migrations.migrate(postgres.create_database(DATABASE)))
    finally:
        claim.release()
