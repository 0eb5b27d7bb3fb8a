from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import asyncpg
import pytest
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError

from infra.client_redis import BoundedRedis
from infra.migrations import migrate
from infra.postgres import open_pool
from infra.resources import node_resources, worker_resources
from infra.secrets_aws import Password, RedisPassword, password_of
from infra.settings import Settings
from realtime.core.errors import StoreUnavailable
from tests.emulators import REGION, Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.issuer import LocalIssuer
    from infra.local.postgres import EmbeddedPostgres
    from infra.local.valkey import EmbeddedValkey

ARN = "arn:aws:secretsmanager:us-east-1:1:secret:database"


class Keeper:
    """Stands where Secrets Manager is: says what it is told to, counts who asks."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, arn: str) -> str:
        assert arn == ARN
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def secret(password: str) -> str:
    return json.dumps({"username": "rankcast", "password": password})


AWAY = ConnectionError("no way there")


async def test_many_connections_at_once_ask_once() -> None:
    keeper = Keeper(secret("one"))
    password = Password(ARN, keeper)
    assert await asyncio.gather(*(password() for _ in range(20))) == ["one"] * 20
    assert keeper.asked == 1


async def test_a_changed_password_is_used_when_the_old_answer_is_no_longer_fresh() -> None:
    now = [0.0]
    keeper = Keeper(secret("one"), secret("two"))
    password = Password(ARN, keeper, fresh=30, clock=lambda: now[0])
    assert await password() == "one"
    now[0] = 29.0
    assert await password() == "one"
    now[0] = 30.0
    assert await password() == "two"


@pytest.mark.parametrize("answer", [AWAY, "no JSON", "[]", '{"username": "x"}', '{"password": 7}'])
async def test_a_password_that_was_had_serves_while_no_newer_one_is_to_be_had(answer: str | Exception) -> None:
    now = [0.0]
    keeper = Keeper(secret("one"), answer, secret("two"))
    password = Password(ARN, keeper, fresh=30, clock=lambda: now[0])
    assert await password() == "one"
    now[0] = 31.0
    assert await password() == "one"
    assert await password() == "one"
    assert keeper.asked == 2, "the keeper is not asked again at once"
    now[0] = 62.0
    assert await password() == "two"


@pytest.mark.parametrize("answer", [AWAY, "no JSON", "[]", '{"password": 7}'])
async def test_a_password_that_was_never_had_is_a_server_that_is_away(answer: str | Exception) -> None:
    with pytest.raises(ConnectionError, match=ARN):
        await Password(ARN, Keeper(answer))()
    with pytest.raises(RedisConnectionError, match=ARN):
        await RedisPassword(Password(ARN, Keeper(answer))).get_credentials_async()
    with pytest.raises(StoreUnavailable, match=ARN):
        await open_pool(
            "postgresql://x@127.0.0.1:1/x", size=1, seconds=1, writer=True, password=Password(ARN, Keeper(answer))
        )


def test_without_an_arn_the_url_has_the_password() -> None:
    assert password_of("", Settings(database_url="", redis_url="", issuer="", jwks_url="")) is None


async def test_valkey_takes_the_password_of_the_secret_and_no_other(valkey: EmbeddedValkey) -> None:
    admin = BoundedRedis(valkey.url, seconds=5.0)
    try:
        await admin.config_set("requirepass", "the right one")
        for given, taken in (("the right one", True), ("a wrong one", False)):
            redis = BoundedRedis(
                valkey.url, seconds=5.0, credentials=RedisPassword(Password(ARN, Keeper(secret(given))))
            )
            try:
                if taken:
                    assert await redis.ping()
                else:
                    with pytest.raises(AuthenticationError):
                        await redis.ping()
            finally:
                await redis.aclose()
    finally:
        await admin.config_set("requirepass", "")
        await admin.aclose()


@pytest.fixture
def strict(postgres: EmbeddedPostgres, database_url: str) -> Iterator[str]:
    """A database whose user `keeper` has to say a password; everybody else comes in as before."""
    rules = postgres.data_dir / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"local all keeper scram-sha-256\n{before}")
    statements = ("SELECT pg_reload_conf()", "CREATE ROLE keeper SUPERUSER LOGIN PASSWORD 'one'")
    asyncio.run(run(database_url, *statements))
    try:
        yield database_url
    finally:
        rules.write_text(before)
        asyncio.run(run(postgres.url, "SELECT pg_reload_conf()", "DROP ROLE keeper"))


async def run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def test_nodes_workers_and_migrations_come_in_by_secrets_manager_before_and_after_a_change(
    ministack: Emulator,
    strict: str,
    valkey: EmbeddedValkey,
    issuer: LocalIssuer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    keeper = ministack.client("secretsmanager")
    database = keeper.create_secret(Name="unit/database", SecretString=secret("one"))["ARN"]
    cache = keeper.create_secret(Name="unit/cache", SecretString=secret("of the cache"))["ARN"]
    settings = Settings(
        database_url=as_keeper(strict),
        database_secret=database,
        redis_url=valkey.url,
        redis_secret=cache,
        issuer=issuer.issuer,
        jwks_url=issuer.jwks_url,
        aws_endpoint=ministack.url,
        aws_region=REGION,
    )
    admin = BoundedRedis(valkey.url, seconds=5.0)
    try:
        await admin.config_set("requirepass", "of the cache")
        for password in ("one", "two"):
            await run(strict, f"ALTER ROLE keeper PASSWORD '{password}'")
            keeper.put_secret_value(SecretId=database, SecretString=secret(password))
            await uses_everything(settings)
        keeper.put_secret_value(SecretId=database, SecretString=secret("a wrong one"))
        with pytest.raises(StoreUnavailable, match="password authentication failed"):
            await uses_everything(settings)
    finally:
        await admin.config_set("requirepass", "")
        await admin.aclose()


def as_keeper(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://keeper@{rest.partition('@')[2]}"


async def uses_everything(settings: Settings) -> None:
    async with node_resources(settings) as node:
        await node.boards.by_keys([])
        await node.ranking.ping()
    async with worker_resources(settings) as worker:
        await worker.outbox.claim(1)
        await worker.listener.wait(0.01)
        assert worker.listener._connection is not None
    assert await migrate(settings.database_url, password_of(settings.database_secret, settings)) == []
