"""The page at `/console`: who gets in, what is seen of the service, and what is done to it, all of it through the REST API."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import pytest_asyncio

from tests.browser.serving import CONTEST, create, submit
from tests.browser.test_accessible import complaints
from tests.harness import PATIENCE, eventually
from tests.web_tools import AXE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from playwright.async_api import Page, Request

    from tests.browser.conftest import Opens, Screen
    from tests.harness import Node, Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTILE = '<img src=x onerror="window.taken = 1">'
PARTS = ("service", "boards", "players", "dead-letters")
# Two nodes, one of which has a connection, and a worker; then what is said of the database.
SEEN = """() => {
  const texts = (selector) => [...document.querySelectorAll(selector)].map((one) => one.innerText.replace(/\\s+/g, " ").trim());
  const tile = (name) => texts(".tile").find((text) => text.startsWith(name))?.slice(name.length).trim();
  const there =
    ["0 1", "1 0"].includes(texts("#nodes tbody tr td:nth-child(3)").join(" ")) &&
    tile("Connections") === "1 on 2 nodes" &&
    texts("#workers tbody tr").length === 1;
  return there && tile("Database");
}"""
LOOKS_EVERY = 2_000
"""Milliseconds."""


@contextlib.asynccontextmanager
async def service(stack: Stack) -> AsyncIterator[Node]:
    """A worker and a node that tell of themselves often, a board of three and an empty one."""
    # Whoever waits for the ranking is given as long as the page gives to an answer.
    async with stack.worker(beat=0.3), stack.node(beat=0.3, after_timeout=9.0) as node:
        await create(node, "harbin", CONTEST)
        teams = {"E10": "Team Ten", "E11": "team eleven", "B2": HOSTILE}
        scores = zip(teams.items(), (5, 4, 3), strict=True)
        rows = [{"player": player, "name": name, "score": [solved, 60]} for (player, name), solved in scores]
        await submit(node, "harbin", *rows)
        await create(node, "hostile", {"title": HOSTILE, "columns": [{"name": "points"}]})
        await stack.settled()
        yield node


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(shared_stack: Stack) -> AsyncIterator[Node]:
    """Such a service for tests that leave its boards as they are."""
    async with service(shared_stack) as node:
        yield node


@contextlib.asynccontextmanager
async def inside(
    stack: Stack,
    open_page: Opens,
    node: Node,
    part: str = "service",
    allowed: Callable[[str], bool] = lambda _: False,
    **context: Any,
) -> AsyncIterator[Screen]:
    """The console at one of its parts, with an admin's token."""
    async with open_page(f"{node.url}/console#{part}", allowed=allowed, **context) as screen:
        await knock(screen.page, stack.issuer.token("admin"))
        await screen.page.locator(f"#{part} h1").wait_for()
        yield screen


async def knock(page: Page, token: str) -> None:
    await page.get_by_label("Token", exact=True).fill(token)
    await page.get_by_role("button", name="Open the console").click()


def row(page: Page, key: str) -> Any:
    return page.locator(f"tr[data-key='{key}']")


# -- who gets in ---------------------------------------------------------------------------------------------------------


async def test_only_an_admin_gets_in_and_is_told_why_not(shared_stack: Stack, shared: Node, open_page: Opens) -> None:
    refused = lambda problem: "401" in problem or "403" in problem  # noqa: E731 - what the test brings about
    async with open_page(f"{shared.url}/console", allowed=refused) as screen:
        page = screen.page
        note = page.locator("#door-note")
        for token, told in (
            ("no token at all", "This is no token"),
            (shared_stack.issuer.token("server"), "not an admin's"),
            (shared_stack.issuer.token("admin", lifetime=-60), "."),
        ):
            await knock(page, token)
            await note.filter(has_text=told).wait_for()
            assert await page.locator("body").get_attribute("data-state") == "out"
            assert await page.evaluate("sessionStorage.length") == 0
        await knock(page, f"Bearer {shared_stack.issuer.token('admin')}")
        await page.locator("#service h1").wait_for()


