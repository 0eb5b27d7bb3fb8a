from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from infra import migrations
from infra.migrations import migrate
from realtime.core.errors import SettingInvalid, StoreUnavailable

if TYPE_CHECKING:
    from infra.local.postgres import EmbeddedPostgres


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> str:
    return postgres.create_database("empty")


async def fetch(url: str, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close(timeout=10)


async def test_several_processes_at_once_apply_each_file_once(empty: str) -> None:
    names = [path.stem for path in sorted(migrations.FOLDER.glob("*.sql"))]
    applied = await asyncio.gather(*(migrate(empty) for _ in range(4)))
    assert sorted(applied, key=len) == [[], [], [], names]
    assert await fetch(empty, "SELECT name FROM migration ORDER BY name") == [(name,) for name in names]
    assert await migrate(empty) == []


async def test_a_new_file_is_applied_to_a_database_that_has_the_others(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "FOLDER", tmp_path)
    (tmp_path / "0901_more.sql").write_text("CREATE TABLE more (n integer); INSERT INTO more VALUES (1);")
    assert await migrate(database_url) == ["0901_more"]
    assert await fetch(database_url, "SELECT n FROM more") == [(1,)]


async def test_a_file_that_fails_leaves_nothing_of_itself_and_can_be_mended(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "FOLDER", tmp_path)
    (tmp_path / "0901_half.sql").write_text("CREATE TABLE half (n integer); SELECT 1/0;")
    with pytest.raises(StoreUnavailable):
        await migrate(database_url)
    assert await fetch(database_url, "SELECT to_regclass('half')::text") == [(None,)]
    (tmp_path / "0901_half.sql").write_text("CREATE TABLE half (n integer);")
    assert await migrate(database_url) == ["0901_half"]


async def test_a_server_that_is_away_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await migrate(f"postgresql://nobody@/none?host={tmp_path}")


async def test_an_installation_without_migrations_does_not_pass_for_the_newest(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "FOLDER", tmp_path)
    with pytest.raises(SettingInvalid, match="no migrations"):
        await migrate(database_url)
