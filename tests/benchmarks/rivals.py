"""Who else sends the same bytes to many: each as a server of its own on the servers' core, and a way to make it send once.

What cannot be had on this machine is named, with what would bring it: `Missing`. npm packages are installed into `build/bench`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from tests.benchmarks.rig import BUILD, SERVER_CPU, compiled, peer_process, running
from tests.harness import eventually, free_port

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

UWS = "@trufflesuite/uws-js-unofficial@20.30.0-unofficial.0"
NCHAN_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
NCHAN = """
load_module {module};
daemon off; worker_processes 1; worker_rlimit_nofile {files}; pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections {connections}; multi_accept on; }}
http {{
  access_log off; keepalive_timeout 600s; keepalive_requests 1000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  nchan_shared_memory_size 256m;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /publish {{ nchan_publisher http; nchan_channel_id all; nchan_store_messages off; }}
    location = /viewers {{ nchan_subscriber websocket; nchan_channel_id all; nchan_store_messages off;
                           nchan_subscriber_first_message newest; }}
  }}
}}
"""


class Missing(Exception):
    """A rival that this machine does not have; the message says what would bring it."""


@dataclass(slots=True)
class Server:
    """A server that sends one frame to all of its connections each time `send` is called."""

    name: str
    process: Process
    port: int
    send: Callable[[], Awaitable[Any]]
    plan: dict[str, Any] = field(default_factory=dict)

    def cpu(self) -> float:
        """Seconds of user and system time of the process and its children, from /proc/PID/stat."""
        own = psutil.Process(self.process.pid)
        times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
        return sum(time.user + time.system for time in times)


async def listening(port: int) -> None:
    async def tried() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await eventually(tried)


@contextlib.asynccontextmanager
async def told_by_lines(
    name: str, *command: str, environ: dict[str, str] | None = None, **plan: Any
) -> AsyncIterator[Server]:
    """A server that sends at each line of its stdin; `{port}` in the command is its port."""
    port = free_port()
    words = [word.replace("{port}", str(port)) for word in command]
    async with running(*words, environ=environ, cpu=SERVER_CPU, stdin=asyncio.subprocess.PIPE) as process:
        await listening(port)
        stdin = process.stdin
        assert stdin is not None

        async def send() -> None:
            stdin.write(b"\n")

        yield Server(name, process, port, send, plan)


@contextlib.asynccontextmanager
async def told_by_post(name: str, process: Process, port: int, size: int) -> AsyncIterator[Server]:
    """A server that sends what is posted to /publish."""
    text = b"x" * size
    async with httpx.AsyncClient(timeout=60) as http:

        async def send() -> None:
            (await http.post(f"http://127.0.0.1:{port}/publish", content=text)).raise_for_status()

        yield Server(name, process, port, send, {"path": "/viewers"})


@contextlib.asynccontextmanager
async def floor(size: int) -> AsyncIterator[Server]:
    program = await compiled("floor")
    async with told_by_lines("C loop of send()", str(program), "{port}", str(size), raw=1) as server:
        yield server


@contextlib.asynccontextmanager
async def uws(size: int) -> AsyncIterator[Server]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("uWebSockets: Node.js with npm")
    if not (BUILD / "node_modules" / "@trufflesuite").exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        quiet: dict[str, Any] = {"stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.DEVNULL}
        command = (npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(BUILD), UWS)
        async with running(*command, **quiet) as installing:
            if await asyncio.wait_for(installing.wait(), 120):
                raise Missing(f"uWebSockets: npm install {UWS}")
    script = str(Path(__file__).parent / "uws.js")
    command_ = (node, script, "{port}", str(size))
    async with told_by_lines("uWebSockets", *command_, environ={"UWS_FOLDER": str(BUILD)}) as server:
        yield server


def nchan_program() -> str:
    """Where nginx is. Raises Missing."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None or not NCHAN_MODULE.exists():
        raise Missing("nginx with nchan: apt-get install nginx-light libnginx-mod-nchan")
    return nginx


def nchan_settings(port: int) -> tuple[Path, Path]:
    """The folder of a server of its own, and the file that says so."""
    folder = BUILD / "nginx"
    folder.mkdir(parents=True, exist_ok=True)
    # A worker of root's nginx would be nobody, who may not write there.
    owner = f"user {folder.owner()};" if os.geteuid() == 0 else ""
    file = folder / "nginx.conf"
    file.write_text(
        owner + NCHAN.format(module=NCHAN_MODULE, port=port, folder=folder, files=20_000, connections=19_000)
    )
    return folder, file


@contextlib.asynccontextmanager
async def nchan(size: int) -> AsyncIterator[Server]:
    nginx, port = nchan_program(), free_port()
    folder, file = nchan_settings(port)
    async with running(nginx, "-p", str(folder), "-c", str(file), cpu=SERVER_CPU) as process:
        await listening(port)
        async with told_by_post("nginx with nchan", process, port, size) as server:
            yield server


def in_python(kind: str, name: str) -> Callable[[int], AbstractAsyncContextManager[Server]]:
    @contextlib.asynccontextmanager
    async def start(size: int) -> AsyncIterator[Server]:
        if find_spec(kind) is None:
            raise Missing(f"{name}: pip install {kind}")
        command = (sys.executable, "-m", "tests.benchmarks.broadcasters", kind, "{port}", str(size))
        async with told_by_lines(name, *command) as server:
            yield server

    return start


@contextlib.asynccontextmanager
async def starlette(size: int) -> AsyncIterator[Server]:
    async with (
        peer_process(cpu=SERVER_CPU) as (url, process),
        told_by_post("Starlette send_text in a loop", process, int(url.rsplit(":", 1)[1]), size) as server,
    ):
        yield server


RIVALS = (
    uws,
    floor,
    nchan,
    in_python("picows", "picows"),
    in_python("websockets", "websockets broadcast()"),
    starlette,
)
