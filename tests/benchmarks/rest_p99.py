"""How long REST answers take on a node that meanwhile sends four frames a second to 10,000 subscribers.

Beside it the plainest Starlette: its cheapest GET and POST while it sends as many bytes to as many in a loop. The server has a
core of its own; the audience is on the other one and yields to the load client, so that what is waited for is the server.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from tests.benchmarks.audience import LIVE, audience, port_of
from tests.benchmarks.hot import hot_board
from tests.benchmarks.rig import SERVER_CPU, Figure, full, load, median, off_the_server_core, peer_process, rig
from tests.benchmarks.rivals import told_by_post

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

CONNECTIONS = full(10_000, 2_000)
RUNS = full(3, 1)
FRAMES = 4
"""A second."""
PACE: dict[str, Any] = {"rate": 200, "connections": 32, "seconds": full(10, 4)}
SIZE = 400
POLITE = 15


async def run() -> list[Figure]:
    ours: dict[str, list[float]] = {"GET": [], "POST": []}
    theirs: dict[str, list[float]] = {"GET": [], "POST": []}
    with off_the_server_core():
        async with (
            rig() as stack,
            hot_board(stack, "hot") as hot,
            stack.serving(cpu=SERVER_CPU) as (url, _),
            peer_process(cpu=SERVER_CPU) as (other, process),
            told_by_post("Starlette", process, port_of(other), SIZE) as starlette,
            audience(port_of(url), CONNECTIONS, in_flight=64, nice=POLITE, **LIVE, say=[hot.watch()]),
            audience(port_of(other), CONNECTIONS, in_flight=64, nice=POLITE, path="/viewers"),
        ):
            await stack.board(url, "posts", columns=[{"name": "score"}], operator="latest")
            token = stack.issuer.token("server")
            for _ in range(RUNS):
                async with frames(hot.lead):
                    ours["GET"].append(await p99(url, "/v1/boards/hot/top", kind="get"))
                    ours["POST"].append(await p99(url, "/v1/boards/posts/scores", token=token))
                async with frames(starlette.send):
                    theirs["GET"].append(await p99(other, "/constant", kind="get"))
                    theirs["POST"].append(await p99(other, "/echo"))
    return [
        Figure(
            f"p99 of {what} while {FRAMES} frames/s go to {CONNECTIONS:,} : {beside} while Starlette does",
            f"{median(ours[kind]):.1f} ms",
            f"{median(theirs[kind]):.1f} ms",
            median(ours[kind]) / median(theirs[kind]),
            "≤ 5 ms",
        )
        for kind, what, beside in (
            ("GET", "GET top", "GET of constant bytes"),
            ("POST", "a durable POST of a score", "an echo"),
        )
    ]


async def p99(url: str, path: str, **plan: Any) -> float:
    return float((await load(url, path, **PACE, **plan))["p99_ms"])


@contextlib.asynccontextmanager
async def frames(send: Callable[[], Awaitable[Any]]) -> AsyncIterator[None]:
    """Frames at their pace, for as long as the context lasts."""

    async def sending() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await send()
            due = max(due + 1 / FRAMES, loop.time())
            await asyncio.sleep(due - loop.time())

    task = asyncio.create_task(sending())
    try:
        yield
    finally:
        if task.done():
            task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
