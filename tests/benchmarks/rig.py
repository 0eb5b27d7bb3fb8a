"""Starts what is measured: the real stack as processes of its own, peers, and the load client."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from infra.local.issuer import LocalIssuer
from infra.local.postgres import EmbeddedPostgres
from infra.local.valkey import EmbeddedValkey
from infra.migrations import migrate
from infra.settings import Settings
from tests.harness import eventually, free_port, ready

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Iterator


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report. `ratio` is ours to theirs; `target` is what it must reach, or stay under."""

    what: str
    ours: str
    theirs: str
    ratio: float
    target: str


BUILD: Final = Path(__file__).parents[2] / "build" / "bench"
"""What peers and C programs leave behind; outside git, and gone with `make clean`."""
QUICK: Final = os.environ.get("RANKCAST_BENCH") == "quick"
"""Fewer runs and connections: shows that everything works, not how fast."""
CPUS: Final = sorted(os.sched_getaffinity(0))
SERVER_CPU: Final = CPUS[0]
CLIENT_CPU: Final = CPUS[-1]
"""Clients, databases and this process itself keep off the core of the server that is measured."""


def full(value: int, quick: int) -> int:
    """`value`, or `quick` in a quick run."""
    return quick if QUICK else value


@dataclass(slots=True)
class Rig:
    settings: Settings
    issuer: LocalIssuer
    postgres: EmbeddedPostgres

    @contextlib.asynccontextmanager
    async def node(self, **changes: Any) -> AsyncIterator[str]:
        """An API node; its URL."""
        async with self.serving(**changes) as (url, _):
            yield url

    @contextlib.asynccontextmanager
    async def serving(self, cpu: int | None = None, **changes: Any) -> AsyncIterator[tuple[str, Process]]:
        """An API node, on one core where `cpu` says so; its URL and its process."""
        settings = dataclasses.replace(self.settings, port=free_port(), **changes)
        async with spawned("-m", "api", environ=settings.environ(), cpu=cpu) as process:
            url = f"http://127.0.0.1:{settings.port}"
            await ready(url)
            yield url, process

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
                database_url=postgres.url,
                redis_url=valkey.url,
                issuer=issuer.issuer,
                jwks_url=issuer.jwks_url,
                # The whole audience comes from one address.
                max_per_address=50_000,
            )
            yield Rig(settings, issuer, postgres)


@contextlib.asynccontextmanager
async def spawned(
    *arguments: str, environ: dict[str, str] | None = None, cpu: int | None = None, **streams: Any
) -> AsyncIterator[Process]:
    """`python …` as a process of its own."""
    async with running(sys.executable, *arguments, environ=environ, cpu=cpu, **streams) as process:
        yield process


@contextlib.asynccontextmanager
async def running(
    *command: str, environ: dict[str, str] | None = None, cpu: int | None = None, **streams: Any
) -> AsyncIterator[Process]:
    """A command as a process of its own, on one core where `cpu` says so. Told to end, and ended, with the context."""
    pinned = () if cpu is None else ("taskset", "-c", str(cpu))
    process = await asyncio.create_subprocess_exec(*pinned, *command, env=os.environ | (environ or {}), **streams)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 30)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise


async def compiled(name: str) -> Path:
    """The program `name` of the C files beside this one whose names begin so."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise RuntimeError("the load client is C and there is no compiler: apt-get install gcc libc6-dev")
    folder, program = Path(__file__).parent, BUILD / name
    sources = sorted(folder.glob(f"{name}*.c"))
    newest = max(file.stat().st_mtime for file in (*sources, *folder.glob(f"{name}*.h")))
    if not program.exists() or program.stat().st_mtime < newest:
        BUILD.mkdir(parents=True, exist_ok=True)
        flags = ("-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program))
        async with running(compiler, *flags, *map(str, sources)) as process:
            if await process.wait():
                raise RuntimeError(f"{name} does not compile")
    return program


@contextlib.contextmanager
def off_the_server_core() -> Iterator[None]:
    """This thread, and what it starts without a core of its own, on the clients' core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CLIENT_CPU})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.asynccontextmanager
async def peer() -> AsyncIterator[str]:
    """The plain Starlette application; its URL."""
    async with peer_process() as (url, _):
        yield url


@contextlib.asynccontextmanager
async def peer_process(cpu: int | None = None) -> AsyncIterator[tuple[str, Process]]:
    """The plain Starlette application, on one core where `cpu` says so; its URL and its process."""
    port = free_port()
    async with spawned("-m", "tests.benchmarks.peers", str(port), cpu=cpu) as process:
        url = f"http://127.0.0.1:{port}"

        async def up() -> bool:
            async with httpx.AsyncClient() as http:
                try:
                    return (await http.get(f"{url}/constant")).status_code == 200
                except httpx.TransportError:
                    return False

        await eventually(up)
        yield url, process


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
