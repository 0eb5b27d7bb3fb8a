"""The page at `/` in a real browser, on the real stack."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.browser.serving import CONTEST, DATA, contest, create, lost, service, submit
from tests.harness import PATIENCE, free_port, ready

if TYPE_CHECKING:
    from tests.browser.conftest import Opens, Screen
    from tests.harness import Node, Stack

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

# Whatever was on the screen and went away, if only between two frames.
BLINKS = """() => {
  window.blinks = [];
  const held = [...document.querySelectorAll(".body .row, .neighbour.own, #chips li")];
  const shown = (element) => element.isConnected && element.closest("[hidden]") === null;
  new MutationObserver(() => {
    for (const element of held) if (!shown(element)) blinks.push(element.className);
    if (!document.getElementById("ghosts").hidden) blinks.push("ghosts");
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["hidden"] });
}"""
# By the page's clock, what happens is told within.
TOLD_MS = 1_200
PHONE = {"viewport": {"width": 390, "height": 844}}
HOSTILE = [
    "<script>window.taken = 1</script>",
    '<img src=x onerror="window.taken = 1">',
    '"><svg onload=window.taken=1>',
    "&lt;b&gt;bold&lt;/b&gt;",
    "{{constructor.constructor('window.taken = 1')()}}",
    "\u202egnol.exe\u202c",
    "Z\u0338\u0328\u0321\u0322\u031b\u0348\u0331algo" + "\u0336" * 20,
    "哈尔滨工业大学",
    "W" * 64,
    "👩\u200d👩\u200d👧\u200d👦",
]


def written(value: int) -> str:
    return f"{value:,}"


def ordered(standings: list[dict[str, Any]], top: dict[str, Any]) -> list[dict[str, Any]]:
    """The official standings; whoever shares a rank in the order of the board, as only that knows who was first."""
    places = {entry["player"]: place for place, entry in enumerate(top["entries"])}
    return sorted(standings, key=lambda one: (one["rank"], places.get(one["player"], len(places))))


async def same_version(stack: Stack, node: Node, board: str, screen: Screen) -> dict[str, Any]:
    """Wait until the page is at the service's version, and assert that they then say the same."""
    await stack.settled()
    top = (await node.http.get(f"/v1/boards/{board}/top?limit=100")).json()
    await screen.until_version(f"{top['epoch']}/{top['version']}")
    shown = await screen.shown()
    assert shown["version"] == f"{top['epoch']}/{top['version']}"
    assert shown["rows"] == [
        {
            "player": entry["player"],
            "rank": entry["rank"],
            "name": entry["name"],
            "scores": [written(value) for value in entry["score"]],
        }
        for entry in top["entries"]
    ]
    return dict(top)


async def test_the_page_stands_as_the_service_says_at_every_version_looked_at(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens
) -> None:
    scores = contest()
    some, rest = scores[:900], scores[900:]
    await create(shared, board, CONTEST)
    async with open_page(f"{shared.url}/?board={board}") as screen:
        await screen.until_status("Live")
        tied = 0
        for start in range(0, len(some), 60):
            await submit(shared, board, *some[start : start + 60])
            top = await same_version(shared_stack, shared, board, screen)
            tied += len(top["entries"]) - len({entry["rank"] for entry in top["entries"]})
        assert tied > 0  # or this proved less than it says
        # And all at once, in any order: each score is a best, or is not taken.
        await asyncio.gather(*(submit(shared, board, *rest[start::20]) for start in range(20)))
        last = await same_version(shared_stack, shared, board, screen)
        assert last["version"] > top["version"]
        standings = json.loads((DATA / "contest-harbin.standings.json").read_text())["standings"]
        assert [[one["player"], one["rank"]] for one in last["entries"]] == [
            [one["player"], one["rank"]] for one in ordered(standings, last)[:100]
        ]


