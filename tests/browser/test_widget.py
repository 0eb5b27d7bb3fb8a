"""`<live-leaderboard>` in pages of another origin whose policy forbids everything inline, on the real stack."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.browser.embedding import Site, serving, shown, until_described, until_players, until_state
from tests.browser.serving import CONTEST, contest, create, lost, service, submit
from tests.browser.test_accessible import complaints
from tests.harness import PATIENCE, eventually, free_port, ready
from tests.web_tools import AXE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.conftest import Opens, Screen
    from tests.harness import Node, Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

ARCADE = {"title": "Neon Alley", "columns": [{"name": "points"}]}
TINY_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001"
    "7a5eab3f0000000049454e44ae426082"
)
HOSTILE = [
    "<script>window.taken = 1</script>",
    '<img src=x onerror="window.taken = 1">',
    '"><svg onload=window.taken=1>',
    "&lt;b&gt;bold&lt;/b&gt;",
    "{player} leads with {score}",
    "\u202egnol.exe\u202c",
    "Z\u0338\u0328\u0321\u0322\u031b\u0348\u0331algo" + "\u0336" * 20,
    "محمد علي",
    "W" * 64,
    "👩\u200d👩\u200d👧\u200d👦",
]
# What a person sees of the way, from now on: rows that went, and states.
WITNESS = """(widget) => {
  const frame = widget.shadowRoot.querySelector(".frame");
  const body = widget.shadowRoot.querySelector(".body");
  window.kinds = [frame.dataset.kind];
  window.gone = 0;
  window.kept = [...body.children];
  new MutationObserver(() => kinds.push(frame.dataset.kind)).observe(frame, { attributeFilter: ["data-kind"] });
  new MutationObserver((changes) => {
    const lost = changes.flatMap(({ removedNodes }) => [...removedNodes]).filter((node) => !node.isConnected);
    gone += lost.length;
  }).observe(body, { childList: true });
}"""


@pytest.fixture
def site() -> Iterator[Site]:
    yield from serving()


def missing(problem: str) -> bool:
    return "404" in problem or "403" in problem


def points(**scores: int) -> list[dict[str, Any]]:
    return [{"player": player, "score": score} for player, score in scores.items()]


async def arcade(stack: Stack, node: Node, board: str, **scores: int) -> None:
    await create(node, board, ARCADE)
    await submit(node, board, *points(**scores))
    await stack.settled()


async def same_version(stack: Stack, node: Node, board: str, screen: Screen) -> dict[str, Any]:
    """Wait until the widget is at the service's version, and assert that they then say the same."""
    await stack.settled()
    top = (await node.http.get(f"/v1/boards/{board}/top?limit=100")).json()
    version = f"{top['epoch']}/{top['version']}"
    await screen.page.locator(f"live-leaderboard .frame[data-version='{version}']").wait_for()
    read = await shown(screen)
    assert read["version"] == version
    assert read["rows"] == [
        {
            "player": entry["player"],
            "rank": str(entry["rank"]),
            "name": " ".join(entry["name"].split()),
            "scores": [f"{value:,}" for value in entry["score"]],
        }
        for entry in top["entries"]
    ]
    return dict(top)


async def test_it_stands_as_the_service_says_at_every_version_looked_at(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens, site: Site
) -> None:
    scores = contest()[:600]
    await create(shared, board, CONTEST)
    await submit(shared, board, *scores[:40])
    await shared_stack.settled()
    page = site.embed(shared, f'<live-leaderboard board="{board}" limit="100"></live-leaderboard>')
    async with open_page(page) as screen:
        await until_state(screen, "live")
        await until_described(screen, CONTEST["title"])
        versions = set()
        for at in range(40, len(scores), 40):
            await submit(shared, board, *scores[at : at + 40])
            versions.add((await same_version(shared_stack, shared, board, screen))["version"])
        top = await same_version(shared_stack, shared, board, screen)
        assert len(versions) > 8
        assert len({entry["rank"] for entry in top["entries"]}) < len(top["entries"])


