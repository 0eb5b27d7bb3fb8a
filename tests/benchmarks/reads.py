"""`GET top` of a hot board against a Starlette answer of constant bytes."""

from __future__ import annotations

from tests.benchmarks.rig import Figure, load, median, peer, rig

RUNS = 5
SECONDS = 3


async def run() -> list[Figure]:
    path = "/v1/boards/arcade/top?limit=10"
    ours, constant = [], []
    async with rig() as stack, stack.worker(), stack.node() as url, peer() as other:
        await stack.board(url, "arcade", columns=[{"name": "score"}])
        await load(url, "/v1/boards/arcade/scores", token=stack.issuer.token("server"), seconds=1)
        await load(url, path, kind="get", seconds=1)
        for _ in range(RUNS):
            ours.append((await load(url, path, kind="get", seconds=SECONDS))["per_second"])
            constant.append((await load(other, "/constant", kind="get", seconds=SECONDS))["per_second"])
    rate = median(ours)
    return [
        Figure(
            "GET top/s, 64 connections : Starlette answering constant bytes",
            f"{rate:,.0f}/s",
            f"{median(constant):,.0f}/s",
            rate / median(constant),
            "≥ 0.8",
        )
    ]
