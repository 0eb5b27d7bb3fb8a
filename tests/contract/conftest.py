"""Every adapter of a port, one after the other, on real servers that the whole run shares."""

from __future__ import annotations

import asyncio
import itertools
import locale
import shutil
import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from infra.boards_postgres import PostgresBoards
from infra.client_aws import AwsClient
from infra.client_redis import BoundedRedis
from infra.dead_letters_memory import MemoryDeadLetters
from infra.dead_letters_postgres import PostgresDeadLetters
from infra.dead_letters_sqs import SqsDeadLetters
from infra.fallback_postgres import PostgresFallback
from infra.ledger_postgres import PostgresLedger
from infra.local.valkey import EmbeddedValkey
from infra.migrations import migrate
from infra.nodes_memory import MemoryNodes
from infra.nodes_redis import RedisNodes
from infra.outbox_postgres import PostgresOutbox
from infra.pictures_folder import FolderPictures
from infra.pictures_s3 import S3Pictures
from infra.players_postgres import PostgresPlayers
from infra.postgres import open_pool
from infra.settings import Settings
from infra.submissions_postgres import PostgresSubmissions
from infra.warm_postgres import WarmConnections
from tests.contract.adapters import LEASE, InMemory, InRedis, Ranked, Stored, in_memory, whole
from tests.contract.one_board import EPOCH, KEY
from tests.contract.pictured import Pictured, PicturedInFolder, PicturedInMemory, PicturedInS3
from tests.contract.queued import Queued, QueuedInMemory, QueuedInSqs
from tests.emulators import REGION, Emulator
from tests.harness import PATIENCE, free_port
from tests.queues import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from infra.local.postgres import EmbeddedPostgres
    from realtime.core.ports import DeadLetters, Nodes
    from tests.queues import Queues

LOCALE = "en_US.UTF-8"
_numbers = itertools.count(1)
BLANK = Settings(database_url="", redis_url="", issuer="", jwks_url="")
_EMPTY = """
DELETE FROM outbox; DELETE FROM entry; DELETE FROM player; DELETE FROM idempotency; DELETE FROM season; DELETE FROM board
"""


@pytest.fixture(scope="session")
def plain_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def foreign_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """A Valkey that collates as English does, where this machine knows how that is."""
    folder = tmp_path_factory.mktemp("locales")
    with EmbeddedValkey(
        tmp_path_factory.mktemp("valkey") / "data", locale=LOCALE, locale_path=_made_in(folder)
    ) as server:
        yield server


def _made_in(folder: Path) -> Path | None:
    """Where the locale was made; None where the system has it. Skips, naming what is missing."""
    tool = shutil.which("localedef")
    reason = "there is no localedef (package libc-bin)"
    if tool is not None:
        made = subprocess.run(
            [tool, "-i", "en_US", "-f", "UTF-8", str(folder / LOCALE)], check=False, capture_output=True, text=True
        )
        if made.returncode == 0:
            return folder
        reason = f"localedef cannot make {LOCALE} (package locales): {made.stderr.strip()}"
    if not _system_has(LOCALE):
        pytest.skip(reason)
    return None


def _system_has(name: str) -> bool:
    before = locale.setlocale(locale.LC_COLLATE)
    try:
        locale.setlocale(locale.LC_COLLATE, name)
    except locale.Error:
        return False
    locale.setlocale(locale.LC_COLLATE, before)
    return True


@pytest.fixture(params=["memory", "redis", "redis-en_US"])
async def ranked(request: pytest.FixtureRequest) -> AsyncIterator[Ranked]:
    if request.param == "memory":
        yield InMemory()
        return
    server = request.getfixturevalue("plain_valkey" if request.param == "redis" else "foreign_valkey")
    async with in_redis(server) as adapter:
        yield adapter


@pytest.fixture
async def board(ranked: Ranked) -> Ranked:
    """The ranking with one empty board."""
    await whole(ranked, KEY, EPOCH)
    return ranked


@pytest.fixture
async def redis_ranked(plain_valkey: EmbeddedValkey) -> AsyncIterator[InRedis]:
    async with in_redis(plain_valkey) as adapter:
        yield adapter


@asynccontextmanager
async def in_redis(server: EmbeddedValkey) -> AsyncIterator[InRedis]:
    redis = BoundedRedis(server.url, seconds=5.0)
    await redis.flushall()
    adapter = InRedis(redis)
    listening = asyncio.create_task(adapter.bus.run())
    try:
        yield adapter
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await redis.aclose()


@pytest.fixture(scope="session")
def shared_database(postgres: EmbeddedPostgres) -> str:
    url = postgres.create_database("contract")
    asyncio.run(migrate(url))
    return url


@pytest.fixture
async def in_postgres(shared_database: str) -> AsyncIterator[Stored]:
    pool = await open_pool(shared_database, size=8, seconds=10, writer=True)
    replica = await open_pool(shared_database, size=2, seconds=10, writer=False, lazy=True)
    warm = WarmConnections(shared_database, size=4, seconds=10)
    try:
        await pool.execute(_EMPTY)
        yield _stored(pool, replica, warm)
    finally:
        await warm.close()
        await pool.close()
        await replica.close()


