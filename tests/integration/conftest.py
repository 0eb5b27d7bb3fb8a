"""Parts that the tests of one module share: those tests keep apart by the names of their boards and players."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Iterator

import pytest

from infra.local.issuer import LocalIssuer
from infra.local.postgres import EmbeddedPostgres
from infra.local.valkey import EmbeddedValkey
from infra.migrations import migrate
from infra.settings import Settings
from tests.harness import PATIENCE, Stack
from tests.integration.held import HeldStack

_numbers = itertools.count(1)
# How long the service waits where the machine is slow and nothing is away; who tests the waiting sets it shorter.
PATIENT = {
    "after_timeout": PATIENCE * 0.75,
    "subscribe_timeout": PATIENCE * 0.75,
    "redis_timeout": PATIENCE,
    "replica_timeout": PATIENCE / 2,
    "statement_timeout": PATIENCE,
}


@pytest.fixture(scope="module")
def shared(
    postgres: EmbeddedPostgres, issuer: LocalIssuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HeldStack]:
    """A stack for a whole module. Its tests and fixtures run in one loop: `pytest.mark.asyncio(loop_scope="module")`."""
    url = postgres.create_database(f"shared_{next(_numbers)}")
    asyncio.run(migrate(url))
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as valkey:
        yield HeldStack(
            Settings(database_url=url, redis_url=valkey.url, issuer=issuer.issuer, jwks_url=issuer.jwks_url, **PATIENT),
            issuer,
        )


@pytest.fixture
def stack(stack: Stack) -> Stack:
    """As everywhere, and patient."""
    return dataclasses.replace(stack, settings=dataclasses.replace(stack.settings, **PATIENT))


@pytest.fixture
def held(stack: Stack) -> HeldStack:
    """A stack of a test's own."""
    return HeldStack(stack.settings, stack.issuer)


@pytest.fixture
def board(request: pytest.FixtureRequest) -> str:
    """The name of a board that no other test has."""
    return f"b{next(_numbers)}.{request.function.__name__.removeprefix('test_')}"[:48]