async def test_hostile_names_stay_text(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens, site: Site
) -> None:
    rows = [{"player": f"p{i}", "score": 100 - i, "name": name} for i, name in enumerate(HOSTILE)]
    await create(shared, board, ARCADE)
    await submit(shared, board, *rows)
    await shared_stack.settled()
    page = site.embed(shared, f'<live-leaderboard board="{board}" selectable></live-leaderboard>')
    async with open_page(page) as screen:
        await until_players(screen, *(row["player"] for row in rows))
        # The next to lead has a name that a careless announcement would fill in.
        await submit(shared, board, {"player": "p4", "score": 500, "name": HOSTILE[4]})
        widget = screen.page.locator("live-leaderboard")
        await widget.locator("[aria-live]", has_text="{player} leads with {score} leads with 500.").wait_for(
            state="attached"
        )
        assert sorted(row["name"] for row in (await shown(screen))["rows"]) == sorted(HOSTILE)
        assert await widget.locator(".name *, script, svg, img").count() == 0
        assert await screen.page.evaluate("window.taken") is None
        # Nor does any of them move what is beside it.
        heights = await widget.locator(".body .line").evaluate_all("(all) => all.map((one) => one.scrollHeight)")
        assert len(set(heights)) == 1


async def test_a_row_is_chosen_by_keys_alone_and_the_page_is_told(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens, site: Site
) -> None:
    await arcade(shared_stack, shared, board, ann=9, bob=8, cat=7, dan=6)
    page = site.embed(shared, f'<live-leaderboard board="{board}" selectable></live-leaderboard>')
    async with open_page(page) as screen:
        await until_players(screen, "ann", "bob", "cat", "dan")
        await until_described(screen, ARCADE["title"])
        await screen.page.evaluate(
            """() => { window.chosen = [];
            addEventListener("leaderboard-select", ({ detail }) => chosen.push(detail.entry.player)); }"""
        )
        press = screen.page.keyboard.press
        await press("Tab")
        for key in ("Enter", "ArrowDown", "Enter", "End", "Space", "ArrowUp", "Enter", "Home"):
            await press(key)
        # Whoever moves takes the focus along.
        await submit(shared, board, {"player": "ann", "score": 7_5}, {"player": "bob", "score": 100})
        await until_players(screen, "bob", "ann", "cat", "dan")
        await press("Enter")
        assert await screen.page.evaluate("chosen") == ["ann", "bob", "dan", "cat", "ann"]


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is missing: make web-tools")
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_grave_is_found_in_any_state(stack: Stack, open_page: Opens, site: Site, scheme: str) -> None:
    async with service(stack) as node:
        await arcade(stack, node, "arcade", ann=9, bob=8, cat=7, dan=6, eve=5)
        await create(node, "harbin", CONTEST)
        await submit(node, "harbin", *contest()[:60])
        await create(node, "none", {"columns": [{"name": "points"}]})
        await stack.settled()
        widgets = [
            'board="arcade" limit="2" player="eve" heading="Best of all"',
            'board="harbin" selectable density="compact"',
            'board="none"',
            'board="nowhere"',
            'board="arcade" view="around" player="nobody"',
        ]
        page = site.embed(node, "".join(f"<live-leaderboard {one}></live-leaderboard>" for one in widgets))
        async with open_page(page, allowed=missing, color_scheme=scheme) as screen:
            for at, kind in enumerate(["live", "live", "empty", "refused", "unranked"]):
                await until_state(screen, kind, at)
            await submit(node, "arcade", *points(dan=50))
            await until_players(screen, "dan", "ann")
            # The page gives it no ground: its own does.
            assert await complaints(screen) == []