def _stored(pool: asyncpg.Pool, replica: asyncpg.Pool, warm: WarmConnections) -> Stored:
    async def expire() -> None:
        await pool.execute(
            "UPDATE outbox SET leased_until = '-infinity' WHERE leased_until < now() + interval '1 hour'"
        )

    async def fail_over() -> None:
        # As a standby would find it: the timeline that it was promoted from stands in the table.
        await pool.execute("UPDATE timeline SET id = '00000000'")

    return Stored(
        PostgresSubmissions(warm),
        PostgresBoards(pool),
        PostgresPlayers(pool),
        PostgresOutbox(pool, LEASE),
        PostgresLedger(pool),
        PostgresFallback(replica),
        expire,
        fail_over,
    )


@pytest.fixture(params=["memory", "postgres"])
def stored(request: pytest.FixtureRequest) -> Stored:
    return in_memory() if request.param == "memory" else request.getfixturevalue("in_postgres")


@pytest.fixture(params=["memory", "redis"])
async def nodes(request: pytest.FixtureRequest) -> AsyncIterator[Nodes]:
    """A beat is due every five seconds."""
    if request.param == "memory":
        yield MemoryNodes(5.0)
        return
    server: EmbeddedValkey = request.getfixturevalue("plain_valkey")
    redis = BoundedRedis(server.url, seconds=5.0)
    await redis.flushall()
    yield RedisNodes(redis, 5.0)
    await redis.aclose()


@pytest.fixture(params=["memory", "folder", "s3"])
async def pictured(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Pictured]:
    if request.param == "memory":
        yield PicturedInMemory()
    elif request.param == "folder":
        yield PicturedInFolder(FolderPictures(tmp_path))
    else:
        emulator: Emulator = request.getfixturevalue("ministack")
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        s3 = emulator.client("s3")
        bucket = f"pictures-{next(_numbers)}"
        s3.create_bucket(Bucket=bucket)
        pictures = await S3Pictures.open(
            replace(BLANK, pictures_bucket=bucket, aws_endpoint=emulator.url, aws_region=REGION)
        )
        yield PicturedInS3(pictures, s3, bucket)
        pictures.close()
        s3.close()


@dataclass(slots=True)
class Buried:
    """Dead letters, with the store and the queue that they come from."""

    letters: DeadLetters
    stored: Stored
    queued: Queued


@pytest.fixture
async def in_sqs(queues: Queues) -> AsyncIterator[QueuedInSqs]:
    async with _in_sqs(queues) as adapter:
        yield adapter


@pytest.fixture
async def in_sqs_away(queues: Queues) -> AsyncIterator[QueuedInSqs]:
    async with _in_sqs(queues, aws_endpoint=f"http://127.0.0.1:{free_port()}") as adapter:
        yield adapter


@asynccontextmanager
async def _in_sqs(queues: Queues, **changes: Any) -> AsyncIterator[QueuedInSqs]:
    client = AwsClient.open("sqs", queues.settings(BLANK, **changes), threads=4, seconds=PATIENCE, tries=1)
    try:
        yield QueuedInSqs(queues, client)
    finally:
        client.close()


@pytest.fixture(params=["memory", "sqs"])
def queued(request: pytest.FixtureRequest) -> Queued:
    return QueuedInMemory() if request.param == "memory" else request.getfixturevalue("in_sqs")


@pytest.fixture(params=["memory", "sqs"])
def queued_away(request: pytest.FixtureRequest) -> Queued:
    return queue_away() if request.param == "memory" else request.getfixturevalue("in_sqs_away")


def queue_away() -> QueuedInMemory:
    adapter = QueuedInMemory()
    adapter.queue.away = True
    return adapter


@pytest.fixture(params=["memory", "memory+queue", "postgres", "postgres+sqs"])
def buried(request: pytest.FixtureRequest) -> Buried:
    match request.param:
        case "memory":
            return buried_in_memory(None)
        case "memory+queue":
            return buried_in_memory(QueuedInMemory())
        case "postgres":
            stored = request.getfixturevalue("in_postgres")
            return Buried(PostgresDeadLetters(stored.outbox._pool), stored, QueuedInMemory())
    return buried_in_sqs(request, "in_sqs")


@pytest.fixture(params=["memory", "sqs"])
def buried_queued(request: pytest.FixtureRequest) -> Buried:
    return buried_in_memory(QueuedInMemory()) if request.param == "memory" else buried_in_sqs(request, "in_sqs")


@pytest.fixture(params=["memory", "sqs"])
def buried_away(request: pytest.FixtureRequest) -> Buried:
    return buried_in_memory(queue_away()) if request.param == "memory" else buried_in_sqs(request, "in_sqs_away")


def buried_in_memory(held: QueuedInMemory | None) -> Buried:
    stored = in_memory()
    outbox: Any = stored.outbox
    return Buried(MemoryDeadLetters(outbox._store, held and held.queue), stored, held or QueuedInMemory())


def buried_in_sqs(request: pytest.FixtureRequest, queue: str) -> Buried:
    stored = request.getfixturevalue("in_postgres")
    sent: QueuedInSqs = request.getfixturevalue(queue)
    rows = PostgresDeadLetters(stored.outbox._pool)
    return Buried(SqsDeadLetters(rows, sent.client, sent.queues.url, sent.queues.dead_url), stored, sent)
