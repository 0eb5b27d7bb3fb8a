"""Opens and closes everything a process talks to: the only place that does."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.boards_postgres import PostgresBoards
from infra.bus_redis import RedisBus
from infra.client_aws import AwsClient, make_client
from infra.client_redis import BoundedRedis
from infra.dead_letters_postgres import PostgresDeadLetters
from infra.dead_letters_sqs import WAIT, SqsDeadLetters
from infra.fallback_postgres import PostgresFallback
from infra.identity_jwt import JwtIdentity
from infra.ledger_postgres import PostgresLedger
from infra.nodes_redis import RedisNodes
from infra.outbox_postgres import OutboxBell, OutboxListener, PostgresOutbox
from infra.pictures_folder import FolderPictures
from infra.pictures_s3 import S3Pictures
from infra.players_postgres import PostgresPlayers
from infra.postgres import open_pool, untraced
from infra.queue_sqs import SqsQueue
from infra.ranking_redis import RedisRanking
from infra.relay import Relay
from infra.secrets_aws import Password, RedisPassword, password_of
from infra.sentinel_redis import RedisSentinel
from infra.submissions_postgres import PostgresSubmissions
from infra.warm_postgres import WarmConnections
from realtime.core.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from infra.postgres import Pool, TraceOf
    from infra.settings import Settings
    from infra.tracing import Tracing
    from realtime.core.ports import DeadLetters, Pictures

_TRACES_TIMEOUT: Final = 2.0
_BOUNDS: Final = {
    "queue_timeout": (0.1, 60),
    "queue_tries": (1, 10),
    "queue_in_flight": (1, 64),
    "queue_pause": (0, 60),
    "queue_claim": (1, 10_000),
    # SQS takes no more, and what is left of less is not worth the call.
    "queue_message": (1024, 262_144),
    "resend_after": (1, 3600),
    "sweep_every": (0.1, 3600),
}
_DOUBLINGS: Final = 4
"""So often the time doubles after which a letter is sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResources:
    """What an API node talks to."""

    submissions: PostgresSubmissions
    boards: PostgresBoards
    players: PostgresPlayers
    fallback: PostgresFallback
    bell: OutboxBell | Relay
    """Rung after a commit: it tells the workers, or sends what was committed to the queue."""
    pictures: Pictures | None
    dead_letters: DeadLetters
    outbox: PostgresOutbox
    nodes: RedisNodes
    ranking: RedisRanking
    bus: RedisBus
    identity: JwtIdentity
    tracing: Tracing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerResources:
    """What a refresh worker talks to."""

    outbox: PostgresOutbox
    nodes: RedisNodes
    listener: OutboxListener
    ledger: PostgresLedger
    boards: PostgresBoards
    players: PostgresPlayers
    folder: FolderPictures | None
    """Where pictures wait to be looked at; on AWS a function looks at them."""
    ranking: RedisRanking
    sentinel: RedisSentinel
    tracing: Tracing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureResources:
    """What the function talks to that S3 calls."""

    pictures: S3Pictures
    players: PostgresPlayers
    relay: Relay
    tracing: Tracing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionResources:
    """What the functions talk to that a queue and a clock call."""

    outbox: PostgresOutbox
    nodes: RedisNodes
    queue: SqsQueue
    relay: Relay
    ledger: PostgresLedger
    boards: PostgresBoards
    ranking: RedisRanking
    sentinel: RedisSentinel
    tracing: Tracing | None


