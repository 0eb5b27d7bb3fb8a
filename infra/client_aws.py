"""Calls to AWS off the event loop: boto3 in a bounded pool of threads.

boto3 is imported where the first client is made: who is not on AWS does not pay for it.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.settings import Settings

_CONNECT: Final = 2.0


class AwsClient:
    """A client of one service. At most `threads` calls at once; the others wait for their turn.

    Each call may take `seconds` between two bytes, and is tried `tries` times where the network or the service fails.
    """

    def __init__(self, client: Any, *, threads: int, seconds: float, tries: int) -> None:
        self._client = client
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="aws")
        self._turn = asyncio.Semaphore(threads)
        # A name server that hangs is beyond the driver's time-outs.
        self._bound = 2 * tries * (seconds + min(seconds, _CONNECT))

    @classmethod
    def open(cls, service: str, settings: Settings, *, threads: int, seconds: float, tries: int, **config: Any) -> Self:
        """A client of `service` in the settings' region; `config` is botocore's, beside that.

        It connects at its first call. Takes a while: not for the loop.
        """
        return cls(
            make_client(service, settings, threads=threads, seconds=seconds, tries=tries, **config),
            threads=threads,
            seconds=seconds,
            tries=tries,
        )

    async def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """The answer to an operation (snake case). Raises botocore's ClientError and BotoCoreError, and TimeoutError."""
        act: Callable[[], dict[str, Any]] = partial(getattr(self._client, operation), **arguments)
        async with asyncio.timeout(self._bound), self._turn:
            return await asyncio.get_running_loop().run_in_executor(self._threads, act)

    def close(self) -> None:
        """Let go of the connections; calls under way end by their time-outs."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()


@cache
def _descriptions() -> Any:
    """Of the services and of where they are. Two megabytes of JSON, which each session would read anew."""
    from botocore.loaders import create_loader  # noqa: PLC0415 - as below

    return create_loader()


def make_client(service: str, settings: Settings, *, threads: int, seconds: float, tries: int, **config: Any) -> Any:
    """A boto3 client for `threads` threads: who is off the loop may call it as it is."""
    from boto3.session import Session  # noqa: PLC0415 - half a second, for those who are on AWS
    from botocore.config import Config  # noqa: PLC0415 - likewise
    from botocore.session import get_session  # noqa: PLC0415 - likewise

    below = get_session()
    below.register_component("data_loader", _descriptions())
    return Session(botocore_session=below).client(
        service,
        region_name=settings.aws_region or None,
        endpoint_url=settings.aws_endpoint or None,
        config=Config(
            connect_timeout=min(seconds, _CONNECT),
            read_timeout=seconds,
            max_pool_connections=threads,
            retries={"total_max_attempts": tries, "mode": "standard"},
            tcp_keepalive=True,
            **config,
        ),
    )
