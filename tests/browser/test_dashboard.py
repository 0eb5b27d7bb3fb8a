"""What the page at `/` does beside its table: following, searching, telling, themes, the wall, a link for each state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from tests.browser.conftest import FLAGS
from tests.browser.serving import CONTEST, contest, create, submit
from tests.harness import eventually

if TYPE_CHECKING:
    from tests.browser.conftest import Opens
    from tests.harness import Node, Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

# By the page's clock, what happens is told within.
TOLD_MS = 1_200
SEARCHED_MS = 1_500
"""By the page's clock, a list of those who were found is a new one within."""
# Who was in that list each time that it was written.
LISTED = """() => {
  window.listed = [];
  const found = document.getElementById("found");
  new MutationObserver(() => listed.push([...found.querySelectorAll(".id")].map((id) => id.textContent).join()))
    .observe(found, { childList: true });
}"""
DEEP = 160
"""More players than a table shows."""


async def fill(stack: Stack, node: Node, board: str) -> None:
    """Make a board of many: p000 leads, each next one has ten points less."""
    await create(node, board, {"title": "Arcade", "columns": [{"name": "points"}]})
    rows = [{"player": f"p{place:03}", "score": 10_000 - 10 * place, "name": f"Name {place}"} for place in range(DEEP)]
    await submit(node, board, *rows)
    await stack.settled()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crowd(shared_stack: Stack, shared: Node) -> Node:
    """A board of many, which nobody changes and a page shows by itself: it is the first by name."""
    await fill(shared_stack, shared, "arcade")
    return shared


@pytest_asyncio.fixture(loop_scope="module")
async def own(shared_stack: Stack, shared: Node, board: str) -> str:
    """Such a board for one test."""
    await fill(shared_stack, shared, board)
    return board


async def texts(screen: Any, selector: str) -> list[str]:
    found: list[str] = await screen.page.locator(selector).all_inner_texts()
    return found


async def test_who_was_found_far_down_stays_while_the_board_goes_on(shared: Node, own: str, open_page: Opens) -> None:
    async with open_page(f"{shared.url}/?board={own}", still=True) as screen:
        page = screen.page
        await page.locator(".body .row").nth(99).wait_for()
        await page.locator("#search").press_sequentially("Name 150")
        await page.clock.run_for(SEARCHED_MS)
        await page.locator("[role=option]", has_text="Name 150").wait_for()
        await page.evaluate(LISTED)
        for score in (50_000, 60_000):
            await submit(shared, own, {"player": "p001", "score": score})
            await page.locator(".body .row[data-player=p001] .score", has_text=f"{score:,}").wait_for()
            await page.clock.run_for(SEARCHED_MS)
        listed = await page.wait_for_function("() => listed.length > 1 && listed")
        assert set(await listed.json_value()) == {"p150"}


async def test_a_player_is_found_and_followed_by_keyboard_alone(crowd: Node, open_page: Opens) -> None:
    async with open_page(crowd.url) as screen:
        page, keys = screen.page, screen.page.keyboard
        await page.locator(".body .row").nth(99).wait_for()
        await keys.press("/")
        await keys.type("name 42")
        await page.locator("[role=option][aria-selected=true]", has_text="Name 42").wait_for()
        await keys.press("Enter")
        await page.locator("#standing-name", has_text="Name 42").wait_for()
        assert page.url == f"{crowd.url}/?watch=p042&focus=p042"
        row = page.locator(".row[data-player=p042]")
        assert await row.get_attribute("data-slot") == "0"
        await eventually(
            lambda: row.evaluate(
                "(row) => { const { top, bottom } = row.getBoundingClientRect(); return top >= 0 && bottom <= innerHeight }"
            )
        )
        # From row to row by arrows; one of them is where the tab key leads.
        await page.get_by_role("button", name="Follow Name 0", exact=True).focus()
        assert await page.locator(".follow button[tabindex='0']").count() == 1
        await keys.press("ArrowDown")
        await keys.press("ArrowDown")
        await keys.press("Space")
        await page.locator("#standing-name", has_text="Name 2").wait_for()
        assert await texts(screen, "#chips .name") == ["Name 42", "Name 2"]
        await keys.press("Enter")
        await page.locator("#standing-name", has_text="Name 42").wait_for()
        await page.get_by_role("button", name="Stop following Name 42").focus()
        await keys.press("Enter")
        await page.locator("#nobody").wait_for()
        assert page.url == f"{crowd.url}/"


