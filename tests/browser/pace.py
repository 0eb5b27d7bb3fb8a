"""A board of a hundred that changes twenty times a second, and what the browser has of it."""

from __future__ import annotations

import asyncio
import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.browser.serving import submit

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.harness import Node

ROWS = 100
RATE = 20
"""Updates a second."""
_FRAME_MS = 1000 / 60

_COUNT = """() => {
  const pace = window.pace = { long: [], gaps: [], frames: 0, changes: 0 };
  new PerformanceObserver((list) => pace.long.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ entryTypes: ["longtask"] });
  addEventListener("leaderboard-change", () => (pace.changes += 1));
  let last = 0;
  const step = (now) => {
    pace.frames += 1;
    if (last > 0) pace.gaps.push(now - last);
    last = now;
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}"""


@dataclass(frozen=True, slots=True)
class Pace:
    """What was seen. `busy`: CPU seconds of the page's thread; `dropped`: frames that were due and did not come."""

    seconds: float
    changes: int
    frames: int
    dropped: int
    long_tasks: int
    busy: float


def rows(chance: random.Random, count: int, first: int = 0) -> list[dict[str, Any]]:
    """Scores of `count` of the players; each is its best."""
    best = first * 1000
    return [
        {"player": f"p{player:03}", "score": best + chance.randrange(100_000), "name": f"Player {player}"}
        for player in chance.sample(range(ROWS), count)
    ]


async def drive(node: Node, board: str, seconds: float) -> None:
    """Three scores, twenty times a second: each update moves rows through the whole list."""
    chance = random.Random(6)
    loop = asyncio.get_running_loop()
    start = loop.time()
    for turn in itertools.count(1):
        await submit(node, board, *rows(chance, 3, first=turn))
        due = start + turn / RATE
        if due > start + seconds:
            return
        await asyncio.sleep(max(0.0, due - loop.time()))


class Watch:
    """Counts in a page from here on."""

    def __init__(self, page: Page, session: Any) -> None:
        self._page = page
        self._session = session
        self._started = 0.0
        self._busy = 0.0

    @classmethod
    async def on(cls, page: Page) -> Watch:
        session = await page.context.new_cdp_session(page)
        # CPU time, so that who else is on this machine does not count.
        await session.send("Performance.enable", {"timeDomain": "threadTicks"})
        watch = cls(page, session)
        await page.evaluate(_COUNT)
        watch._started = asyncio.get_running_loop().time()
        watch._busy = (await watch.metrics())["TaskDuration"]
        return watch

    async def metrics(self) -> dict[str, float]:
        """As Chromium names them: Nodes, JSHeapUsedSize, TaskDuration, …"""
        told = await self._session.send("Performance.getMetrics")
        return {one["name"]: one["value"] for one in told["metrics"]}

    async def kept(self) -> dict[str, float]:
        """The same, once all that nobody holds is gone."""
        await self._session.send("HeapProfiler.enable")
        await self._session.send("HeapProfiler.collectGarbage")
        return await self.metrics()

    async def pace(self) -> Pace:
        """What was seen since the beginning."""
        seen = await self._page.evaluate("() => pace")
        dropped = sum(max(0, round(gap / _FRAME_MS) - 1) for gap in seen["gaps"])
        return Pace(
            asyncio.get_running_loop().time() - self._started,
            seen["changes"],
            seen["frames"],
            dropped,
            len(seen["long"]),
            (await self.metrics())["TaskDuration"] - self._busy,
        )
