"""Rows of the dashboard that nobody sees stay where they are put: each that glides or glows is a layer of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.serving import create, submit

if TYPE_CHECKING:
    from tests.browser.conftest import Opens, Screen
    from tests.harness import Node, Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = 100
# Noted by the page as soon as it has drawn the order: a way is over in a moment, and the next frame may come later.
WITNESS = """(leader) => {
  const body = document.querySelector("#table .body");
  window.moving = new Promise((done) => {
    new MutationObserver((_, observer) => {
      const rows = [...body.querySelectorAll(".row")];
      if (rows[0].dataset.player !== leader) return;
      observer.disconnect();
      done(rows.flatMap((row, index) => (row.getAnimations({ subtree: true }).length > 0 ? [index] : [])));
    }).observe(body, { childList: true });
  });
}"""
# How bright a row's glow is as the row is drawn for the first time.
GLOWS = """(player) => {
  const body = document.querySelector("#table .body");
  window.glow = new Promise((done) => {
    new MutationObserver((_, observer) => {
      const row = body.querySelector(`[data-player=${player}]`);
      if (row === null) return;
      observer.disconnect();
      done(getComputedStyle(row.querySelector(".breath")).opacity);
    }).observe(body, { childList: true });
  });
}"""
AT_REST = """() => Promise.allSettled(
  document.getElementById("table").getAnimations({ subtree: true }).map(({ finished }) => finished))"""
IN_SIGHT = """() => [...document.querySelectorAll("#table .body .row")].flatMap((row, index) => {
  const { top, bottom } = row.getBoundingClientRect();
  return bottom > 0 && top < innerHeight ? [index] : [];
})"""


async def moved(screen: Screen, node: Node, board: str, player: str, score: int) -> tuple[list[int], list[int]]:
    """Which rows move when a player comes to lead, so that all others give way, and which are in sight."""
    await screen.page.evaluate(WITNESS, player)
    in_sight: list[int] = await screen.page.evaluate(IN_SIGHT)
    await submit(node, board, {"player": player, "score": score})
    return await screen.page.evaluate("moving"), in_sight


async def test_rows_move_where_they_can_be_seen(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens
) -> None:
    await create(shared, board, {"columns": [{"name": "points"}]})
    await submit(shared, board, *({"player": f"p{place}", "score": 10_000 - 10 * place} for place in range(ROWS)))
    await shared_stack.settled()  # whoever comes while the page looks moves, too
    async with open_page(f"{shared.url}/?board={board}") as screen:
        await screen.page.locator("#table .body .row").nth(ROWS - 1).wait_for()
        moving, in_sight = await moved(screen, shared, board, "p98", 20_000)
        # The one that comes from afar is in sight as it arrives; one row beyond the edge moves along.
        assert set(in_sight) <= set(moving) <= {*in_sight, in_sight[-1] + 1, in_sight[-1] + 2}
        assert len(moving) < ROWS / 2
        await screen.page.evaluate(AT_REST)
        await screen.page.locator("#table .body .row").nth(ROWS - 1).scroll_into_view_if_needed()
        moving, in_sight = await moved(screen, shared, board, "p99", 30_000)
        assert in_sight[0] > ROWS / 2
        # Who was in sight is seen as it leaves.
        assert set(in_sight) <= set(moving) <= {0, *range(in_sight[0] - 2, ROWS)}


async def test_who_comes_in_glows_and_in_a_part_that_is_not_shown_nothing_moves(
    shared_stack: Stack, shared: Node, board: str, open_page: Opens
) -> None:
    await create(shared, board, {"columns": [{"name": "points"}]})
    await submit(shared, board, *({"player": f"p{place}", "score": 10_000 - 10 * place} for place in range(ROWS)))
    await shared_stack.settled()
    async with open_page(f"{shared.url}/?board={board}", viewport={"width": 390, "height": 844}) as screen:
        page = screen.page
        await page.locator("#table .body .row").nth(ROWS - 1).wait_for()
        await page.evaluate(GLOWS, "new")
        await submit(shared, board, {"player": "new", "score": 9_955})
        assert await page.evaluate("glow") == "1"
        await page.evaluate(AT_REST)
        await page.locator("#tabs [data-view=race]").click()
        await page.locator("#table").wait_for(state="hidden")
        moving, in_sight = await moved(screen, shared, board, "p90", 20_000)
        assert (moving, in_sight) == ([], [])
