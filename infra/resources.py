"""Opens and closes everything a process talks to: the only place that does."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.boards_postgres import PostgresBoards
from infra.bus_redis import RedisBus
from infra.client_redis import BoundedRedis
from infra.fallback_postgres import PostgresFallback
from infra.identity_jwt import JwtIdentity
from infra.ledger_postgres import PostgresLedger
from infra.outbox_postgres import OutboxBell, OutboxListener, PostgresOutbox
from infra.players_postgres import PostgresPlayers
from infra.postgres import open_pool
from infra.ranking_redis import RedisRanking
from infra.secrets_aws import Password, RedisPassword, password_of
from infra.sentinel_redis import RedisSentinel
from infra.submissions_postgres import PostgresSubmissions
from infra.warm_postgres import WarmConnections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from infra.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResources:
    """What an API node talks to."""

    submissions: PostgresSubmissions
    boards: PostgresBoards
    players: PostgresPlayers
    fallback: PostgresFallback
    bell: OutboxBell
    ranking: RedisRanking
    bus: RedisBus
    identity: JwtIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerResources:
    """What a refresh worker talks to."""

    outbox: PostgresOutbox
    listener: OutboxListener
    ledger: PostgresLedger
    boards: PostgresBoards
    ranking: RedisRanking
    sentinel: RedisSentinel


@asynccontextmanager
async def node_resources(settings: Settings) -> AsyncIterator[NodeResources]:
    """Everything of an API node, for as long as the context lasts. Raises StoreUnavailable."""
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
    try:
        yield NodeResources(
            submissions=PostgresSubmissions(warm),
            boards=PostgresBoards(primary),
            players=PostgresPlayers(primary),
            fallback=PostgresFallback(replica),
            bell=OutboxBell(primary),
            ranking=RedisRanking(redis, settings.top_cache),
            bus=RedisBus(redis, settings.redis_timeout),
            identity=identity,
        )
    finally:
        await identity.aclose()
        await redis.aclose()
        await warm.close()
        primary.terminate()
        replica.terminate()


@asynccontextmanager
async def worker_resources(settings: Settings) -> AsyncIterator[WorkerResources]:
    """Everything of a refresh worker, for as long as the context lasts. Raises StoreUnavailable."""
    password = _database_password(settings)
    pool = await open_pool(settings.database_url, size=8, seconds=60.0, writer=True, password=password)
    redis = _redis(settings)
    listener = OutboxListener(settings.database_url, settings.statement_timeout, password)
    try:
        yield WorkerResources(
            outbox=PostgresOutbox(pool, settings.lease),
            listener=listener,
            ledger=PostgresLedger(pool),
            boards=PostgresBoards(pool),
            ranking=RedisRanking(redis, settings.top_cache),
            sentinel=RedisSentinel(redis),
        )
    finally:
        await listener.close()
        await redis.aclose()
        pool.terminate()


def _database_password(settings: Settings) -> Password | None:
    return password_of(settings.database_secret, settings)


def _redis(settings: Settings) -> BoundedRedis:
    password = password_of(settings.redis_secret, settings)
    return BoundedRedis(
        settings.redis_url, seconds=settings.redis_timeout, credentials=RedisPassword(password) if password else None
    )
