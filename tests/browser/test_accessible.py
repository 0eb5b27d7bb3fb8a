"""What axe-core says of the page in each of its states."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.serving import CONTEST, contest, create, service, submit
from tests.web_tools import AXE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.browser.conftest import Opens, Screen
    from tests.harness import Node, Stack

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is missing: make web-tools"),
]

# Half-faded text has no contrast: whatever moves is at its end.
_STILL = """() => {
  const animate = Element.prototype.animate;
  Element.prototype.animate = function (...how) {
    const animation = animate.apply(this, how);
    animation.finish();
    return animation;
  };
  for (const animation of document.getAnimations()) animation.finish();
}"""
# Told in the page: all that is in order is megabytes.
_RUN = """() => axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => [id, target, failureSummary])))"""
PHONE = {"width": 390, "height": 844}


async def complaints(screen: Screen) -> list[Any]:
    """Rules that are broken gravely, and where."""
    # Not as a script of the page, which its policy would refuse.
    await screen.page.evaluate(AXE.read_text())
    await screen.page.evaluate(_STILL)
    found: list[Any] = await screen.page.evaluate(_RUN)
    return found


@contextlib.asynccontextmanager
async def played(stack: Stack) -> AsyncIterator[tuple[Node, str]]:
    """A service with two boards, one of them half-way through a contest, and whom to watch there."""
    scores = contest()[:300]
    async with service(stack) as node:
        await create(node, "harbin", CONTEST)
        await create(node, "other", {"title": "Other", "columns": [{"name": "points"}]})
        await submit(node, "harbin", *scores)
        await stack.settled()
        yield node, f"board=harbin&watch={scores[0]['player']},{scores[5]['player']}"


async def test_a_grave_defect_is_found(stack: Stack, open_page: Opens) -> None:
    async with service(stack) as node, open_page(node.url) as screen:
        await screen.page.locator("#notice h2", has_text="There are no boards yet").wait_for()
        await screen.page.evaluate("document.getElementById('theme').removeAttribute('aria-label')")
        await screen.page.evaluate("document.getElementById('theme').removeAttribute('title')")
        assert [rule for rule, *_ in await complaints(screen)] == ["button-name"]


async def test_nothing_grave_is_found_on_a_page_without_a_board(stack: Stack, open_page: Opens) -> None:
    async with service(stack) as node, open_page(node.url) as screen:
        await screen.page.locator("#notice h2", has_text="There are no boards yet").wait_for()
        assert await complaints(screen) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_grave_is_found_on_a_board(stack: Stack, open_page: Opens, scheme: str) -> None:
    async with played(stack) as (node, watched), open_page(f"{node.url}/?{watched}", color_scheme=scheme) as screen:
        page = screen.page
        await page.locator("#standing-rank", has_text=re.compile("[0-9]")).wait_for()
        await submit(node, "harbin", *contest()[300:330])
        await page.locator("#happenings li").first.wait_for()
        assert await complaints(screen) == []
        for name in ("Boards", "Live"):
            await page.get_by_role("button", name=name).click()
            await page.locator(".sheet:popover-open").wait_for()
            assert await complaints(screen) == []
            await page.keyboard.press("Escape")
        await page.get_by_role("combobox").fill("a")
        await page.locator("[role=option]").first.wait_for()
        assert await complaints(screen) == []


@pytest.mark.parametrize("view", ["Board", "Race", "Now"])
async def test_nothing_grave_is_found_on_a_phone(stack: Stack, open_page: Opens, view: str) -> None:
    async with played(stack) as (node, watched), open_page(f"{node.url}/?{watched}", viewport=PHONE) as screen:
        await screen.page.locator(".body .row").nth(40).wait_for()
        await screen.page.get_by_role("link", name=view, exact=True).click()
        assert await complaints(screen) == []