async def test_the_token_is_in_a_header_and_in_this_tab_and_nowhere_else(
    shared_stack: Stack, shared: Node, open_page: Opens
) -> None:
    token = shared_stack.issuer.token("admin")
    asked: list[Request] = []
    async with open_page(f"{shared.url}/console") as screen:
        page = screen.page
        page.on("request", lambda one: asked.append(one))  # noqa: PLW0108 - it wants a function of its own
        await knock(page, token)
        for part in PARTS:
            await page.locator(f"#parts a[href='#{part}']").click()
            await page.locator(f"#{part} h1").wait_for()
        await page.reload()
        await page.locator("#dead-letters h1").wait_for()
        assert token not in page.url
        assert await page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
        assert await page.evaluate("Object.values(sessionStorage)") == [token]
        assert await page.input_value("#token") == ""
        called = [one for one in asked if "/v1/" in one.url]
        assert {one.headers.get("authorization") for one in called} == {f"Bearer {token}"}
        assert all(token not in one.url for one in asked)
        assert {one.url.split("/")[2] for one in asked} == {shared.url.split("/")[2]}
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_label("Token", exact=True).wait_for()
        assert await page.evaluate("sessionStorage.length") == 0
        assert not await page.locator("#parts").is_visible()
        await page.reload()
        await page.get_by_label("Token", exact=True).wait_for()


async def test_a_token_that_is_over_leads_back_to_the_door(shared_stack: Stack, shared: Node, open_page: Opens) -> None:
    async with (
        inside(shared_stack, open_page, shared, allowed=lambda problem: "401" in problem, hurried=True) as screen,
    ):
        page = screen.page
        # What an ended token is answered with; nobody waits for one to end.
        over = {"type": "about:blank", "title": "Unauthorized", "status": 401, "code": "unauthenticated"}
        await page.route("**/v1/status", lambda route: route.fulfill(status=401, json=over))
        await page.clock.fast_forward(LOOKS_EVERY)
        await page.locator("#door-note", has_text="not taken any more").wait_for()
        assert await page.evaluate("sessionStorage.length") == 0


# -- what is seen --------------------------------------------------------------------------------------------------------


async def test_every_node_and_worker_is_seen_as_it_is_now(stack: Stack, open_page: Opens) -> None:
    async with (
        service(stack) as node,
        stack.node(beat=0.3) as other,
        inside(stack, open_page, node) as screen,
        open_page(other.url) as watcher,
    ):
        page = screen.page
        await watcher.until_players("E10", "E11", "B2")
        # All of it at one moment: of a machine that was busy some beats may not have come just then, and come again.
        seen = await page.wait_for_function(SEEN)
        assert await seen.json_value() == "OK scores are kept"
        assert await page.locator("#nodes thead th", has_text="Drift").count() == 1


async def test_a_ranking_that_is_away_is_seen(stack: Stack, open_page: Opens, valkey: Any) -> None:
    async with service(stack) as node, inside(stack, open_page, node) as screen:
        await screen.page.locator(".tile", has_text="Ranking").locator(".value", has_text="OK").wait_for()
        valkey.stop()
        await screen.page.locator(".tile[data-mood=grave]", has_text="Ranking").wait_for()
        await screen.page.locator("#workers .empty", has_text="While the ranking is away").wait_for()
        valkey.start()
        await screen.page.locator(".tile[data-mood=calm]", has_text="Ranking").wait_for()


async def test_a_service_that_does_not_answer_is_said_so(shared_stack: Stack, shared: Node, open_page: Opens) -> None:
    async with inside(shared_stack, open_page, shared, allowed=lambda _: True, hurried=True) as screen:
        await screen.page.locator("#nodes tbody tr").wait_for()
        await screen.page.context.set_offline(True)
        await screen.page.clock.fast_forward(LOOKS_EVERY)
        await screen.page.locator("#as-of", has_text="does not answer").wait_for()
        await screen.page.context.set_offline(False)
        await screen.page.clock.fast_forward(LOOKS_EVERY)
        await screen.page.locator("#as-of", has_text="told by").wait_for()


# -- boards --------------------------------------------------------------------------------------------------------------


