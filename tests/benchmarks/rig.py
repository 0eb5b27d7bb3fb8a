"""Starts what is measured: the real stack as processes of its own, peers, and the load client."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from infra.local.issuer import LocalIssuer
from infra.local.postgres import EmbeddedPostgres
from infra.local.valkey import EmbeddedValkey
from infra.migrations import migrate
from infra.settings import Settings
from tests.harness import free_port, ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report. `ratio` is ours to theirs; `target` is what it must reach, or stay under."""

    what: str
    ours: str
    theirs: str
    ratio: float
    target: str


@dataclass(slots=True)
class Rig:
    settings: Settings
    issuer: LocalIssuer
    postgres: EmbeddedPostgres

    @contextlib.asynccontextmanager
    async def node(self, **changes: Any) -> AsyncIterator[str]:
        """An API node; its URL."""
        settings = dataclasses.replace(self.settings, port=free_port(), **changes)
        async with spawned("-m", "api", environ=settings.environ()):
            url = f"http://127.0.0.1:{settings.port}"
            await ready(url)
            yield url

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncIterator[int]:
        async with spawned("-m", "workers", environ=self.settings.environ()) as process:
            yield process.pid

    def headers(self, role: str = "admin") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.token(role)}"}

    async def board(self, url: str, name: str, **document: Any) -> None:
        async with httpx.AsyncClient(base_url=url, headers=self.headers(), timeout=30) as http:
            (await http.put(f"/v1/boards/{name}", json=document)).raise_for_status()


@contextlib.asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    """A fresh stack: fsync on, everything on this machine."""
    with tempfile.TemporaryDirectory(prefix="rankcast-bench-") as folder:
        home = Path(folder)
        with EmbeddedPostgres(home / "postgres" / "data") as postgres, EmbeddedValkey(home / "valkey") as valkey:
            await migrate(postgres.url)
            issuer = LocalIssuer(home / "issuer")
            settings = Settings(
                database_url=postgres.url, redis_url=valkey.url, issuer=issuer.issuer, jwks_url=issuer.jwks_url
            )
            yield Rig(settings, issuer, postgres)


@contextlib.asynccontextmanager
async def spawned(*arguments: str, environ: dict[str, str] | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=os.environ | (environ or {}))
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 30)


@contextlib.asynccontextmanager
async def peer() -> AsyncIterator[str]:
    """The plain Starlette application; its URL."""
    port = free_port()
    async with spawned("-m", "tests.benchmarks.peers", str(port)):
        url = f"http://127.0.0.1:{port}"

        async def up() -> bool:
            async with httpx.AsyncClient() as http:
                try:
                    return (await http.get(f"{url}/constant")).status_code == 200
                except httpx.TransportError:
                    return False

        while not await up():
            await asyncio.sleep(0.05)
        yield url


async def load(url: str, path: str, **plan: Any) -> dict[str, Any]:
    """What the load client sees in `seconds` over `connections`."""
    port = int(url.rsplit(":", 1)[1])
    asked = {"port": port, "path": path, "connections": 64, "seconds": 4, "kind": "post"} | plan
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.load", json.dumps(asked), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    seen: dict[str, Any] = json.loads(out)
    if seen["errors"]:
        raise RuntimeError(f"{seen['errors']} answers were errors: {seen['last_error']}")
    return seen


def median(values: list[float]) -> float:
    return statistics.median(values)
