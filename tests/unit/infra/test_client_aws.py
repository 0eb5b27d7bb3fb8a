from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from infra.client_aws import AwsClient
from infra.settings import Settings
from tests.harness import free_port
from tests.queues import CREDENTIALS

PATIENCE = 10.0
BLANK = Settings(database_url="", redis_url="", issuer="", jwks_url="")


class Blocking:
    """A client whose calls stand still until they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.now = 0
        self.most = 0
        self.threads: set[str] = set()
        self.closed = False
        self._lock = threading.Lock()

    def act(self, *, value: int) -> dict[str, int]:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.threads.add(threading.current_thread().name)
        self.go.wait(PATIENCE)
        with self._lock:
            self.now -= 1
        return {"value": value}

    def close(self) -> None:
        self.closed = True


async def test_calls_run_beside_the_loop_so_many_at_once_and_no_more() -> None:
    blocking = Blocking()
    client = AwsClient(blocking, threads=3, seconds=PATIENCE, tries=1)
    calls = [asyncio.create_task(client.call("act", value=value)) for value in range(10)]
    while blocking.now < 3:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
    assert blocking.now == 3
    blocking.go.set()
    assert [answer["value"] for answer in await asyncio.gather(*calls)] == list(range(10))
    assert blocking.most == 3
    assert len(blocking.threads) <= 3
    client.close()
    assert blocking.closed


async def test_a_call_that_never_ends_is_given_up() -> None:
    blocking = Blocking()
    client = AwsClient(blocking, threads=1, seconds=0.05, tries=1)
    with pytest.raises(TimeoutError):
        await client.call("act", value=1)
    blocking.go.set()
    client.close()


async def test_an_endpoint_where_nobody_listens_fails_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    where: dict[str, Any] = {"aws_endpoint": f"http://127.0.0.1:{free_port()}", "aws_region": "us-east-1"}
    settings = Settings(database_url="", redis_url="", issuer="", jwks_url="", **where)
    client = AwsClient.open("sqs", settings, threads=1, seconds=1.0, tries=1)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(EndpointConnectionError):
            await client.call("list_queues")
    client.close()


@pytest.mark.parametrize("module", ["api.app", "workers.process"])
def test_who_is_not_on_aws_does_not_load_its_library(module: str) -> None:
    code = f"import sys, {module}; sys.exit(any(name.split('.')[0] in ('boto3', 'botocore') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
