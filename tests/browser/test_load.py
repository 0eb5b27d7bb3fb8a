"""Widget and dashboard where much happens. Long tasks and dropped frames are counted and printed; who else is on the machine decides of them, too."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from websockets.asyncio.server import serve

from realtime.core import delta, messages
from realtime.core.model import RankMode, Row
from realtime.core.window import Window
from tests.browser import pace
from tests.browser.embedding import Site, serving, shown
from tests.browser.serving import create, service, submit
from tests.harness import eventually, ranked_top

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.conftest import Opens
    from tests.harness import Stack

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

WIDGET = '<live-leaderboard board="arcade" limit="100"></live-leaderboard>'
SECONDS = 20
DELTAS = 10_000
BURST = 50
# Bytes by which a heap is more or less by chance, and what the dashboard's plot keeps of the past at the most: so many players' ranks.
SLACK = {"widget": 300_000, "dashboard": 300_000 + 200 * 400 * 40}
TOLD = {"widget": 0, "dashboard": 40}
"""Listeners: one for each of what just happened."""
# From now on each frame comes so much later than the one before, by the page's clock: how quick this machine is does not matter.
APART = """(ms) => {
  window.apart = ms;
  if ("paced" in window) return;
  const request = window.requestAnimationFrame.bind(window);
  window.paced = performance.now();
  window.requestAnimationFrame = (then) => request((now) => {
    // What is asked for in a frame comes in the next, all of it at one time.
    if (now !== window.frame) window.paced += window.apart;
    window.frame = now;
    then(window.paced);
  });
}"""
# Once a player stands first: what has been animated, and what of that row is.
FIRST = """(player) => {
  const row = (document.querySelector("live-leaderboard")?.shadowRoot ?? document).querySelector(".body .line, .body .row");
  if (row?.dataset.player !== player) return null;
  // That it has come to lead shows for longer than that.
  const moving = row.getAnimations({ subtree: true }).map(({ effect }) => effect)
    .filter(({ pseudoElement }) => pseudoElement !== "::after");
  return [...animated, ...moving.flatMap((effect) => Object.keys(effect.getKeyframes()[0]))];
}"""
# A page that hears another than whom it is from.
ELSEWHERE = """{
  const Own = WebSocket;
  WebSocket = class extends Own {
    constructor(url, protocols) { super("%s" + new URL(url).pathname, protocols); }
  };
}"""
_TREE = 'const tree = document.querySelector("live-leaderboard")?.shadowRoot ?? document.getElementById("table");'
STANDS = f"""(wanted) => {{
  {_TREE}
  return [...tree.querySelectorAll(".body .line, .body .row")].map(({{ dataset }}) => dataset.player).join() === wanted;
}}"""
SHOWS = f"""(wanted) => {{
  {_TREE}
  return (tree.host?.state?.version ?? Number(tree.dataset.version.split("/")[1])) === wanted;
}}"""
RESTS = f"""() => {{
  {_TREE}
  return (tree.host ? tree.getAnimations() : tree.getAnimations({{ subtree: true }})).length === 0;
}}"""
# Rows that were ever there: each is remembered, and told apart.
ROWS_EVER = """(widget) => {
  const body = widget.shadowRoot.querySelector(".body");
  const ever = (window.ever = new Set(body.children));
  new MutationObserver((changes) => changes.forEach(({ addedNodes }) => addedNodes.forEach((node) => ever.add(node))))
    .observe(body, { childList: true });
}"""


@pytest.fixture
def site() -> Iterator[Site]:
    yield from serving()


async def test_twenty_updates_a_second_on_a_hundred_rows_leave_the_page_idle_most_of_the_time(
    stack: Stack, open_page: Opens, site: Site, record_property: Any
) -> None:
    async with service(stack) as node:
        await create(node, "arcade", {"columns": [{"name": "points"}]})
        await submit(node, "arcade", *pace.rows(random.Random(1), pace.ROWS))
        await stack.settled()
        async with open_page(site.embed(node, WIDGET)) as screen:
            widget = screen.page.locator("live-leaderboard")
            await widget.locator(".line").nth(pace.ROWS - 1).wait_for()
            await widget.evaluate(ROWS_EVER)
            watch = await pace.Watch.on(screen.page)
            await pace.drive(node, "arcade", SECONDS)
            seen = await watch.pace()
            await stack.settled()

            async def as_the_service_says() -> bool:
                top = await ranked_top(node.http, "arcade", limit=100)
                if top is None:
                    return False
                read = await shown(screen)
                wanted = [entry["player"] for entry in top["entries"]]
                return bool(
                    read["version"] == f"{top['epoch']}/{top['version']}"
                    and [row["player"] for row in read["rows"]] == wanted
                )

            await eventually(as_the_service_says)
            ever = await screen.page.evaluate("() => ever.size")
        record_property("pace", str(seen))
        print(seen)
        # It drew what came, at most once a frame, with the rows that it has; and had time for much else.
        assert 10 < seen.changes <= seen.frames
        assert ever == pace.ROWS
        assert seen.busy < seen.seconds / 2


class Told:
    """A node as one client sees it: a board of a hundred, and a change each time one is asked for."""

    def __init__(self) -> None:
        self.chance = random.Random(8)
        self.held = Window(1, 1, pace.ROWS + 50, ())
        self.rows = {f"p{number:03}": self._row(number) for number in range(pace.ROWS + 50)}
        self.held = Window(1, 1, len(self.rows), self._best())
        self.wanted = 0
        self.more = asyncio.Event()

    async def speak(self, socket: Any) -> None:
        """To one that connects."""
        await socket.send(messages.welcome(25, 50), text=True)
        telling = None
        try:
            async for text in socket:
                request = orjson.loads(text)
                if request["op"] == "ping":
                    await socket.send(messages.pong(), text=True)
                elif request["op"] == "subscribe":
                    telling = asyncio.create_task(self._tell(socket, request["id"]))
        finally:
            if telling is not None:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)

    async def _tell(self, socket: Any, request: int) -> None:
        topic = "arcade/top/100"
        await socket.send(messages.subscribed(request, topic, "snapshot"), text=True)
        await socket.send(messages.snapshot(topic, self.held, 100, RankMode.COMPETITION), text=True)
        while True:
            await self.more.wait()
            if self.held.version >= self.wanted:
                self.more.clear()
                continue
            before = self.held
            self._change()
            ops = delta.diff(before.rows, self.held.rows)
            await socket.send(messages.delta(topic, self.held, before.version, ops), text=True)
            if self.held.version % BURST == 0:
                # Several frames of the page lie between, each with something to draw.
                await asyncio.sleep(0.03)

    def _change(self) -> None:
        number = self.chance.randrange(len(self.rows))
        self.rows[f"p{number:03}"] = self._row(number)
        self.held = Window(1, self.held.version + 1, len(self.rows), self._best())

    def _row(self, number: int) -> Row:
        points = self.chance.randrange(1_000_000)
        seq = self.held.version + number
        return Row(f"p{number:03}", b"%09d" % (1_000_000 - points), (points,), seq, f"Player {number}")

    def _best(self) -> tuple[Row, ...]:
        return tuple(sorted(self.rows.values(), key=lambda row: (row.key, row.player))[: pace.ROWS])


def players(told: Told) -> str:
    return ",".join(row.player for row in told.held.rows)


@pytest.mark.parametrize("page", ["widget", "dashboard"])
async def test_ten_thousand_changes_leave_nothing_behind(stack: Stack, open_page: Opens, site: Site, page: str) -> None:
    told = Told()
    # The page's files are a node's; what it hears is said faster than any board moves.
    async with service(stack) as node, serve(told.speak, "127.0.0.1", 0, subprotocols=["rankcast.v1.json"]) as server:  # type: ignore[list-item]
        await create(node, "arcade", {"columns": [{"name": "points"}]})
        address = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        embedding = site.embed(node, WIDGET.replace(">", f' src="{address}">', 1), another=address)
        async with open_page(
            f"{node.url}/?board=arcade" if page == "dashboard" else embedding,
            allowed=lambda problem: "ERR_" in problem or "CORS" in problem or "426" in problem or "404" in problem,
            bypass_csp=page == "dashboard",
        ) as screen:
            if page == "dashboard":
                await screen.page.add_init_script(ELSEWHERE % address.replace("http", "ws"))
                await screen.page.reload()
            await screen.page.wait_for_function(STANDS, arg=players(told))
            watch = await pace.Watch.on(screen.page)

            async def kept_after(version: int) -> dict[str, float]:
                told.wanted = version
                told.more.set()
                await screen.page.wait_for_function(SHOWS, arg=version, timeout=150_000)
                # What glides has come to rest, and is held by nobody.
                await screen.page.wait_for_function(RESTS)
                await screen.page.wait_for_function(STANDS, arg=players(told))
                # What the test itself notes of each frame and each animation is not the page's.
                await screen.page.evaluate("() => { animated = []; pace.gaps = []; pace.long = []; }")
                return await watch.kept()

            first = await kept_after(DELTAS // 5)
            await kept_after(DELTAS)

            async def nothing_grew() -> bool:
                # Asked again where it did: what a timer or a frame under way holds for a moment is gone then.
                last = await watch.kept()
                grown = {name: last[name] - first[name] for name in ("JSHeapUsedSize", "Nodes", "JSEventListeners")}
                print(grown)
                # A row or two may wait for another player.
                return (
                    grown["JSHeapUsedSize"] < SLACK[page]
                    and grown["Nodes"] < 500
                    and grown["JSEventListeners"] <= TOLD[page]
                )

            await eventually(nothing_grew)


@pytest.mark.parametrize("page", ["widget", "dashboard"])
async def test_rows_stand_still_while_the_machine_does_not_keep_up_and_glide_again_later(
    stack: Stack, open_page: Opens, site: Site, page: str
) -> None:
    async with service(stack) as node:
        await create(node, "arcade", {"columns": [{"name": "points"}]})
        await submit(node, "arcade", {"player": "ann", "score": 1}, {"player": "bob", "score": 0})
        await stack.settled()
        url = node.url if page == "dashboard" else site.embed(node, WIDGET)
        async with open_page(url) as screen:

            async def overtaking(score: int) -> set[str]:
                """What moves for it."""
                await screen.page.evaluate("animated = []")
                overtakes = ("ann", "bob")[score % 2]
                await submit(node, "arcade", {"player": overtakes, "score": score})
                moving = await screen.page.wait_for_function(FIRST, arg=overtakes)
                return set(await moving.json_value())

            await screen.page.wait_for_function(FIRST, arg="ann")
            await screen.page.evaluate(APART, 1000 / 60)
            assert {"transform", "opacity"} <= await overtaking(3)
            # What glided in time is judged for itself.
            await screen.page.evaluate("() => { paced += 6_000; }")
            await screen.page.evaluate(APART, 100)
            first = score = 4
            while "transform" in (seen := await overtaking(score)):
                score += 1
                assert score < first + 60
            # It took a while; then nothing of a row moves any longer, nor glows.
            assert score > first + 1
            assert "opacity" not in seen
            # Frames come in time again, and the next of them is much later.
            await screen.page.evaluate("() => { apart = 1000 / 60; paced += 15_000; }")
            assert {"transform", "opacity"} <= await overtaking(score + 1)