async def test_who_is_beyond_the_table_is_found_by_name_and_by_id(crowd: Node, open_page: Opens) -> None:
    async with open_page(crowd.url) as screen:
        page = screen.page
        await page.locator(".body .row").nth(99).wait_for()
        for query, rank in (("name 150", "151st"), ("p133", "134th")):
            await page.get_by_role("combobox").fill(query)
            await page.locator("[role=option]").first.wait_for()
            await page.keyboard.press("Enter")
            await page.locator("#standing-rank", has_text=rank).wait_for()
        await page.get_by_role("combobox").fill("nobody at all")
        await page.locator("#found-note", has_text="Nobody of that name").wait_for()
        assert await page.locator("[role=option]").count() == 0


async def test_what_it_takes_to_pass_is_what_passes(shared: Node, own: str, open_page: Opens) -> None:
    async with open_page(f"{shared.url}/?board={own}&watch=p120") as screen:
        page = screen.page
        await page.locator(".ahead .takes", has_text="11 more points to pass").wait_for()
        assert await texts(screen, ".neighbour .name") == ["Name 119", "Name 120", "Name 121"]
        assert await page.inner_text("#standing-of") == "of 160 · top 76\u202f%"
        await submit(shared, own, {"player": "p120", "score": 8811})
        await page.locator("#standing-rank", has_text="120th").wait_for()
        assert await texts(screen, ".neighbour .name") == ["Name 118", "Name 120", "Name 119"]
        await page.locator("#plot[aria-label*='Name 120 from 121 to 120']").wait_for()
        assert await page.locator("#plot .curve.chosen").count() == 1


async def test_what_happens_is_told_one_after_the_other(shared: Node, own: str, open_page: Opens) -> None:
    # What has waited for four seconds is told no more: by the page's clock, which the machine does not delay.
    async with open_page(f"{shared.url}/?board={own}", still=True) as screen:
        page = screen.page
        await page.locator(".body .row").nth(99).wait_for()

        async def told(player: str, score: int, words: str) -> Any:
            await submit(shared, own, {"player": player, "score": score})
            await page.locator(f".body .row[data-player={player}] .score", has_text=f"{score:,}").wait_for()
            await page.clock.run_for(TOLD_MS)
            telling = page.locator("#happenings .words", has_text=words)
            await telling.wait_for()
            return telling

        await told("p001", 50_000, "Name 1 takes the lead from Name 0")
        await told("p030", 9955, "Name 30 enters the top 10")
        await (await told("p150", 9200, "Name 150 comes in at")).click()
        await page.locator("#standing-name", has_text="Name 150").wait_for()


async def test_the_way_from_a_score_to_the_screen_is_measured(shared: Node, own: str, open_page: Opens) -> None:
    # By the page's clock the service answers at once: what it is asked on a slow machine is answered too late to count.
    async with open_page(f"{shared.url}/?board={own}", still=True) as screen:
        await screen.page.locator(".body .row").nth(99).wait_for()
        await submit(shared, own, {"player": "p001", "score": 50_000})
        delay = screen.page.locator("#delay", has_text=" ms")
        await delay.wait_for()
        assert 0 < float((await delay.inner_text()).removesuffix(" ms").replace(",", "")) < 20_000
        await screen.page.locator("#status").click()
        panel = screen.page.get_by_role("dialog", name="Connection")
        assert "WebSocket" in await panel.inner_text()


async def test_a_link_brings_back_what_was_seen(crowd: Node, board: str, open_page: Opens) -> None:
    await create(crowd, board, {"title": "Other", "columns": [{"name": "points"}]})
    await submit(crowd, board, {"player": "ann", "score": 1})
    link = "?board=arcade&watch=p003,p120&focus=p003&q=name%207&theme=dark"
    async with open_page(f"{crowd.url}/{link}") as screen:
        page = screen.page
        await page.locator("#standing-name", has_text="Name 3").wait_for()
        await page.locator("[role=option]", has_text="Name 7").first.wait_for()
        assert await page.inner_text("h1") == "Arcade"
        await page.locator("#chips .name", has_text="Name 120").wait_for()
        assert await page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
        # Nothing that is done is lost on the way back.
        await page.get_by_role("combobox").press("Escape")
        await page.locator(".choose", has_text="Name 120").click()
        await page.locator("#standing-name", has_text="Name 120").wait_for()
        await page.go_back()
        await page.locator("#standing-name", has_text="Name 3").wait_for()