@asynccontextmanager
async def node_resources(settings: Settings) -> AsyncIterator[NodeResources]:
    """Everything of an API node, for as long as the context lasts. Raises StoreUnavailable and SettingInvalid."""
    _check(settings)
    password = _database_password(settings)
    primary = await open_pool(
        settings.database_url,
        size=settings.pool_size,
        seconds=settings.statement_timeout,
        writer=True,
        password=password,
    )
    warm = WarmConnections(
        settings.database_url,
        size=settings.batches_in_flight + 1,
        seconds=settings.statement_timeout,
        password=password,
    )
    replica = await open_pool(
        settings.replica_url or settings.database_url,
        size=settings.pool_size,
        seconds=settings.replica_timeout,
        writer=False,
        lazy=True,
        password=password,
    )
    redis = _redis(settings)
    identity = JwtIdentity.from_settings(settings)
    aws = await _queue_client(settings) if settings.queue_url else None
    looks = await _queue_client(settings, WAIT) if settings.dead_letter_url else None
    pictures = await _pictures(settings)
    tracing = await _open_tracing(settings, "rankcast-node")
    try:
        yield NodeResources(
            submissions=PostgresSubmissions(warm),
            boards=PostgresBoards(primary, _trace(tracing)),
            players=PostgresPlayers(primary, _trace(tracing)),
            fallback=PostgresFallback(replica),
            bell=_relay(settings, primary, _queue(settings, aws), tracing) if aws else OutboxBell(primary),
            pictures=pictures,
            dead_letters=_dead_letters(settings, primary, looks),
            outbox=PostgresOutbox(primary, settings.lease),
            nodes=RedisNodes(redis, settings.beat),
            ranking=RedisRanking(redis, settings.top_cache),
            bus=RedisBus(redis, settings.redis_timeout),
            identity=identity,
            tracing=tracing,
        )
    finally:
        await _close_tracing(tracing)
        for client in (aws, looks):
            if client is not None:
                client.close()
        if isinstance(pictures, S3Pictures):
            pictures.close()
        await identity.aclose()
        await redis.aclose()
        await warm.close()
        primary.terminate()
        replica.terminate()


@asynccontextmanager
async def worker_resources(settings: Settings) -> AsyncIterator[WorkerResources]:
    """Everything of a refresh worker, for as long as the context lasts. Raises StoreUnavailable and SettingInvalid."""
    _check(settings)
    password = _database_password(settings)
    pool = await open_pool(settings.database_url, size=8, seconds=60.0, writer=True, password=password)
    redis = _redis(settings)
    listener = OutboxListener(settings.database_url, settings.statement_timeout, password)
    tracing = await _open_tracing(settings, "rankcast-worker")
    try:
        yield WorkerResources(
            outbox=PostgresOutbox(pool, settings.lease),
            nodes=RedisNodes(redis, settings.beat),
            listener=listener,
            ledger=PostgresLedger(pool),
            boards=PostgresBoards(pool),
            players=PostgresPlayers(pool, _trace(tracing)),
            folder=_folder(settings),
            ranking=RedisRanking(redis, settings.top_cache),
            sentinel=RedisSentinel(redis),
            tracing=tracing,
        )
    finally:
        await _close_tracing(tracing)
        await listener.close()
        await redis.aclose()
        pool.terminate()


@asynccontextmanager
async def function_resources(settings: Settings) -> AsyncIterator[FunctionResources]:
    """Everything of a function, for as long as the context lasts. Connected at the first use: a function that finds the store away has
    still to tell the queue so. Raises SettingInvalid where there is no queue.
    """  # noqa: D205 - one thought
    if not settings.queue_url or not settings.dead_letter_url:
        raise SettingInvalid("a function needs RANKCAST_QUEUE_URL and RANKCAST_DEAD_LETTER_URL")
    _check(settings)
    password = _database_password(settings)
    pool = await open_pool(settings.database_url, size=8, seconds=60.0, writer=True, lazy=True, password=password)
    redis = _redis(settings)
    aws = await _queue_client(settings)
    queue = _queue(settings, aws)
    tracing = await _open_tracing(settings, "rankcast-refresh")
    try:
        yield FunctionResources(
            outbox=PostgresOutbox(pool, settings.resend_after, _DOUBLINGS),
            nodes=RedisNodes(redis, settings.beat),
            queue=queue,
            relay=_relay(settings, pool, queue, tracing),
            ledger=PostgresLedger(pool),
            boards=PostgresBoards(pool),
            ranking=RedisRanking(redis, settings.top_cache),
            sentinel=RedisSentinel(redis),
            tracing=tracing,
        )
    finally:
        await _close_tracing(tracing)
        aws.close()
        await redis.aclose()
        pool.terminate()


