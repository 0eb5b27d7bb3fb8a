"""What axe-core says of the page in each of its states."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.browser.serving import CONTEST, contest, create, service, submit
from tests.web_tools import AXE

if TYPE_CHECKING:
    from tests.browser.conftest import Opens, Screen
    from tests.harness import Node, Stack

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is missing: make web-tools"),
]

# Half-faded text has no contrast: whatever moves is at its end, and so is what begins to while axe looks. A document knows
# nothing of what moves in the shadow trees below it.
_STILL = """() => {
  const animate = Element.prototype.animate;
  Element.prototype.animate = function (...how) {
    const animation = animate.apply(this, how);
    animation.finish();
    return animation;
  };
  const still = new CSSStyleSheet();
  still.replaceSync("*, *::before, *::after { animation: none !important; transition: none !important }");
  const calm = (root) => {
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, still];
    for (const animation of root.getAnimations()) animation.finish();
    for (const { shadowRoot } of root.querySelectorAll("*")) if (shadowRoot !== null) calm(shadowRoot);
  };
  calm(document);
}"""
# Told in the page: all that is in order is megabytes.
_RUN = """(within) => axe.run(within ?? document, { resultTypes: ["violations"] }).then(({ violations }) => violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => [id, target, failureSummary])))"""
PHONE = {"width": 390, "height": 844}


async def complaints(screen: Screen, within: str | None = None) -> list[Any]:
    """Rules that are broken gravely, and where. `within` selects what is new on a page that was looked at before."""
    if not await screen.page.evaluate("'axe' in window"):
        # Not as a script of the page, which its policy would refuse.
        await screen.page.evaluate(AXE.read_text())
    await screen.page.evaluate(_STILL)
    found: list[Any] = await screen.page.evaluate(_RUN, within)
    return found


async def play(node: Node, board: str) -> str:
    """Make a board that is half-way through a contest. Returns whom to watch there, and where, for an address."""
    scores = contest()[:300]
    await create(node, board, CONTEST)
    await submit(node, board, *scores)
    return f"board={board}&watch={scores[0]['player']},{scores[5]['player']}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(shared_stack: Stack, shared: Node) -> str:
    """Of a board that nobody changes, as in an address; there is another one beside it."""
    await create(shared, "other", {"title": "Other", "columns": [{"name": "points"}]})
    address = await play(shared, "harbin")
    await shared_stack.settled()
    return address


async def test_a_grave_defect_is_found(shared: Node, open_page: Opens) -> None:
    async with open_page(f"{shared.url}/?board=nowhere") as screen:
        await screen.page.locator("#notice h2", has_text="nowhere").wait_for()
        await screen.page.evaluate("document.getElementById('theme').removeAttribute('aria-label')")
        await screen.page.evaluate("document.getElementById('theme').removeAttribute('title')")
        assert [rule for rule, *_ in await complaints(screen)] == ["button-name"]
        # And where it alone is looked at.
        assert [rule for rule, *_ in await complaints(screen, "#theme")] == ["button-name"]


async def test_nothing_grave_is_found_on_a_page_without_a_board(stack: Stack, open_page: Opens) -> None:
    async with service(stack) as node, open_page(node.url) as screen:
        await screen.page.locator("#notice h2", has_text="There are no boards yet").wait_for()
        assert await complaints(screen) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.usefixtures("watched")  # there is more than one board
async def test_nothing_grave_is_found_on_a_board(
    shared_stack: Stack, shared: Node, open_page: Opens, board: str, scheme: str
) -> None:
    address = await play(shared, board)
    await shared_stack.settled()
    async with open_page(f"{shared.url}/?{address}", color_scheme=scheme) as screen:
        page = screen.page
        await page.locator("#standing-rank", has_text=re.compile("[0-9]")).wait_for()
        await submit(shared, board, *contest()[300:330])
        await page.locator("#happenings li").first.wait_for()
        assert await complaints(screen) == []
        for name in ("Boards", "Live"):
            await page.get_by_role("button", name=name).click()
            await page.locator(".sheet:popover-open").wait_for()
            assert await complaints(screen, ".sheet:popover-open") == []
            await page.keyboard.press("Escape")
        await page.get_by_role("combobox").fill("a")
        await page.locator("[role=option]").first.wait_for()
        assert await complaints(screen, "#search-box") == []


@pytest.mark.parametrize("view", ["Board", "Race", "Now"])
async def test_nothing_grave_is_found_on_a_phone(shared: Node, watched: str, open_page: Opens, view: str) -> None:
    async with open_page(f"{shared.url}/?{watched}", viewport=PHONE) as screen:
        await screen.page.locator(".body .row").nth(40).wait_for()
        await screen.page.get_by_role("link", name=view, exact=True).click()
        assert await complaints(screen) == []
