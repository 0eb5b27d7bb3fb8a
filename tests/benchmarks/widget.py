"""A browser at twenty updates a second: the widget with a hundred rows, and the dashboard, beside a table that any page could have.

That table is told the same by the same client and does what comes to mind first: at each update its rows are thrown away and written
anew as HTML. It moves nothing and marks nothing. Each page has a minute, in a Chromium without a screen or a graphics processor, on the
machine that also runs the service; what an empty page drops meanwhile is what is the machine's.
"""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx
import psutil
from playwright.async_api import async_playwright

from tests.benchmarks.rig import Figure, full, rig
from tests.browser import pace
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.serving import submit
from tests.harness import Node, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from tests.benchmarks.rig import Rig

SECONDS: Final = full(60, 5)
# A page of the service's without a policy of its own holds what is not a page itself.
_HOST: Final = "/healthz"
_EMPTY: Final = "() => document.body.replaceChildren()"
_WIDGET: Final = """async (board) => {
  await import("/web/widget/live-leaderboard.js");
  document.body.innerHTML = `<live-leaderboard board="${board}" limit="100"></live-leaderboard>`;
}"""
_TABLE: Final = """async (board) => {
  const { connect } = await import("/web/client/live.js");
  document.body.innerHTML = "<table><tbody></tbody></table>";
  const body = document.querySelector("tbody");
  connect().top(board, { limit: 100 }).on("state", ({ entries }) => {
    body.innerHTML = entries.map(({ rank, name, score }) => `<tr><td>${rank}<td>${name}<td>${score.toLocaleString()}`).join("");
    dispatchEvent(new Event("leaderboard-change"));
  });
}"""
_DASHBOARD: Final = """() => new MutationObserver(() => dispatchEvent(new Event("leaderboard-change")))
  .observe(document.getElementById("table"), { attributes: true, attributeFilter: ["data-version"] })"""
_ROWS: Final = """() => (document.querySelector("live-leaderboard")?.shadowRoot ?? document)
  .querySelectorAll(".body .line, .body .row, tbody tr").length"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page took. `chromium`: CPU seconds of the whole browser, with what it paints."""

    pace: pace.Pace
    chromium: float

    @property
    def dropped(self) -> float:
        """Share of the frames that were due."""
        return self.pace.dropped / (self.pace.frames + self.pace.dropped)

    @property
    def rate(self) -> float:
        """Updates a second that were drawn."""
        return self.pace.changes / self.pace.seconds


async def run() -> list[Figure]:
    async with rig() as stack, stack.worker(), stack.node() as url, _browser() as browser, _node(stack, url) as node:
        empty = await watched(browser, node, "empty", _HOST, _EMPTY, rows=0)
        table = await watched(browser, node, "table", _HOST, _TABLE)
        widget = await watched(browser, node, "widget", _HOST, _WIDGET)
        dashboard = await watched(browser, node, "dashboard", "/?board=dashboard", _DASHBOARD)
    return [
        *figures(f"the widget, 100 rows, {widget.rate:.0f} updates/s for {SECONDS} s", widget, table),
        *figures(f"the dashboard, its top 100, {dashboard.rate:.0f} updates/s for {SECONDS} s", dashboard, table),
        Figure(
            "frames dropped by the machine: the table : an empty page meanwhile",
            f"{table.dropped:.2%}",
            f"{empty.dropped:.2%}",
            _ratio(table.dropped, empty.dropped),
            "—",
        ),
    ]


def figures(what: str, ours: Seen, table: Seen) -> list[Figure]:
    """Of a page beside the table."""
    busy, others = ours.pace.busy / ours.pace.seconds, table.pace.busy / table.pace.seconds
    painted, others_painted = ours.chromium / ours.pace.seconds, table.chromium / table.pace.seconds
    tasks, others_tasks = ours.pace.long_tasks, table.pace.long_tasks
    beside = f"a table written anew as HTML, {table.rate:.0f} updates/s"
    return [
        Figure(
            f"{what}: frames dropped : {beside}",
            f"{ours.dropped:.2%}",
            f"{table.dropped:.2%}",
            _ratio(ours.dropped, table.dropped),
            "—",
        ),
        Figure("the same: tasks beyond 50 ms", f"{tasks}", f"{others_tasks}", _ratio(tasks, others_tasks), "—"),
        Figure(
            "the same: the page's thread, share of a core", f"{busy:.1%}", f"{others:.1%}", _ratio(busy, others), "—"
        ),
        Figure(
            "the same: all of Chromium, share of a core",
            f"{painted:.1%}",
            f"{others_painted:.1%}",
            _ratio(painted, others_painted),
            "—",
        ),
    ]


async def watched(browser: Browser, node: Node, board: str, path: str, script: str, rows: int = pace.ROWS) -> Seen:
    """A page with a board of its own, while that is driven. `rows` are there before the counting begins."""
    await submit_board(node, board)
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    try:
        await page.goto(node.url + path)
        await page.evaluate(script, board)

        async def is_there() -> bool:
            return bool(await page.evaluate(_ROWS) >= rows)

        await eventually(is_there)
        watch = await pace.Watch.on(page)
        before = _cpu()
        await pace.drive(node, board, SECONDS)
        return Seen(await watch.pace(), _cpu() - before)
    finally:
        await context.close()


async def submit_board(node: Node, board: str) -> None:
    """A board with a hundred players."""
    (await node.http.put(f"/v1/boards/{board}", json={"columns": [{"name": "points"}]})).raise_for_status()
    await submit(node, board, *pace.rows(random.Random(1), pace.ROWS))


@contextlib.asynccontextmanager
async def _browser() -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        raise RuntimeError(f"{CHROMIUM} is missing: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        await browser.close()


@contextlib.asynccontextmanager
async def _node(stack: Rig, url: str) -> AsyncIterator[Node]:
    async with httpx.AsyncClient(base_url=url, headers=stack.headers(), timeout=30) as http:
        yield Node(url, url.replace("http", "ws") + "/v1/live", http, None)


def _cpu() -> float:
    """CPU seconds of all processes of the browser, which are children of this one's."""
    spent = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "chrom" in process.name():
                times = process.cpu_times()
                spent += times.user + times.system
    return spent


def _ratio(ours: float, theirs: float) -> float:
    return ours / theirs if theirs else 0.0