async def test_a_board_is_made_edited_and_deleted_by_keyboard_alone(
    shared_stack: Stack, shared: Node, open_page: Opens
) -> None:
    async with inside(shared_stack, open_page, shared, "boards") as screen:
        page, keys = screen.page, screen.page.keyboard
        await row(page, "harbin").wait_for()
        await page.get_by_role("button", name="New board").focus()
        await keys.press("Enter")
        await page.locator("#f-board:focus").wait_for()
        await keys.type("laps")
        await keys.press("Tab")
        await keys.type("Laps")
        for text in ("time", None, "3", "0.5"):  # name, order, decimals, least
            await keys.press("Tab")
            if text is None:
                await keys.press("ArrowDown")
            else:
                await keys.press("ControlOrMeta+a")
                await keys.type(text)
        await keys.press("Enter")
        await row(page, "laps").wait_for()
        made = (await shared.http.get("/v1/boards/laps")).json()
        assert made["title"] == "Laps"
        assert made["columns"] == [{"name": "time", "direction": "asc", "decimals": 3}]
        assert made["minimum"] == 500

        await page.get_by_role("button", name="Edit Laps").focus()
        await keys.press("Enter")
        await page.locator("#f-title:focus").wait_for()
        assert await page.input_value("#f-columns .minimum") == "0.500"
        await keys.press("ControlOrMeta+a")
        await keys.type("Fast laps")
        await keys.press("Enter")
        await row(page, "laps").filter(has_text="Fast laps").wait_for()
        assert (await shared.http.get("/v1/boards/laps")).json() == made | {"title": "Fast laps", "revision": 2}

        await page.get_by_role("button", name="Delete Fast laps").focus()
        await keys.press("Enter")
        await page.locator("#sure-input:focus").wait_for()
        await keys.type("lap")
        await keys.press("Enter")
        assert await page.locator("#sure-do").is_disabled()
        assert (await shared.http.get("/v1/boards/laps")).status_code == 200
        await keys.type("s")
        await keys.press("Enter")
        await row(page, "laps").wait_for(state="detached")
        assert (await shared.http.get("/v1/boards/laps")).status_code == 404
        assert (await shared.http.get("/v1/boards/harbin")).status_code == 200


async def test_what_the_service_does_not_take_is_said_in_the_form(
    shared_stack: Stack, shared: Node, open_page: Opens
) -> None:
    async with (
        inside(shared_stack, open_page, shared, "boards", allowed=lambda problem: "409" in problem) as screen,
    ):
        page = screen.page
        await page.get_by_role("button", name="New board").click()
        await page.locator("#f-board").fill("two words")
        await page.locator("#board-save").click()
        await page.locator("#board-note", has_text="An id has").wait_for()
        await page.get_by_role("button", name="Cancel").click()
        await page.get_by_role("button", name="Edit Harbin").click()
        await page.locator("#f-columns .direction").first.select_option("asc")
        await page.locator("#board-save").click()
        await page.locator("#board-note:not(:empty)").wait_for()
        assert await page.locator("#board-dialog").is_visible()
        assert (await shared.http.get("/v1/boards/harbin")).json()["columns"][0]["direction"] == "desc"
        await page.keyboard.press("Escape")
        assert not await page.locator("#board-dialog").is_visible()


async def test_a_board_has_one_to_four_columns(shared_stack: Stack, shared: Node, open_page: Opens) -> None:
    async with inside(shared_stack, open_page, shared, "boards") as screen:
        page = screen.page
        await page.get_by_role("button", name="New board").click()
        await page.locator("#f-board").fill("wide")
        assert not await page.get_by_role("button", name="Remove column 1").is_visible()
        for name in ("two", "three", "four"):
            await page.get_by_role("button", name="Add a column").click()
            await page.keyboard.type(name)
        assert not await page.get_by_role("button", name="Add a column").is_visible()
        await page.get_by_role("button", name="Remove column 3").click()
        await page.locator("#f-public").select_option("no")
        await page.locator("#board-save").click()
        await row(page, "wide").wait_for()
        made = (await shared.http.get("/v1/boards/wide")).json()
        assert [column["name"] for column in made["columns"]] == ["score", "two", "four"]
        assert made["public"] is False


# -- players -------------------------------------------------------------------------------------------------------------


async def test_a_player_is_found_and_taken_off(stack: Stack, open_page: Opens) -> None:
    async with service(stack) as node, inside(stack, open_page, node, "players") as screen:
        page = screen.page
        await row(page, "B2").wait_for()
        query = page.get_by_label("Name or id begins with")
        await query.fill("TEAM")
        await row(page, "B2").wait_for(state="detached")
        cells = await page.locator("#player-list tbody tr").evaluate_all(
            "(rows) => rows.map((row) => [row.dataset.key, row.cells[1].textContent, row.cells[2].textContent])"
        )
        assert cells == [["E10", "1", "5 · 60"], ["E11", "2", "4 · 60"]]
        await query.fill("nobody")
        await page.locator("#player-list .empty", has_text="Nobody whose name or id begins with").wait_for()
        await query.fill("E1")
        await page.get_by_role("button", name="Remove Team Ten").click()
        await page.get_by_role("button", name="Cancel").click()
        assert (await node.http.get("/v1/boards/harbin/players/E10")).status_code == 200
        await page.get_by_role("button", name="Remove Team Ten").click()
        await page.get_by_role("button", name="Remove the entry").click()
        await page.locator("#toast", has_text="Team Ten is off harbin").wait_for()
        await row(page, "E10").wait_for(state="detached")
        assert (await node.http.get("/v1/boards/harbin/players/E10")).status_code == 404
        assert (await row(page, "E11").locator("td").first.inner_text()) == "1"


