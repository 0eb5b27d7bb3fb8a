"""Passwords that AWS Secrets Manager keeps: read when a connection is made, never written down.

RDS changes the master password of a managed secret every week, so none is read once and kept: each new connection asks, and an
answer serves for `fresh` seconds.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog
from redis.credentials import CredentialProvider
from redis.exceptions import ConnectionError as RedisConnectionError

from infra.client_aws import make_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.settings import Settings

_FRESH: Final = 30.0
_KEY: Final = "password"
_TIMEOUT: Final = 2.0
_TRIES: Final = 2

log = structlog.get_logger()


class Password:
    """The `password` in the JSON of one secret; an object of this is what asyncpg takes for a password.

    read: the secret's text by its ARN; may block, may raise OSError.
    fresh: seconds for which an answer serves. After that it serves only while no newer one is to be had.
    """

    def __init__(
        self,
        arn: str,
        read: Callable[[str], str],
        *,
        fresh: float = _FRESH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._arn = arn
        self._read = read
        self._fresh = fresh
        self._clock = clock
        self._value: str | None = None
        self._until = 0.0
        self._turn = asyncio.Lock()

    async def __call__(self) -> str:
        """The password. Raises ConnectionError when it was never had: for who connects it is as if the server were away."""
        async with self._turn:
            if self._value is None or self._clock() >= self._until:
                await self._renew()
            assert self._value is not None  # noqa: S101 - else renewing has raised
            return self._value

    async def _renew(self) -> None:
        try:
            self._value = _password_in(await asyncio.to_thread(self._read, self._arn))
        except (OSError, ValueError) as error:
            if self._value is None:
                raise ConnectionError(f"the secret {self._arn}: {error}") from error
            log.warning("the password could not be read anew", secret=self._arn, error=str(error))
        self._until = self._clock() + self._fresh


class RedisPassword(CredentialProvider):
    """The same as what redis-py asks for who it is; the user is the default one."""

    def __init__(self, password: Password) -> None:
        self._password = password

    def get_credentials(self) -> tuple[str]:
        """See redis-py; only the asynchronous form is of use here."""
        raise NotImplementedError

    async def get_credentials_async(self) -> tuple[str]:
        """See redis-py, whose ConnectionError it raises."""
        try:
            return (await self._password(),)
        except ConnectionError as error:
            raise RedisConnectionError(str(error)) from error


def password_of(arn: str, settings: Settings) -> Password | None:
    """The password in a secret; None without an ARN: it is in the URL then."""
    return Password(arn, _Reader(settings)) if arn else None


class _Reader:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Any = None

    def __call__(self, arn: str) -> str:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - for those alone who are on AWS

        try:
            if self._client is None:
                self._client = make_client("secretsmanager", self._settings, threads=1, seconds=_TIMEOUT, tries=_TRIES)
            text: str = self._client.get_secret_value(SecretId=arn)["SecretString"]
        except (BotoCoreError, ClientError) as error:
            raise ConnectionError(str(error)) from error
        return text


def _password_in(text: str) -> str:
    value = orjson.loads(text)
    if isinstance(value, dict) and isinstance(password := value.get(_KEY), str):
        return password
    raise ValueError(f"not a JSON object with a {_KEY}")
