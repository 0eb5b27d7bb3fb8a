"""From submission to the frame at a client: 500 scores a second, 200 viewers, against a bare relay that stores nothing."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from tests.benchmarks.rig import Figure, load, median, peer, rig

RATE = 500
VIEWERS = 200
SECONDS = 8
RUNS = 3


async def run() -> list[Figure]:
    ours: list[list[float]] = []
    relay: list[list[float]] = []
    async with rig() as stack, stack.worker(), stack.node() as url, peer() as other:
        await stack.board(url, "race", columns=[{"name": "score"}], operator="latest")
        watch = {"op": "subscribe", "id": 1, "board": "race", "view": "top", "limit": 50}
        for _ in range(RUNS):
            ours.append(
                await ages(url, "/v1/boards/race/scores", "/v1/live", watch, token=stack.issuer.token("server"))
            )
            relay.append(await ages(other, "/publish", "/viewers", None))
        tick = stack.settings.tick_ms
    return [
        Figure(
            f"submission to frame, {RATE} scores/s, {VIEWERS} viewers, tick {tick} ms, {name} : bare Starlette relay",
            f"{at(ours, share):.1f} ms",
            f"{at(relay, share):.1f} ms",
            at(ours, share) / at(relay, share),
            "—",
        )
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ]


def at(runs: list[list[float]], share: float) -> float:
    return median([seen[int(len(seen) * share)] for seen in runs])


async def ages(url: str, post: str, live: str, subscribe: dict[str, Any] | None, token: str = "") -> list[float]:
    """Milliseconds from each sending to its frames, sorted."""
    plan = {"url": url.replace("http", "ws") + live, "subscribe": subscribe, "viewers": VIEWERS, "seconds": SECONDS + 2}
    viewers = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.viewers",
        json.dumps(plan),
        stdout=asyncio.subprocess.PIPE,
        limit=2**26,
    )
    assert viewers.stdout is not None
    assert await viewers.stdout.readline() == b"ready\n"
    await load(url, post, token=token, rate=RATE, seconds=SECONDS)
    seen: list[float] = json.loads(await viewers.stdout.readline())
    await viewers.wait()
    return seen