async def test_names_are_shown_as_the_text_that_they_are(shared_stack: Stack, shared: Node, open_page: Opens) -> None:
    async with inside(shared_stack, open_page, shared, "boards") as screen:
        page = screen.page
        assert await row(page, "hostile").locator(".strong").inner_text() == HOSTILE
        await page.locator("#parts a[href='#players']").click()
        await page.locator("#player-board").select_option("harbin")
        assert await row(page, "B2").locator(".strong").inner_text() == HOSTILE
        await row(page, "B2").get_by_role("button").click()
        assert await page.inner_text("#sure-title") == f"Remove {HOSTILE}?"
        assert await page.evaluate("window.taken") is None
        assert await page.locator("main img, main script, dialog img").count() == 0


# -- dead letters --------------------------------------------------------------------------------------------------------


async def test_what_was_put_aside_is_listed_and_redriven(stack: Stack, open_page: Opens) -> None:
    async with service(stack) as node:
        connection = await asyncpg.connect(stack.settings.database_url, timeout=PATIENCE)
        try:
            held = await connection.fetchval(
                "INSERT INTO outbox (payload, leased_until, reason) VALUES ($1, 'infinity', $2) RETURNING id",
                b"no message pack",
                f"no changes: {HOSTILE}",
            )
            async with inside(stack, open_page, node, "service") as screen:
                page = screen.page
                await page.locator("#dead-badge", has_text="1").wait_for()
                await page.get_by_role("link", name="Dead letters").click()
                letter = row(page, f"row:{held}")
                await letter.wait_for()
                assert f"no changes: {HOSTILE}" in await letter.inner_text()
                assert "15 B" in await letter.inner_text()
                await page.get_by_role("button", name="Redrive all").click()
                await page.locator("#sure-do").click()
                await page.locator("#toast", has_text="1 row set free.").wait_for()

                async def aside_again() -> bool:
                    # It still cannot be read: the worker has tried, and says why in its own words.
                    reason = await connection.fetchval("SELECT reason FROM outbox WHERE id = $1", held)
                    return reason is not None and HOSTILE not in reason

                await eventually(aside_again)
        finally:
            await connection.close()


# -- for everybody -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is missing: make web-tools")
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_grave_is_found_in_any_part(
    shared_stack: Stack, shared: Node, open_page: Opens, scheme: str
) -> None:
    async with open_page(f"{shared.url}/console", color_scheme=scheme) as screen:
        page = screen.page
        await page.get_by_label("Token", exact=True).wait_for()
        assert await complaints(screen) == []
        await knock(page, shared_stack.issuer.token("admin"))
        seen = {"service": "#workers tbody tr", "boards": "#board-list tr", "players": "#player-list tbody tr"}
        for part in PARTS:
            await page.locator(f"#parts a[href='#{part}']").click()
            await page.locator(seen.get(part, "#dead-list .empty")).first.wait_for()
            assert await complaints(screen) == [], part
            if part == "boards":
                await page.get_by_role("button", name="Edit Harbin").click()
                assert await complaints(screen, "dialog[open]") == []
                await page.keyboard.press("Escape")
                await page.get_by_role("button", name="Delete Harbin").click()
                assert await complaints(screen, "dialog[open]") == []
                await page.keyboard.press("Escape")


async def test_a_phone_scrolls_tables_and_not_the_page(shared_stack: Stack, shared: Node, open_page: Opens) -> None:
    async with (
        inside(shared_stack, open_page, shared, viewport={"width": 390, "height": 844}) as screen,
    ):
        page = screen.page
        for part in PARTS:
            await page.locator(f"#parts a[href='#{part}']").click()
            await page.locator(f"#{part} h1").wait_for()
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), part
        await page.locator("#parts a[href='#boards']").click()
        await page.get_by_role("button", name="Delete Harbin").wait_for()
        reach = "(one) => one.getBoundingClientRect().right <= innerWidth"
        assert await page.get_by_role("button", name="Delete Harbin").evaluate(reach)
