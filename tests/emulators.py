"""AWS APIs on this machine: two emulators, each a process of its own out of an environment of its own.

Their pins clash with ours, so they live under `.emulators/`, made by `make emulators`. A test that asks for one that is missing is
skipped and says so.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3
import httpx
import pytest
from botocore.config import Config

from tests.harness import UNENCRYPTED, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = Path(__file__).parent.parent / ".emulators"
REGION = "us-east-1"
_PATIENCE = 30.0
_QUIET = Config(connect_timeout=2, read_timeout=60, retries={"max_attempts": 1})


def tool(environment: str, program: str) -> Path:
    """A program of an environment under `.emulators/`; the test is skipped where it is missing."""
    path = HOME / environment / "bin" / program
    if not path.exists():
        pytest.skip(f"{program} is missing: make emulators")
    return path


@dataclass(slots=True)
class Emulator:
    """One emulator that runs. `stop` and `start` take it away and bring it back, empty, at the same address."""

    command: list[str]
    environ: dict[str, str]
    port: int
    health: str
    log: Path
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def client(self, service: str, **given: Any) -> Any:
        """A boto3 client that speaks to it."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            **{"config": _QUIET} | given,
        )

    def start(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, env=self.environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(self.url + self.health, trust_env=False, verify=UNENCRYPTED).status_code < 500:
                    return self
            time.sleep(0.05)
        raise AssertionError(f"the emulator does not answer; its log ends:\n{self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def make_ministack(folder: Path, **environ: str) -> Emulator:
    """SQS, Lambda, Cognito, S3, CloudFormation: not started yet."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    return Emulator(
        command=[str(tool("ministack", "ministack"))],
        environ={
            "PATH": os.defpath,
            "HOME": str(folder),
            "TMPDIR": str(folder),
            # It would listen on every address, open a port for MQTT, and look for a Docker engine.
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "DOCKER_HOST": "unix:///nonexistent",
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }
        | environ,
        port=port,
        health="/_ministack/health",
        log=folder / "ministack.log",
    )


def make_moto(folder: Path) -> Emulator:
    """CloudWatch, Logs, X-Ray: not started yet."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    return Emulator(
        command=[str(tool("moto", "moto_server")), "--host", "127.0.0.1", "--port", str(port)],
        environ={"PATH": os.defpath, "HOME": str(folder), "AWS_DEFAULT_REGION": REGION},
        port=port,
        health="/moto-api/",
        log=folder / "moto.log",
    )


@pytest.fixture(scope="session")
def ministack() -> Iterator[Emulator]:
    """One for the run: tests keep apart by the names of what they make. Who stops it makes one of its own."""
    with tempfile.TemporaryDirectory(prefix="rankcast-aws-") as folder, make_ministack(Path(folder)) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def moto() -> Iterator[Emulator]:
    """Likewise."""
    with tempfile.TemporaryDirectory(prefix="rankcast-aws-") as folder, make_moto(Path(folder)) as emulator:
        yield emulator
