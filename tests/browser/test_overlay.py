"""The overlay over a stream, and the page that makes its address."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.browser.serving import create, service, submit
from tests.browser.test_accessible import complaints
from tests.harness import eventually
from tests.web_tools import AXE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Frame, Page

    from tests.browser.conftest import Opens
    from tests.harness import Node, Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAM = {"width": 1920, "height": 1080}
HOSTILE = '<img src=x onerror="window.taken = 1">'
# The names that are in sight, in order; what is within the widget is open to tests.
_NAMES = """[...document.querySelector("live-leaderboard")?.shadowRoot.querySelectorAll(".body .name") ?? []]
    .map((name) => name.textContent)"""


@contextlib.asynccontextmanager
async def nine(stack: Stack) -> AsyncIterator[Node]:
    """A service with a board of nine."""
    async with service(stack) as node:
        await create(node, "arcade", {"title": "Arcade", "columns": [{"name": "points"}]})
        rows = [{"player": f"p{place}", "score": 1000 - place, "name": f"Name {place}"} for place in range(8)]
        await submit(node, "arcade", *rows, {"player": "bad", "score": 5, "name": HOSTILE})
        await stack.settled()
        yield node


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(shared_stack: Stack) -> AsyncIterator[Node]:
    """A board that nobody changes."""
    async with nine(shared_stack) as node:
        yield node


async def until_names(page: Page | Frame, *names: str) -> None:
    await page.wait_for_function(f"(wanted) => {_NAMES}.join('|') === wanted", arg="|".join(names))


async def box(page: Page | Frame) -> dict[str, float]:
    """Where the board is, as shares of the picture."""
    found: dict[str, float] = await page.evaluate(
        """() => {
            const { left, right, top, bottom } = document.querySelector("live-leaderboard").getBoundingClientRect();
            return { left, right: innerWidth - right, top, bottom: innerHeight - bottom, width: right - left };
        }"""
    )
    return found


async def test_a_board_lies_over_nothing_and_moves(stack: Stack, open_page: Opens) -> None:
    async with (
        nine(stack) as node,
        open_page(f"{node.url}/overlay?board=arcade&limit=3", viewport=STREAM) as screen,
    ):
        page = screen.page
        await until_names(page, "Name 0", "Name 1", "Name 2")
        for selector in ("html", "body", "main"):
            paint = f"getComputedStyle(document.querySelector('{selector}')).backgroundColor"
            assert await page.evaluate(paint) == "rgba(0, 0, 0, 0)"
        assert await page.evaluate("[document.documentElement.scrollHeight, scrollY]") == [1080, 0]
        await submit(node, "arcade", {"player": "p7", "score": 5000})
        await until_names(page, "Name 7", "Name 0", "Name 1")


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("", {"left": 32, "top": 32, "width": 520}),
        ("&position=bottom-right&margin=10&width=300", {"right": 10, "bottom": 10, "width": 300}),
        ("&position=centre&width=600", {"left": 660, "right": 660, "width": 600}),
        ("&position=top&margin=0", {"left": 700, "right": 700, "top": 0}),
    ],
)
async def test_it_is_where_and_as_large_as_its_address_says(
    node: Node, open_page: Opens, query: str, seen: dict[str, float]
) -> None:
    async with open_page(f"{node.url}/overlay?board=arcade&limit=3{query}", viewport=STREAM) as screen:
        await until_names(screen.page, "Name 0", "Name 1", "Name 2")
        found = await box(screen.page)
        assert {side: round(found[side]) for side in seen} == seen
        if "centre" in query:
            assert abs(found["top"] - found["bottom"]) <= 1


async def test_it_looks_as_its_address_says(node: Node, open_page: Opens) -> None:
    query = "board=arcade&limit=3&theme=light&opacity=40&scale=200&accent=ff8800&heading=Finale"
    async with open_page(f"{node.url}/overlay?{query}", viewport=STREAM) as screen:
        await until_names(screen.page, "Name 0", "Name 1", "Name 2")
        frame = "document.querySelector('live-leaderboard').shadowRoot.querySelector('.frame')"
        style = f"getComputedStyle({frame})"
        assert await screen.page.evaluate(f"{style}.backgroundColor") == "rgba(255, 255, 255, 0.4)"
        assert await screen.page.evaluate(f"{style}.fontSize") == "32px"
        assert await screen.page.evaluate(f"{style}.getPropertyValue('--accent')") == "#ff8800"
        assert await screen.page.evaluate(f"{frame}.querySelector('.title').textContent") == "Finale"


async def test_it_goes_around_a_player(stack: Stack, open_page: Opens) -> None:
    query = "board=arcade&view=around&player=p4&radius=1"
    async with nine(stack) as node, open_page(f"{node.url}/overlay?{query}", viewport=STREAM) as screen:
        await until_names(screen.page, "Name 3", "Name 4", "Name 5")
        await submit(node, "arcade", {"player": "p4", "score": 5000})
        await until_names(screen.page, "Name 4", "Name 0")


async def test_names_are_shown_as_the_text_that_they_are(node: Node, open_page: Opens) -> None:
    query = f"board=arcade&view=around&player=bad&radius=1&heading={HOSTILE}"
    async with open_page(f"{node.url}/overlay?{query}", viewport=STREAM) as screen:
        await until_names(screen.page, "Name 7", HOSTILE)
        assert await screen.page.evaluate("window.taken") is None


async def test_without_a_board_one_is_chosen(node: Node, open_page: Opens) -> None:
    async with open_page(f"{node.url}/overlay") as screen:
        await screen.page.wait_for_url("**/overlay/build?board=arcade")
        assert await screen.page.input_value("#address") == f"{node.url}/overlay?board=arcade"


async def test_a_frame_of_another_site_may_hold_the_overlay_and_nothing_else(
    shared_stack: Stack, node: Node, open_page: Opens
) -> None:
    async with shared_stack.node() as elsewhere:
        refused = lambda problem: "frame-ancestors" in problem or "404" in problem  # noqa: E731
        async with open_page(f"{elsewhere.url}/healthz", allowed=refused) as screen:
            page = screen.page
            await page.evaluate(
                """(urls) => { for (const url of urls) {
                    const frame = document.createElement("iframe"); frame.src = url; document.body.append(frame);
                } }""",
                [f"{node.url}/overlay?board=arcade&limit=1", f"{node.url}/console", f"{node.url}/"],
            )
            held = await (await page.wait_for_selector("iframe")).content_frame()
            assert held is not None
            await held.wait_for_url("**/overlay?**")
            await until_names(held, "Name 0")
            others = [one for one in page.frames if one.parent_frame is not None and one is not held]

            async def all_refused() -> bool:
                return {other.url for other in others} == {"chrome-error://chromewebdata/"}

            await eventually(all_refused)
            # Nor does it take what the page around it says.
            heard = asyncio.create_task(
                held.evaluate("new Promise((done) => addEventListener('message', () => done(true), { once: true }))")
            )
            await held.evaluate("0")  # the one before is under way
            await page.evaluate("frames[0].postMessage('?board=arcade&limit=2', '*')")
            assert await heard
            await until_names(held, "Name 0")


async def test_what_is_chosen_is_seen_at_once_and_is_in_the_address(node: Node, open_page: Opens) -> None:
    async with open_page(f"{node.url}/overlay/build?board=arcade") as screen:
        page = screen.page
        await page.frame_locator("#preview").locator("live-leaderboard").wait_for()
        preview = next(one for one in page.frames if one.parent_frame is not None)
        await until_names(preview, *(f"Name {place}" for place in range(5)))
        await preview.evaluate("window.kept = true")
        await slide(page, "limit", 3)
        await until_names(preview, "Name 0", "Name 1", "Name 2")
        await page.get_by_label("Bottom right").check()
        await page.get_by_label("No heading").check()
        await page.locator("[name=theme]").select_option("light")
        await slide(page, "opacity", 50)
        await page.locator("[name=player]").fill("p1")
        wanted = "?board=arcade&limit=3&player=p1&heading=&position=bottom-right&opacity=50&theme=light"
        assert await page.input_value("#address") == f"{node.url}/overlay{wanted}"
        assert page.url == f"{node.url}/overlay/build{wanted}"
        await preview.wait_for_function("() => document.documentElement.style.getPropertyValue('--block') === 'end'")
        await preview.locator("live-leaderboard .line.mine").wait_for()  # the last that was asked for
        # The page in the preview was never loaded anew: nothing flashes.
        assert await preview.evaluate("window.kept") is True
        # And what is at the address is what was seen.
        seen = await box(preview)
        await page.set_viewport_size(STREAM)
        await page.goto(f"{node.url}/overlay{wanted}")
        await until_names(page, "Name 0", "Name 1", "Name 2")
        assert await box(page) == pytest.approx(seen, abs=1)


async def slide(page: Page, name: str, value: int) -> None:
    await page.locator(f"[name={name}]").fill(str(value))


async def test_a_link_to_the_builder_brings_its_options_back(node: Node, open_page: Opens) -> None:
    query = "?board=arcade&view=around&player=p4&radius=3&position=top&scale=150&accent=ff8800"
    async with open_page(f"{node.url}/overlay/build{query}") as screen:
        page = screen.page
        await page.locator("#board option").first.wait_for(state="attached")
        assert await page.input_value("#address") == f"{node.url}/overlay{query}"
        assert await page.input_value("[name=radius]") == "3"
        assert await page.input_value("#accent") == "#ff8800"
        assert await page.get_by_label("Top", exact=True).is_checked()
        await page.get_by_role("button", name="As the theme").click()
        assert "accent" not in await page.input_value("#address")


async def test_the_address_is_copied_by_keyboard(node: Node, open_page: Opens) -> None:
    # What was done is told for a moment only.
    async with open_page(f"{node.url}/overlay/build?board=arcade", still=True) as screen:
        page = screen.page
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.locator("#address[value], #address").first.wait_for()
        await page.get_by_role("button", name="Copy").focus()
        await page.keyboard.press("Enter")
        await page.locator("#copied", has_text="Copied").wait_for()
        assert await page.evaluate("navigator.clipboard.readText()") == f"{node.url}/overlay?board=arcade"
        # Positions are one stop of the tab key, and arrows lead from one to the next.
        await page.get_by_label("Top left").focus()
        await page.keyboard.press("ArrowRight")
        assert await page.get_by_label("Top", exact=True).is_checked()
        assert "position=top" in await page.input_value("#address")


async def test_without_boards_the_builder_waits_for_one(stack: Stack, open_page: Opens) -> None:
    async with service(stack) as node, open_page(f"{node.url}/overlay/build", hurried=True) as screen:
        await screen.page.locator("#nothing", has_text="There are no boards yet").wait_for()
        assert await screen.page.locator("#copy").is_disabled()
        await create(node, "arcade", {"columns": [{"name": "points"}]})
        await screen.page.clock.fast_forward(5_000)
        await screen.page.locator("#copy:enabled").wait_for()
        assert await screen.page.input_value("#address") == f"{node.url}/overlay?board=arcade"


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is missing: make web-tools")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_nothing_grave_is_found_in_the_builder(node: Node, open_page: Opens, scheme: Any, width: int) -> None:
    size = {"width": width, "height": 800}
    async with open_page(f"{node.url}/overlay/build", color_scheme=scheme, viewport=size) as screen:
        await screen.page.locator("#players option").first.wait_for(state="attached")
        assert await complaints(screen) == []
        assert await screen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
