"""Brings a database to the newest schema: the files of `infra/sql/migrations`, each once, in order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from infra.postgres import wrapped
from realtime.core.errors import SettingInvalid

if TYPE_CHECKING:
    from infra.postgres import PasswordOf

FOLDER = Path(__file__).parent / "sql" / "migrations"
_LOCK = 0x52434D47
_TIMEOUT = 60.0


async def migrate(database_url: str, password: PasswordOf | None = None) -> list[str]:
    """Apply what is missing, each file in a transaction of its own; returns the names applied.

    Safe to call from several processes at once. Without `password` the URL says it. Raises StoreUnavailable, and SettingInvalid
    where the files are missing: an installation without them must not say that the schema is the newest.
    """
    files = sorted(FOLDER.glob("*.sql"))
    if not files:
        raise SettingInvalid(f"this installation has no migrations: there is none in {FOLDER}")
    with wrapped():
        connection = await asyncpg.connect(database_url, password=password, timeout=_TIMEOUT, command_timeout=_TIMEOUT)
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS migration (name text PRIMARY KEY, applied_at timestamptz DEFAULT now())"
            )
            applied = {row["name"] for row in await connection.fetch("SELECT name FROM migration")}
            missing = [path for path in files if path.stem not in applied]
            for path in missing:
                async with connection.transaction():
                    await connection.execute(path.read_text())
                    await connection.execute("INSERT INTO migration (name) VALUES ($1)", path.stem)
            return [path.stem for path in missing]
        finally:
            await connection.close(timeout=_TIMEOUT)