@asynccontextmanager
async def picture_resources(settings: Settings) -> AsyncIterator[PictureResources]:
    """Everything of the function that looks at uploads, connected at the first use. Raises SettingInvalid."""
    if not settings.pictures_bucket or not settings.queue_url:
        raise SettingInvalid("this function needs RANKCAST_PICTURES_BUCKET and RANKCAST_QUEUE_URL")
    _check(settings)
    password = _database_password(settings)
    pool = await open_pool(settings.database_url, size=2, seconds=20.0, writer=True, lazy=True, password=password)
    aws = await _queue_client(settings)
    pictures = await S3Pictures.open(settings)
    tracing = await _open_tracing(settings, "rankcast-pictures")
    try:
        yield PictureResources(
            pictures=pictures,
            players=PostgresPlayers(pool, _trace(tracing)),
            relay=_relay(settings, pool, _queue(settings, aws), tracing),
            tracing=tracing,
        )
    finally:
        await _close_tracing(tracing)
        pictures.close()
        aws.close()
        pool.terminate()


async def _pictures(settings: Settings) -> Pictures | None:
    return await S3Pictures.open(settings) if settings.pictures_bucket else _folder(settings)


def _folder(settings: Settings) -> FolderPictures | None:
    if settings.pictures_bucket or not settings.pictures_folder:
        return None
    return FolderPictures(Path(settings.pictures_folder))


async def _queue_client(settings: Settings, waits: float = 0.0) -> AwsClient:
    """A client whose calls the service may keep waiting for so long on purpose."""
    return await asyncio.to_thread(
        AwsClient.open,
        "sqs",
        settings,
        threads=settings.queue_in_flight,
        seconds=settings.queue_timeout + waits,
        tries=settings.queue_tries,
    )


def _queue(settings: Settings, aws: AwsClient) -> SqsQueue:
    return SqsQueue(
        aws,
        settings.queue_url,
        settings.dead_letter_url,
        message=settings.queue_message,
        tries=settings.queue_tries,
    )


async def _open_tracing(settings: Settings, service: str) -> Tracing | None:
    """The spans of a process; loaded only where they are asked for."""
    if not settings.traces:
        return None
    from infra.traces_xray import XRayExporter  # noqa: PLC0415 - who has no traces does not pay for them
    from infra.tracing import Tracing  # noqa: PLC0415 - likewise

    aws = replace(settings, aws_endpoint=settings.traces_endpoint or settings.aws_endpoint)
    client = await asyncio.to_thread(make_client, "xray", aws, threads=1, seconds=_TRACES_TIMEOUT, tries=1)
    return Tracing(XRayExporter(client), service, share=settings.trace_share, rate=settings.trace_rate)


def _trace(tracing: Tracing | None) -> TraceOf:
    return untraced if tracing is None else tracing.header


def _check(settings: Settings) -> None:
    """Before anything is opened. Raises SettingInvalid."""
    for name, (least, most) in _BOUNDS.items():
        if not least <= getattr(settings, name) <= most:
            raise SettingInvalid(f"RANKCAST_{name.upper()} must be from {least} to {most}")
    if settings.traces not in {"", "xray"}:
        raise SettingInvalid(f"RANKCAST_TRACES must be xray or empty, not {settings.traces!r}")
    if settings.traces and find_spec("opentelemetry") is None:
        raise SettingInvalid("RANKCAST_TRACES needs what is installed by: pip install 'rankcast[aws]'")


async def _close_tracing(tracing: Tracing | None) -> None:
    if tracing is not None:
        await asyncio.to_thread(tracing.close)


def _relay(settings: Settings, pool: Pool, queue: SqsQueue, tracing: Tracing | None = None) -> Relay:
    return Relay(
        PostgresOutbox(pool, settings.resend_after, _DOUBLINGS),
        queue,
        claim=settings.queue_claim,
        in_flight=settings.queue_in_flight,
        pause=settings.queue_pause,
        sweep_every=settings.sweep_every,
        tracing=tracing,
    )


def _dead_letters(settings: Settings, pool: Pool, aws: AwsClient | None) -> DeadLetters:
    rows = PostgresDeadLetters(pool)
    if aws is None or not settings.queue_url:
        return rows
    return SqsDeadLetters(rows, aws, settings.queue_url, settings.dead_letter_url)


def _database_password(settings: Settings) -> Password | None:
    return password_of(settings.database_secret, settings)


def _redis(settings: Settings) -> BoundedRedis:
    password = password_of(settings.redis_secret, settings)
    return BoundedRedis(
        settings.redis_url, seconds=settings.redis_timeout, credentials=RedisPassword(password) if password else None
    )
