"""The real parts every test may ask for: one PostgreSQL a run, a database and a Valkey a test."""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from hypothesis import settings as hypothesis_settings

from infra.local.issuer import LocalIssuer
from infra.local.postgres import EmbeddedPostgres
from infra.local.valkey import EmbeddedValkey
from infra.migrations import migrate
from infra.settings import Settings
from tests.emulators import ministack, moto  # noqa: F401 - fixtures
from tests.harness import Stack, free_port
from tests.packages import functions, packaging  # noqa: F401 - fixtures
from tests.queues import queues  # noqa: F401 - fixtures
from tests.xray import xray  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from collections.abc import Iterator

# A loaded machine is slow; that is no finding.
hypothesis_settings.register_profile("rankcast", deadline=None)
hypothesis_settings.load_profile("rankcast")

_TEMPLATE = "rankcast_template"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    # Not pytest's own folder: a second run by root closes that one to the server's user.
    with (
        tempfile.TemporaryDirectory(prefix="rankcast-test-") as folder,
        # Nobody cuts this machine's power, and each of a hundred databases would be written through to the disk.
        EmbeddedPostgres(Path(folder, "data"), max_connections=200, options={"fsync": "off"}) as server,
    ):
        server.create_database(_TEMPLATE)
        asyncio.run(migrate(server.url_of(_TEMPLATE)))
        yield server


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    asyncio.run(_execute(postgres.url, f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY file_copy"))
    yield postgres.url_of(name)
    asyncio.run(_execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close(timeout=10)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    # On a port that is its own while it is stopped, too: nodes look for it where it was.
    with EmbeddedValkey(tmp_path / "valkey", free_port()) as server:
        yield server


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> LocalIssuer:
    return LocalIssuer(tmp_path_factory.mktemp("issuer"))


@pytest.fixture
def stack(database_url: str, valkey: EmbeddedValkey, issuer: LocalIssuer) -> Stack:
    settings = Settings(database_url=database_url, redis_url=valkey.url, issuer=issuer.issuer, jwks_url=issuer.jwks_url)
    return Stack(settings, issuer)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where everything was installed (.ci/run), a skipped test is a hole."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped and os.environ.get("RANKCAST_TEST_COMPLETE"):
        terminalreporter.write_line(f"{len(skipped)} skipped, though nothing should be missing here", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("RANKCAST_TEST_COMPLETE") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