async def test_the_page_comes_back_by_itself_when_the_node_was_killed_and_is_there_again(
    stack: Stack, open_page: Opens
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with stack.worker(), contextlib.AsyncExitStack() as opened:
        client = httpx.AsyncClient(base_url=url, timeout=PATIENCE, headers=stack.headers("admin"))
        http = await opened.enter_async_context(client)
        async with stack.process("api", port=port) as node:
            await ready(url)
            (await http.put("/v1/boards/harbin", json=CONTEST)).raise_for_status()
            await http.post("/v1/boards/harbin/scores", json={"player": "ann", "score": [1, 60]})
            screen = await opened.enter_async_context(open_page(f"{url}/?watch=ann", allowed=lost))
            await screen.until_players("ann")
            await screen.page.locator("#standing-rank", has_text="1st").wait_for()
            await screen.page.evaluate(BLINKS)
            await screen.hurry_back()
            node.send_signal(signal.SIGKILL)
            await node.wait()
            await screen.until_status("Reconnecting")
            assert await screen.players() == ["ann"]
        async with stack.process("api", port=port):
            await ready(url)
            await http.post("/v1/boards/harbin/scores", json={"player": "bob", "score": [2, 60]})
            await screen.until_players("bob", "ann")
            await screen.until_status("Live")
            await screen.page.locator("#standing-rank", has_text="2nd").wait_for()
            assert await screen.page.locator("#board.behind").count() == 0
            assert await screen.page.evaluate("blinks") == []
            await opened.aclose()


async def test_hostile_names_are_shown_as_the_text_that_they_are(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens
) -> None:
    await create(shared, board, {"title": HOSTILE[0], "columns": [{"name": "score"}]})
    rows = [{"player": f"p{place}", "score": -place, "name": name} for place, name in enumerate(HOSTILE)]
    await submit(shared, board, *rows)
    await shared_stack.settled()
    async with open_page(f"{shared.url}/?board={board}", **PHONE) as screen:
        await screen.until_players(*(row["player"] for row in rows))
        assert [row["name"] for row in (await screen.shown())["rows"]] == HOSTILE
        assert await screen.page.inner_text("h1") == HOSTILE[0]
        assert await screen.page.evaluate("window.taken") is None
        assert await screen.page.locator(".table img, .table script, .table svg, aside img, aside script").count() == 0
        # However long or tall a name is, it stays in its row and the page does not scroll sideways.
        assert await screen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        heights = await screen.page.locator(".body .row").evaluate_all("(rows) => rows.map((row) => row.offsetHeight)")
        assert len(set(heights[3:])) == 1
    watch = ",".join(row["player"] for row in rows[:6])
    for view in ("race", "now"):
        async with open_page(f"{shared.url}/?board={board}&watch={watch}&view={view}", still=True, **PHONE) as screen:
            await screen.page.locator(".body .row").nth(9).wait_for(state="attached")
            # Each is named when what is around that player has come.
            named = "JSON.stringify([...document.querySelectorAll('#chips .name')].map((name) => name.textContent))"
            await screen.page.wait_for_function(f"(wanted) => {named} === JSON.stringify(wanted)", arg=HOSTILE[:6])
            # One after the other: two that arrive as one version are told by what came of them.
            scores = {
                "p9": (1 if view == "race" else 3, HOSTILE[1]),
                "p8": (2 if view == "race" else 4, HOSTILE[0]),
            }
            for player, (score, name) in scores.items():
                await submit(shared, board, {"player": player, "score": score, "name": name})
                await screen.until_leader(player)
                await screen.page.clock.run_for(TOLD_MS)
                told = screen.page.locator("#happenings li").first.locator(".named").first
                await told.filter(has_text=name).wait_for(state="attached")
            assert await screen.page.evaluate("window.taken") is None
            assert await screen.page.locator("aside img, aside script").count() == 0
            assert await screen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_integers_that_a_browser_would_round_are_exact(shared: Node, board: str, open_page: Opens) -> None:
    await create(shared, board, {"columns": [{"name": "time", "direction": "asc", "decimals": 3}]})
    scores = {"p0": "-9223372036854775808", "p1": 12345, "p2": "9223372036854775806", "p3": "9223372036854775807"}
    await submit(shared, board, *({"player": player, "score": score} for player, score in scores.items()))
    async with open_page(f"{shared.url}/?board={board}") as screen:
        await screen.until_players(*scores)
        assert [row["scores"] for row in (await screen.shown())["rows"]] == [
            ["\u22129,223,372,036,854,775.808"],
            ["12.345"],
            ["9,223,372,036,854,775.806"],
            ["9,223,372,036,854,775.807"],
        ]


async def test_a_board_that_is_not_there_yet_appears_by_itself(shared: Node, board: str, open_page: Opens) -> None:
    async with open_page(f"{shared.url}/?board={board}", hurried=True) as screen:
        notice = screen.page.locator("#notice h2")
        await notice.filter(has_text="There are no boards yet").or_(notice.filter(has_text=f"“{board}”")).wait_for()
        await create(shared, board, CONTEST)
        await screen.page.clock.fast_forward(4_000)
        await notice.filter(has_text="Nobody has scored yet").wait_for()
        assert await screen.page.inner_text("h1") == "Harbin"
        await submit(shared, board, {"player": "ann", "score": [1, 60]})
        await screen.until_players("ann")
        await screen.until_status("Live")
        await shared.http.delete(f"/v1/boards/{board}")
        await notice.filter(has_text=f"There is no board “{board}”").wait_for()


async def test_boards_are_switched_by_keyboard_and_the_address_follows(stack: Stack, open_page: Opens) -> None:
    async with service(stack) as node:
        for board in ("alpha", "beta"):
            await create(node, board, {"title": board.title(), "columns": [{"name": "score"}]})
            await submit(node, board, {"player": f"of.{board}", "score": 1})
        async with open_page(node.url) as screen:
            page = screen.page
            await screen.until_players("of.alpha")
            await page.get_by_role("button", name="Boards").focus()
            await page.keyboard.press("Enter")
            await page.get_by_role("link", name="Alpha").and_(page.locator(":focus")).wait_for()
            await page.keyboard.press("ArrowDown")
            await page.keyboard.press("Enter")
            await screen.until_players("of.beta")
            assert page.url == f"{node.url}/?board=beta"
            assert await page.title() == "Beta · Rankcast"
            assert await page.locator("#boards [aria-current]").all_text_contents() == ["Beta"]
            await page.go_back()
            await screen.until_players("of.alpha")


async def test_a_screen_reader_finds_a_table_with_its_headings(shared: Node, board: str, open_page: Opens) -> None:
    await create(shared, board, CONTEST)
    await submit(shared, board, {"player": "ann", "score": [3, 60]}, {"player": "bob", "score": [2, 60]})
    async with open_page(f"{shared.url}/?board={board}") as screen:
        await screen.until_players("ann", "bob")
        table = screen.page.get_by_role("table", name="Harbin")
        headings = await table.get_by_role("columnheader").all_inner_texts()
        assert [heading.split("\n")[0] for heading in headings] == [
            "Rank",
            "Movement",
            "Player",
            "Solved",
            "Penalty",
            "Follow",
        ]
        assert await table.get_by_role("row").count() == 3
        assert await table.get_by_role("rowheader").locator(".name").all_inner_texts() == ["ann", "bob"]
        await screen.page.locator("#announcer", has_text="ann leads with solved 3, penalty 60.").wait_for(
            state="attached"
        )


@pytest.mark.parametrize(("motion", "glides"), [("no-preference", True), ("reduce", False)])
async def test_an_overtaking_row_glides_unless_motion_is_not_wanted(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens, motion: str, glides: bool
) -> None:
    await create(shared, board, CONTEST)
    await submit(shared, board, {"player": "ann", "score": [3, 60]}, {"player": "bob", "score": [2, 60]})
    await shared_stack.settled()  # who comes while the page looks is new there, and has not moved
    async with open_page(f"{shared.url}/?board={board}", reduced_motion=motion) as screen:
        await screen.until_players("ann", "bob")
        await submit(shared, board, {"player": "bob", "score": [4, 60]})
        await screen.until_players("bob", "ann")
        assert ("transform" in await screen.page.evaluate("animated")) is glides
        moved = screen.page.locator(".body .row .move span")
        assert await moved.evaluate_all("(all) => all.map((one) => one.getAttribute('aria-label'))") == [
            "up 1",
            "down 1",
        ]


async def test_the_interface_is_laid_out_whole(shared: Node, open_page: Opens) -> None:
    paths = (await shared.http.get("/openapi.json")).json()["paths"]
    messages = (await shared.http.get("/asyncapi.json")).json()["components"]["messages"]
    operations = [operation for path in paths.values() for key, operation in path.items() if key != "parameters"]
    async with open_page(f"{shared.url}/docs") as screen:
        await screen.page.locator("#live article").first.wait_for()
        told = await screen.page.locator("article h3").all_inner_texts()
        wanted = [operation["summary"] for operation in operations] + [one["title"] for one in messages.values()]
        assert sorted({*wanted, "Error codes", "Close codes"}) == sorted(set(told))
        assert await screen.page.locator("#scores pre").count() >= 4
        assert "undefined" not in await screen.page.inner_text("main")


async def test_a_page_of_another_site_loads_the_client_and_watches(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens
) -> None:
    async with shared_stack.node() as elsewhere:
        await create(shared, board, {"columns": [{"name": "score"}]})
        await submit(shared, board, {"player": "ann", "score": 7, "name": "Ann"})
        # Ranked before anybody watches: the first list that the page is shown must have her.
        await shared_stack.settled()
        # The browser asks that site for an icon, which it has not.
        async with open_page(elsewhere.url, allowed=lambda problem: "404" in problem) as screen:
            # Our page's own policy would forbid it; a page of another site has its own, or none, as this answer.
            await screen.page.goto(f"{elsewhere.url}/healthz")
            watched = await screen.page.evaluate(
                """([module, live, name]) => import(module).then(({ connect }) => new Promise((resolve) => {
                    const connection = connect(live);
                    connection.top(name).on("state", (board) => {
                        resolve(board.entries.map((one) => [one.rank, one.name]));
                        connection.close();
                    });
                }))""",
                [f"{shared.url}/web/client/live.js", shared.live_url, board],
            )
            assert watched == [[1, "Ann"]]
