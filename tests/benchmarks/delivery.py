"""From submission to the frame at a viewer: 1,000 durable scores a second, 1,000 viewers, beside a relay that stores nothing.

Every score is the nanosecond of its sending, so a frame tells how old it is; some of the viewers look. The relay sends each
score to each viewer, a million sends a second, which it cannot: what it got through is named.
"""

from __future__ import annotations

from typing import Any

from tests.benchmarks.audience import LIVE, audience, port_of
from tests.benchmarks.hot import ONE_COLUMN
from tests.benchmarks.rig import Figure, full, load, median, peer, rig

RATE = full(1_000, 200)
VIEWERS = full(1_000, 200)
LOOKING = 20
SECONDS = full(10, 4)
RUNS = full(3, 1)
SHARES = (("p50", "p50_ms"), ("p99", "p99_ms"), ("p99.9", "p999_ms"))


async def run() -> list[Figure]:
    ours: list[dict[str, float]] = []
    relay: list[dict[str, float]] = []
    async with rig() as stack, stack.worker(), stack.node() as url, peer() as other:
        await stack.board(url, "race", **ONE_COLUMN)
        watch = {"op": "subscribe", "id": 1, "board": "race", "view": "top", "limit": 50}
        token = stack.issuer.token("server")
        for _ in range(RUNS):
            ours.append(await ages(url, "/v1/boards/race/scores", token, **LIVE, say=[watch]))
            relay.append(await ages(other, "/publish", "", path="/viewers"))
        tick = stack.settings.tick_ms
    return [
        Figure(
            f"submission to frame, {at(ours, 'rate'):,.0f} scores/s, {VIEWERS:,} viewers, tick {tick} ms, {name} : "
            f"bare Starlette relay, {at(relay, 'rate'):,.0f}/s",
            f"{at(ours, part):.1f} ms",
            f"{at(relay, part):.1f} ms",
            at(ours, part) / at(relay, part),
            "—",
        )
        for name, part in SHARES
    ]


def at(runs: list[dict[str, float]], part: str) -> float:
    return median([seen[part] for seen in runs])


async def ages(url: str, post: str, token: str, **plan: Any) -> dict[str, float]:
    """Milliseconds from each sending to its frames, and the scores a second that were taken."""
    async with audience(port_of(url), VIEWERS, in_flight=64, cpu=-1, ages=LOOKING, **plan) as viewers:
        sent = await load(url, post, token=token, rate=RATE, seconds=SECONDS)
        seen = await viewers.report()
    if not seen["count"]:
        raise RuntimeError("no score was seen")
    return {part: seen[part] for _, part in SHARES} | {"rate": sent["per_second"]}
