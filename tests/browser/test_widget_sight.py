"""Rows of the widget that nobody sees cost nothing: each that glows is a layer which the browser must put together anew."""

from __future__ import annotations

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

# Noted by the page as soon as a score is shown: a glow is over in a moment.
WITNESS = """(widget) => {
  const body = widget.shadowRoot.querySelector(".body");
  window.glowed = new Set();
  new MutationObserver(() => {
    for (const line of body.querySelectorAll(".line"))
      if (line.getAnimations({ subtree: true }).length > 0) glowed.add(line.dataset.player);
  }).observe(body, { subtree: true, childList: true, characterData: true });
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
            await widget.evaluate(WITNESS)
            await submit(node, "arcade", {"player": "p2", "score": 9_981}, {"player": "p90", "score": 9_101})
            for player, score in (("p2", "9,981"), ("p90", "9,101")):
                await widget.locator(f".line[data-player={player}] .score", has_text=score).wait_for()
            assert await screen.page.evaluate("[...glowed]") == ["p2"]