async def test_a_screen_reader_finds_a_table_and_is_told_of_a_new_leader_only(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens, site: Site
) -> None:
    await arcade(shared_stack, shared, board, ann=9, bob=8)
    page = site.embed(shared, f'<live-leaderboard board="{board}" player="bob"></live-leaderboard>')
    # What is said, and when, is a matter of the page's clock alone.
    async with open_page(page, still=True) as screen:
        await until_players(screen, "ann", "bob")
        await until_described(screen, ARCADE["title"])
        table = screen.page.get_by_role("table", name=ARCADE["title"])
        assert await table.get_by_role("columnheader").all_inner_texts() == ["Rank", "Player", "Movement", "Points"]
        assert await table.get_by_role("rowheader").count() == 2
        said = screen.page.locator("live-leaderboard [aria-live]")
        await said.evaluate(
            """(voice) => { window.said = []; window.ranks = [];
            addEventListener("leaderboard-rank", ({ detail }) => ranks.push(detail.entry.rank));
            new MutationObserver(() => said.push(voice.textContent)).observe(voice, { childList: true }); }"""
        )
        until_rank = "(rank) => ranks.at(-1) === rank"
        assert await said.inner_text() == ""
        await submit(shared, board, *points(ann=10))
        await submit(shared, board, *points(cat=1))
        await submit(shared, board, *points(bob=11))
        await until_players(screen, "bob", "ann", "cat")
        # Where a player stands comes apart from the list.
        await screen.page.wait_for_function(until_rank, arg=1)
        await screen.page.clock.run_for(1_000)
        assert await screen.page.evaluate("said") == ["bob leads with 11."]
        await submit(shared, board, *points(ann=12))
        await submit(shared, board, *points(bob=13), *points(ann=14))
        await until_players(screen, "ann", "bob", "cat")
        await screen.page.locator("live-leaderboard [data-player=ann] .score", has_text="14").wait_for()
        await screen.page.wait_for_function(until_rank, arg=2)
        # What came within eight seconds waits, and is one sentence of each subject then.
        await screen.page.clock.run_for(7_000)
        assert await screen.page.evaluate("said") == ["bob leads with 11."]
        await screen.page.clock.run_for(1_000)
        await screen.page.wait_for_function("() => said.length === 2")
        sentences = (await said.inner_text()).removesuffix(".").split(". ")
        assert sorted(sentences) == ["ann leads with 14", "bob is now at rank 2"]


async def test_it_is_laid_out_from_right_to_left(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens, site: Site
) -> None:
    await arcade(shared_stack, shared, board, ann=1234, bob=-5)
    markup = f'<live-leaderboard board="{board}" locale="ar-EG"></live-leaderboard>'
    async with open_page(site.embed(shared, markup, "rtl"), viewport={"width": 390, "height": 700}) as screen:
        await until_players(screen, "ann", "bob")
        line = screen.page.locator("live-leaderboard .body .line").first
        at = [await line.locator(part).bounding_box() for part in (".rank", ".avatar", ".name", ".score")]
        assert [box["x"] for box in at if box] == sorted((box["x"] for box in at if box), reverse=True)
        assert [row["scores"] for row in (await shown(screen))["rows"]] == [
            ["\u0661\u066c\u0662\u0663\u0664"],
            ["\u2212\u0665"],
        ]
        root = "document.documentElement"
        assert await screen.page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")


@pytest.mark.parametrize(("motion", "glides"), [("no-preference", True), ("reduce", False)])
async def test_an_overtaking_row_glides_unless_motion_is_not_wanted(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens, site: Site, motion: str, glides: bool
) -> None:
    await arcade(shared_stack, shared, board, ann=9, bob=8)
    page = site.embed(shared, f'<live-leaderboard board="{board}"></live-leaderboard>')
    async with open_page(page, reduced_motion=motion) as screen:
        await until_players(screen, "ann", "bob")
        await submit(shared, board, *points(bob=10))
        await until_players(screen, "bob", "ann")
        assert ("transform" in await screen.page.evaluate("animated")) is glides
        moved = screen.page.locator("live-leaderboard .body .move span")
        assert await moved.evaluate_all("(all) => all.map((one) => one.ariaLabel)") == ["up 1", "down 1"]


async def test_without_a_network_the_rows_stay_and_lead_on_when_it_is_back(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens, site: Site
) -> None:
    await arcade(shared_stack, shared, board, ann=9, bob=8)
    page = site.embed(shared, f'<live-leaderboard board="{board}"></live-leaderboard>')
    async with open_page(page, allowed=lost) as screen:
        await until_players(screen, "ann", "bob")
        widget = screen.page.locator("live-leaderboard")
        await widget.evaluate(WITNESS)
        await screen.page.context.set_offline(True)
        await widget.locator(".status", has_text="Offline").wait_for()
        await until_state(screen, "offline")
        await submit(shared, board, *points(bob=10))
        await shared_stack.settled()
        await screen.page.context.set_offline(False)
        await until_players(screen, "bob", "ann")
        await until_state(screen, "live")
        assert await screen.page.evaluate("[kinds.join(), gone]") == ["live,offline,live", 0]
        assert await screen.page.evaluate("kept.every((row) => row.isConnected)")


