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
  window.statuses = [];
  live.on("status", (status, reason) => statuses.push([status, reason]));
  window.held = {};
  window.topics = players.map((player) => live.player("arcade", player));
  topics.forEach((topic, at) => topic.on("state", ({ score, version }) => (held[players[at]] = score)));
})"""
HELD = "(wanted) => Object.values(held).length === 9 && Object.values(held).every((score) => score === wanted)"
ASKED = "() => fetch('/v1/boards/arcade/top').then((answer) => answer.status)"


async def test_a_page_that_watches_more_than_a_browser_has_connections_for_is_told_all_of_it(
    stack: Stack, open_page: Opens
) -> None:
    def rows(score: int) -> list[dict[str, Any]]:
        return [{"player": player, "score": score} for player in PLAYERS]

    async with service(stack) as node:
        await create(node, "arcade", {"columns": [{"name": "points"}]})
        await submit(node, "arcade", *rows(1))
        await stack.settled()
        async with open_page(f"{node.url}/healthz", allowed=lambda told: "404" in told) as screen:
            await screen.page.evaluate(WATCH, PLAYERS)
            for score in (1, 2, 3):
                await submit(node, "arcade", *rows(score))
                await screen.page.wait_for_function(HELD, arg=score, timeout=9_000)
                # And what else the page asks of the service is answered.
                assert await screen.page.evaluate(ASKED) == 200
            assert await screen.page.evaluate("statuses") == [["live", None]]
            quality = await screen.page.evaluate("live.quality")
            assert (quality["outOfStep"], quality["snapshots"], quality["reconnects"]) == (0, len(PLAYERS), 0)
