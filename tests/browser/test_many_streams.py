"""Server-sent events over HTTP/1.1: a browser has six connections to a host, and a page may watch more than that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.serving import create, service, submit

if TYPE_CHECKING:
    from tests.browser.conftest import Opens
    from tests.harness import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLAYERS = [f"p{number}" for number in range(9)]
WATCH = """(players) => import("/web/client/live.js").then(({ connect }) => {
  const live = window.live = connect("/", { WebSocket: null });
  window.held = {};
  window.topics = players.map((player) => live.player("arcade", player));
  topics.forEach((topic, at) => topic.on("state", ({ score, version }) => (held[players[at]] = score)));
})"""
HELD = "(wanted) => Object.values(held).length === 9 && Object.values(held).every((score) => score === wanted)"
ASKED = "() => fetch('/v1/boards/arcade/top').then((answer) => answer.status)"


def _refused(told: str) -> bool:
    """There is no icon; and a node that has only begun may not have the board's ranking yet."""
    return "404" in told or "503" in told


async def test_a_page_that_watches_more_than_a_browser_has_connections_for_is_told_all_of_it(
    stack: Stack, open_page: Opens
) -> None:
    def rows(score: int) -> list[dict[str, Any]]:
        return [{"player": player, "score": score} for player in PLAYERS]

    async with service(stack) as node:
        await create(node, "arcade", {"columns": [{"name": "points"}]})
        await submit(node, "arcade", *rows(1))
        await stack.settled()
        async with open_page(f"{node.url}/healthz", allowed=_refused) as screen:
            await screen.page.evaluate(WATCH, PLAYERS)
            for score in (1, 2, 3):
                await submit(node, "arcade", *rows(score))
                await screen.page.wait_for_function(HELD, arg=score)
                # And what else the page asks of the service is answered.
                assert await screen.page.evaluate(ASKED) == 200
            assert await screen.page.evaluate("[live.status, live.quality.outOfStep]") == ["live", 0]


async def test_the_page_follows_six_players_where_no_websocket_gets_through(stack: Stack, open_page: Opens) -> None:
    chips = "[...document.querySelectorAll('#chips li')].map((chip) => chip.innerText.replace(/\\s+/g, ' ').trim())"
    async with service(stack) as node:
        await create(node, "arcade", {"columns": [{"name": "points"}]})
        await submit(node, "arcade", *({"player": f"p{place}", "score": 100 - 10 * place} for place in range(9)))
        await stack.settled()
        async with open_page(f"{node.url}/healthz", allowed=_refused) as screen:
            page = screen.page
            await page.add_init_script("delete window.WebSocket")
            await page.goto(f"{node.url}/?board=arcade&watch={','.join(f'p{place}' for place in range(6))}")
            await page.wait_for_function(
                f"(wanted) => {chips}.join() === wanted", arg=",".join(f"p{n} {n + 1}" for n in range(6))
            )
            await submit(node, "arcade", {"player": "p8", "score": 1_000})
            await page.wait_for_function(
                f"(wanted) => {chips}.join() === wanted", arg=",".join(f"p{n} {n + 2}" for n in range(6))
            )
            await screen.until_players("p8", *(f"p{place}" for place in range(8)))
            await screen.until_status("Live")