async def test_a_node_that_was_killed_and_is_there_again_is_no_flash(
    stack: Stack, open_page: Opens, site: Site
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with stack.worker(), contextlib.AsyncExitStack() as opened:
        client = httpx.AsyncClient(base_url=url, timeout=PATIENCE, headers=stack.headers("admin"))
        http = await opened.enter_async_context(client)

        async def score(player: str, value: int) -> None:
            (await http.post("/v1/boards/arcade/scores", json={"player": player, "score": value})).raise_for_status()

        async with stack.process("api", port=port) as node:
            await ready(url)
            (await http.put("/v1/boards/arcade", json=ARCADE)).raise_for_status()
            await score("ann", 9)
            await score("bob", 8)
            await stack.settled()
            page = site.embed(url, '<live-leaderboard board="arcade"></live-leaderboard>')
            screen = await opened.enter_async_context(open_page(page, allowed=lost))
            await until_players(screen, "ann", "bob")
            await screen.page.locator("live-leaderboard").evaluate(WITNESS)
            await screen.hurry_back()
            node.send_signal(signal.SIGKILL)
            await node.wait()
            await until_state(screen, "offline")
        async with stack.process("api", port=port):
            await ready(url)
            await score("bob", 10)
            await until_players(screen, "bob", "ann")
            await until_state(screen, "live")
            assert await screen.page.evaluate("[kinds.join(), gone]") == ["live,offline,live", 0]
            # Before the node is: what the page is answered by one that ends is not looked at here.
            await opened.aclose()


async def test_it_says_why_there_is_nothing_to_see(stack: Stack, open_page: Opens, site: Site) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    async with service(stack) as node:
        await create(node, "empty", {"columns": [{"name": "points"}]})
        await create(node, "hidden", {"columns": [{"name": "points"}], "public": False})
        await arcade(stack, node, "arcade", ann=9)
        told = {
            'board="empty"': ("empty", "Nobody has scored yet"),
            'board="nowhere"': ("refused", "There is no board “nowhere”"),
            'board="hidden"': ("refused", "This board is private"),
            'board="arcade" view="around" player="bob"': ("unranked", "Not ranked yet"),
            f'board="arcade" src="{nobody}"': ("unreachable", "No answer yet"),
            "": ("unnamed", "No board is named"),
        }
        markup = "".join(f"<live-leaderboard {one}></live-leaderboard>" for one in told)
        page = site.embed(node, markup, another=nobody)
        async with open_page(page, allowed=lambda problem: missing(problem) or lost(problem)) as screen:
            for at, (kind, words) in enumerate(told.values()):
                await until_state(screen, kind, at)
                await screen.page.locator("live-leaderboard").nth(at).locator(".notice", has_text=words).wait_for()
            # The first score is there by itself.
            await submit(node, "empty", *points(ann=1))
            await until_players(screen, "ann", at=0)


async def test_before_anything_has_come_rows_are_hinted_at(stack: Stack, open_page: Opens, site: Site) -> None:
    # A service that takes its time: it is reached, and answers nothing.
    with socket.create_server(("127.0.0.1", 0)) as slow:
        source = f"http://127.0.0.1:{slow.getsockname()[1]}"
        async with service(stack) as node:
            markup = f'<live-leaderboard board="arcade" src="{source}"></live-leaderboard>'
            async with open_page(site.embed(node, markup, another=source), still=True) as screen:
                await until_state(screen, "loading")
                widget = screen.page.locator("live-leaderboard")
                assert await widget.locator(".ghosts").is_visible()
                assert await widget.locator(".frame").get_attribute("aria-busy") == "true"
                assert await widget.locator(".notice").is_hidden()


async def test_the_watched_player_has_a_row_below_the_top_until_in_it(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens, site: Site
) -> None:
    await arcade(shared_stack, shared, board, ann=9, bob=8, cat=7, dan=6, eve=5)
    page = site.embed(shared, f'<live-leaderboard board="{board}" limit="2" player="dan"></live-leaderboard>')
    async with open_page(page) as screen:
        await until_players(screen, "ann", "bob")
        own = screen.page.locator("live-leaderboard .own .line.mine")
        await own.wait_for()
        assert (await shown(screen))["own"] == [{"player": "dan", "rank": "4", "name": "dan", "scores": ["6"]}]
        await submit(shared, board, *points(dan=10))
        await until_players(screen, "dan", "ann")
        await own.wait_for(state="hidden")
        await screen.page.locator("live-leaderboard .body .line.mine[data-player=dan]").wait_for()


async def test_around_a_player_it_moves_with_the_player(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens, site: Site
) -> None:
    await arcade(shared_stack, shared, board, **{f"p{rank}": 100 - rank for rank in range(1, 30)})
    markup = f'<live-leaderboard board="{board}" view="around" player="p20" radius="2"></live-leaderboard>'
    async with open_page(site.embed(shared, markup)) as screen:
        await until_players(screen, "p18", "p19", "p20", "p21", "p22")
        await submit(shared, board, *points(p20=95))
        # With as many points as another, and later.
        await until_players(screen, "p4", "p5", "p20", "p6", "p7")
        assert [row["rank"] for row in (await shown(screen))["rows"]] == ["4", "5", "5", "7", "8"]


async def test_a_picture_is_looked_for_at_the_service_and_initials_stand_in(
    stack: Stack, open_page: Opens, site: Site
) -> None:
    async with service(stack) as node:
        page = site.embed(node, '<live-leaderboard board="arcade"></live-leaderboard>')
        async with open_page(page, allowed=missing) as screen:
            asked: list[str] = []

            async def picture(route: Any) -> None:
                asked.append(route.request.url)
                found = "ann" in route.request.url
                await route.fulfill(
                    status=200 if found else 404, body=TINY_PNG if found else "", content_type="image/png"
                )

            await screen.page.route("**/pictures/**", picture)
            await create(node, "arcade", ARCADE)
            await submit(node, "arcade", *points(ann=9, bob=8, cat=7))
            for player, address in (
                ("ann", "/pictures/ann/1/64.webp"),
                ("bob", "/pictures/bob/1/64.webp"),
                ("cat", "javascript:taken=1"),
            ):
                await node.service.players.put(player, {"picture": address})
            await stack.settled()
            await screen.page.reload()
            await until_players(screen, "ann", "bob", "cat")
            await screen.page.locator("live-leaderboard .line[data-player=ann] img").wait_for()
            letters = screen.page.locator("live-leaderboard .avatar")
            assert await letters.all_inner_texts() == ["", "B", "C"]

            async def both() -> bool:
                return len(asked) >= 2

            await eventually(both)
            assert sorted(asked) == [f"{node.url}/pictures/{player}/1/64.webp" for player in ("ann", "bob")]


async def test_what_is_written_may_change_while_it_is_looked_at(stack: Stack, open_page: Opens, site: Site) -> None:
    async with service(stack) as node:
        await arcade(stack, node, "arcade", ann=90_000, bob=8, cat=7)
        await create(node, "other", {"title": "Other", "columns": [{"name": "laps"}, {"name": "time", "decimals": 3}]})
        await submit(node, "other", {"player": "dan", "score": [3, 62_727]})
        await stack.settled()
        page = site.embed(node, '<live-leaderboard board="arcade"></live-leaderboard>')
        async with open_page(page) as screen:
            await until_players(screen, "ann", "bob", "cat")
            widget = screen.page.locator("live-leaderboard")
            await widget.evaluate("(one) => { one.setAttribute('limit', 2); one.setAttribute('numbers', 'compact'); }")
            await until_players(screen, "ann", "bob")
            assert (await shown(screen))["rows"][0]["scores"] == ["90K"]
            await widget.evaluate(
                "(one) => { one.setAttribute('board', 'other'); one.setAttribute('columns', 'time'); }"
            )
            await widget.evaluate(
                "(one) => { one.setAttribute('numbers', 'clock'); one.words = { live: 'En direct' }; }"
            )
            await until_players(screen, "dan")
            await widget.locator(".body .score", has_text="1:02.727").wait_for()  # in the frame after
            assert (await shown(screen))["rows"] == [
                {"player": "dan", "rank": None, "name": "dan", "scores": ["1:02.727"]}
            ]
            assert await widget.locator(".title").inner_text() == "Other"
            await widget.locator(".status", has_text="En direct").wait_for()
            assert await widget.evaluate("(one) => one.matches(':state(live)')")


async def test_more_of_the_same_or_another_row_marked_comes_without_a_flash(
    stack: Stack, open_page: Opens, site: Site
) -> None:
    async with service(stack) as node:
        await arcade(stack, node, "arcade", **{f"p{place:02}": 100 - place for place in range(12)})
        every = [f"p{place:02}" for place in range(12)]
        page = site.embed(node, '<live-leaderboard board="arcade" limit="3" player="p01"></live-leaderboard>')
        async with open_page(page) as screen:
            await until_players(screen, *every[:3])
            widget = screen.page.locator("live-leaderboard")
            await widget.evaluate(WITNESS)
            await widget.evaluate("(one) => { one.setAttribute('player', 'p02'); one.setAttribute('limit', 25); }")
            await until_players(screen, *every)
            await widget.locator(".line.mine[data-player=p02]").wait_for()
            assert await widget.locator(".line.mine").count() == 1
            await widget.evaluate("(one) => { one.removeAttribute('player'); one.setAttribute('limit', 2); }")
            await until_players(screen, *every[:2])
            assert await widget.locator(".line.mine").count() == 0
            assert await screen.page.evaluate("kinds") == ["live"]
            await submit(node, "arcade", {"player": "p11", "score": 500})
            await until_players(screen, "p11", "p00")
            assert node.service.hub.connections == 1


async def test_widgets_of_a_page_share_a_connection_and_end_it_when_they_go(
    stack: Stack, open_page: Opens, site: Site
) -> None:
    async with service(stack) as node:
        await arcade(stack, node, "arcade", ann=9, bob=8)
        one = '<live-leaderboard board="arcade"></live-leaderboard>'
        async with open_page(site.embed(node, one * 3)) as screen:
            for at in range(3):
                await until_players(screen, "ann", "bob", at=at)
            assert node.service.hub.connections == 1
            # One that is moved is the same.
            await screen.page.evaluate(
                "document.querySelector('main').prepend(document.querySelectorAll('live-leaderboard')[2])"
            )
            await until_players(screen, "ann", "bob", at=0)
            assert node.service.hub.connections == 1
            await screen.page.evaluate("document.querySelector('main').replaceChildren()")

            async def left() -> bool:
                return bool(node.service.hub.connections == 0)

            await eventually(left)


async def test_whoever_has_a_token_sees_a_private_board_and_their_own_place(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens, site: Site
) -> None:
    await create(shared, board, {"title": "Hidden", "columns": [{"name": "points", "decimals": 2}], "public": False})
    await submit(shared, board, *points(ann=900, bob=800, cat=700))
    await shared_stack.settled()
    async with open_page(site.embed(shared, "")) as screen:
        await screen.page.evaluate(
            """([token, board]) => { const widget = document.createElement("live-leaderboard");
            widget.setAttribute("board", board); widget.setAttribute("player", "me"); widget.setAttribute("limit", 1);
            widget.token = async () => token; document.querySelector("main").append(widget); }""",
            [shared_stack.issuer.token("player", "bob"), board],
        )
        await until_players(screen, "ann")
        await until_described(screen, "Hidden")
        await screen.page.locator("live-leaderboard .own .line.mine .you").wait_for()
        assert (await shown(screen))["own"] == [{"player": "bob", "rank": "2", "name": "bob", "scores": ["8.00"]}]


async def test_a_frame_in_a_page_of_another_site_shows_what_its_address_says(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens, site: Site
) -> None:
    await arcade(shared_stack, shared, board, ann=9, bob=8, cat=7)
    address = f"{shared.url}/embed?board={board}&limit=2&dir=rtl&heading=Best"
    page = site.embed(shared, f'<iframe title="Board" src="{address}"></iframe>')
    async with open_page(page) as screen:
        frame = screen.page.frame_locator("iframe")
        await frame.locator(".body .line").nth(1).wait_for()
        assert await frame.locator(".body .name").all_inner_texts() == ["ann", "bob"]
        assert await frame.locator(".title").inner_text() == "Best"
        assert await frame.locator("html").get_attribute("dir") == "rtl"
        await submit(shared, board, *points(cat=random.Random(5).randrange(10, 20)))
        await frame.locator(".body .line[data-player=cat]").wait_for()