async def test_the_theme_that_was_chosen_stays(crowd: Node, open_page: Opens) -> None:
    async with open_page(crowd.url, color_scheme="dark") as screen:
        page = screen.page
        paper = "getComputedStyle(document.body).backgroundColor"
        dark = await page.evaluate(paper)
        await page.get_by_role("button", name="Theme: as the system").click()
        light = await page.evaluate(paper)
        assert light != dark
        await page.goto(crowd.url)
        assert await page.evaluate(paper) == light
        await page.get_by_role("button", name="Theme: light").click()
        assert await page.evaluate(paper) == dark


async def test_a_wall_shows_nothing_to_be_touched_and_does_not_scroll(crowd: Node, open_page: Opens) -> None:
    async with open_page(crowd.url, still=True, viewport={"width": 1920, "height": 1080}) as screen:
        page = screen.page
        await page.locator(".body .row").nth(99).wait_for()
        await page.keyboard.press("f")
        await page.locator("html.wall:not(.idle)").wait_for()
        await page.clock.fast_forward(3_500)
        await page.locator("html.wall.idle").wait_for()
        assert page.url == f"{crowd.url}/?wall"
        assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        assert not await page.get_by_role("combobox").is_visible()
        await page.keyboard.press("Escape")
        await page.locator("html:not(.wall)").wait_for(state="attached")
        assert page.url == f"{crowd.url}/"


async def test_who_says_who_they_are_is_found_again(crowd: Node, open_page: Opens) -> None:
    async with open_page(f"{crowd.url}/?watch=p140") as screen:
        page = screen.page
        await page.get_by_role("button", name="This is me").click()
        await page.goto(crowd.url)
        await page.locator(".body .row").nth(99).wait_for()
        await page.get_by_role("button", name="Find me").click()
        await page.locator("#standing-rank", has_text="141st").wait_for()
        await page.locator("#standing-mine[aria-pressed=true]").wait_for()


async def test_a_phone_shows_one_part_at_a_time(crowd: Node, open_page: Opens) -> None:
    async with open_page(f"{crowd.url}/?watch=p003", viewport={"width": 390, "height": 844}) as screen:
        page = screen.page
        await page.locator(".body .row").nth(99).wait_for()
        parts = {"Board": ".table", "Race": "#plot", "Now": "#happenings"}
        for name in ("Race", "Now", "Board"):
            await page.get_by_role("link", name=name, exact=True).click()
            for part, selector in parts.items():
                hidden = "(one) => one.closest('main, .panel').getClientRects().length === 0"
                assert await page.locator(selector).evaluate(hidden) is (part != name), (name, part)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.url == f"{crowd.url}/?watch=p003"


@pytest.mark.parametrize("query", ["", "?wall=1"])
async def test_a_page_with_a_scrollbar_is_as_wide_as_what_the_scrollbar_leaves(
    crowd: Node, chromium: str, query: str
) -> None:
    # Whoever drives a browser hides what a person has.
    async with async_playwright() as playwright:
        shown = await playwright.chromium.launch(
            executable_path=chromium, args=FLAGS, ignore_default_args=["--hide-scrollbars"]
        )
        page = await shown.new_page(viewport={"width": 1280, "height": 800})
        await page.goto(f"{crowd.url}/{query}")
        await page.locator(".body .row").nth(20).wait_for(state="attached")
        assert await page.evaluate("document.documentElement.clientWidth < innerWidth") is (query == "")
        wide = "(one) => [Math.round(one.getBoundingClientRect().left), Math.round(one.getBoundingClientRect().right)]"
        width = await page.evaluate("document.documentElement.clientWidth")
        assert await page.locator(".top").evaluate(wide) == [0, width]
        assert (await page.locator("main").evaluate(wide))[0] == 0
        assert (await page.locator("aside").evaluate(wide))[1] == width
        await shown.close()


async def test_a_contest_is_played_without_an_error_at_any_size(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens
) -> None:
    scores = contest()[:600]
    await create(shared, board, CONTEST)
    watched = [scores[0]["player"], scores[1]["player"]]
    async with open_page(f"{shared.url}/?board={board}&watch={','.join(watched)}") as screen:
        for start, size in ((0, (390, 844)), (200, (1440, 900)), (400, (2560, 1440))):
            await screen.page.set_viewport_size({"width": size[0], "height": size[1]})
            for turn in range(start, start + 200, 20):
                await submit(shared, board, *scores[turn : turn + 20])
        await shared_stack.settled()
        top = (await shared.http.get(f"/v1/boards/{board}/top?limit=100")).json()
        await screen.until_players(*(entry["player"] for entry in top["entries"]))
        # Drawn once a second.
        await screen.page.locator("#plot .curve").nth(1).wait_for(state="attached")
        assert await screen.page.locator("#plot .curve").count() == 2
