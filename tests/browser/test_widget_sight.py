"""Rows of the widget that nobody sees cost nothing: each that glows is a layer which the browser must put together anew."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.browser import pace
from tests.browser.embedding import Site, serving
from tests.browser.serving import create, service, submit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.conftest import Opens
    from tests.harness import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Told by the page as soon as it shows that score: a glow is over in a moment.
GLOWING = """async (widget, [player, score]) => {
  const root = widget.shadowRoot;
  const frame = () => new Promise(requestAnimationFrame);
  while (root.querySelector(`[data-player=${player}] .score`)?.textContent !== score) await frame();
  return [...root.querySelectorAll(".body .line")]
    .filter((line) => line.getAnimations({ subtree: true }).length > 0).map((line) => line.dataset.player);
}"""


@pytest.fixture
def site() -> Iterator[Site]:
    yield from serving()


async def test_a_score_glows_where_it_can_be_seen(stack: Stack, open_page: Opens, site: Site) -> None:
    async with service(stack) as node:
        await create(node, "arcade", {"columns": [{"name": "points"}]})
        rows = [{"player": f"p{place}", "score": 10_000 - 10 * place} for place in range(pace.ROWS)]
        await submit(node, "arcade", *rows)
        await stack.settled()
        page = site.embed(node, '<live-leaderboard board="arcade" limit="100"></live-leaderboard>')
        async with open_page(page) as screen:
            widget = screen.page.locator("live-leaderboard")
            await widget.locator(".line").nth(pace.ROWS - 1).wait_for()
            glowing = asyncio.create_task(widget.evaluate(GLOWING, ["p90", "9,101"]))
            await widget.evaluate("0")  # the one before is under way
            await submit(node, "arcade", {"player": "p2", "score": 9_981}, {"player": "p90", "score": 9_101})
            assert await glowing == ["p2"]
