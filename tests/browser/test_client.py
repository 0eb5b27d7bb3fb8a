"""The client in a real browser, on the real stack: in plain pages, in a worker, and where WebSockets do not get through."""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import eventually
from tests.web_tools import WEB

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.browser.conftest import Opens, Screen
    from tests.harness import Node, Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module">
import { connect } from "./client/live.js";
const live = connect(new URLSearchParams(location.search).get("service"));
window.seen = [];
live.top("arcade").on("state", (board) => seen.push(board.entries.map(({ rank, name }) => [rank, name])));
</script>"""
IN_A_WORKER = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module">
window.seen = [];
const worker = new Worker("./worker.js" + location.search, { type: "module" });
worker.onmessage = ({ data }) => seen.push(data);
</script>"""
WORKER = """import { connect } from "./client/live.js";
const live = connect(new URLSearchParams(location.search).get("service"));
live.top("arcade").on("state", (board) => postMessage(board.entries.map(({ rank, name }) => [rank, name])));
"""
# On a page of the service's own, which has no policy: what is told, and how the connection is.
WATCH = """() => import("/web/client/live.js").then(({ connect }) => {
    const live = window.live = connect();
    const top = live.top("arcade");
    window.seen = [];
    window.statuses = [];
    top.on("state", (board) => seen.push(board.entries.map(({ rank, name }) => [rank, name])));
    top.on("status", (status) => statuses.push(status));
})"""
ANN, BOB = {"player": "ann", "score": 7, "name": "Ann"}, {"player": "bob", "score": 9, "name": "Bob"}


class Quiet(SimpleHTTPRequestHandler):
    """Files as any web server has them."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A site that has nothing to do with the service: the client's files lie beside its pages."""
    (tmp_path / "page.html").write_text(PAGE)
    (tmp_path / "worked.html").write_text(IN_A_WORKER)
    (tmp_path / "worker.js").write_text(WORKER)
    (tmp_path / "client").symlink_to(WEB / "client")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextlib.asynccontextmanager
async def arcade(stack: Stack) -> AsyncIterator[Node]:
    """A node whose board `arcade` has Ann."""
    async with stack.worker(), stack.node(check_every=0.3) as node:
        (await node.http.put("/v1/boards/arcade", json={"columns": [{"name": "points"}]})).raise_for_status()
        await submit(node, ANN)
        await stack.settled()
        yield node


async def submit(node: Node, row: dict[str, Any]) -> None:
    (await node.http.post("/v1/boards/arcade/scores", json=row)).raise_for_status()


async def until_seen(screen: Screen, *wanted: list[Any]) -> None:
    await screen.page.wait_for_function("(wanted) => JSON.stringify(seen.at(-1)) === wanted", arg=written(wanted))


def written(rows: tuple[list[Any], ...]) -> str:
    return "[" + ",".join(f'[{rank},"{name}"]' for rank, name in rows) + "]"


@pytest.mark.parametrize("page", ["page.html", "worked.html"])
async def test_a_plain_module_script_and_a_worker_watch_from_another_site(
    stack: Stack, open_page: Opens, site: str, page: str
) -> None:
    async with arcade(stack) as node, open_page(f"{site}/{page}?service={node.url}") as screen:
        await until_seen(screen, [1, "Ann"])
        await submit(node, BOB)
        await until_seen(screen, [1, "Bob"], [2, "Ann"])


async def test_where_a_websocket_does_not_get_through_it_goes_by_events(stack: Stack, open_page: Opens) -> None:
    # There is no icon; and a node that has only begun may not have the board's ranking yet.
    passing = lambda told: "404" in told or "503" in told  # noqa: E731 - what the test brings about
    async with arcade(stack) as node, open_page(f"{node.url}/healthz", allowed=passing) as screen:
        refused = 0

        async def refuse(socket: Any) -> None:
            nonlocal refused
            refused += 1
            await socket.close(code=4000, reason="a proxy that knows no WebSockets")

        await screen.page.route_web_socket("**/v1/live", refuse)
        await screen.page.evaluate(WATCH)
        await until_seen(screen, [1, "Ann"])
        await submit(node, BOB)
        await until_seen(screen, [1, "Bob"], [2, "Ann"])
        assert refused == 1
        assert await screen.page.evaluate("live.quality.transport") == "events"
        await screen.page.evaluate("live.close()")

        async def left() -> bool:
            return bool(node.service.hub.connections == 0)

        await eventually(left)


async def test_a_page_without_a_network_comes_back_by_itself_and_leads_on(stack: Stack, open_page: Opens) -> None:
    async with arcade(stack) as node, open_page(f"{node.url}/healthz", allowed=lambda _: True) as screen:
        await screen.page.evaluate(WATCH)
        await until_seen(screen, [1, "Ann"])
        await screen.page.context.set_offline(True)
        await screen.page.wait_for_function("() => statuses.at(-1) === 'offline'")
        await submit(node, BOB)
        await stack.settled()
        await screen.page.context.set_offline(False)
        await until_seen(screen, [1, "Bob"], [2, "Ann"])
        quality = await screen.page.evaluate("live.quality")
        assert (quality["resumed"], quality["snapshots"], quality["outOfStep"]) == (1, 1, 0)
