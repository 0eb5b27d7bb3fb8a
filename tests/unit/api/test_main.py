from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from infra.settings import Settings
from tests.harness import Stack, free_port, ready


async def started(environ: dict[str, str]) -> tuple[int | None, str]:
    """Exit code and last words of `python -m api`."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api", env={"PATH": ""} | environ, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(20):
            _, said = await child.communicate()
        return child.returncode, said.decode()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def test_a_node_without_settings_says_which_is_missing_in_one_line() -> None:
    code, said = await started({})
    assert code == 1
    assert said == "rankcast node: RANKCAST_DATABASE_URL is not set\n"


async def test_a_node_without_a_database_says_so_in_one_line() -> None:
    nowhere = Settings(
        database_url="postgresql://127.0.0.1:1/x", redis_url="redis://127.0.0.1:1", issuer="i", jwks_url="file:///x"
    )
    code, said = await started(nowhere.environ())
    assert code == 1
    assert said.splitlines()[-1:] == said.splitlines()
    assert said.startswith("rankcast node: ")


async def test_a_node_whose_port_is_taken_says_so_in_one_line(stack: Stack) -> None:
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        code, said = await started(stack.settings.environ() | {"RANKCAST_PORT": str(port)})
    assert code == 1
    assert said == f"rankcast node: port {port} on 127.0.0.1 is taken or not allowed\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_node_that_stops_as_it_was_told_ends_well(stack: Stack, number: signal.Signals) -> None:
    port = free_port()
    async with stack.process("api", port=port) as child:
        await ready(f"http://127.0.0.1:{port}")
        child.send_signal(number)
        async with asyncio.timeout(20):
            assert await child.wait() == 0
