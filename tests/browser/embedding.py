"""A site that embeds the widget: its own origin, and a policy as strict as can be."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.conftest import Screen
    from tests.harness import Node

_PAGE = """<!doctype html><html lang="en" dir="{dir}"><meta charset="utf-8"><title>A site</title><link rel="icon" href="data:,">
<script type="module" src="{node}/web/widget/live-leaderboard.js"></script>
<main><h1>A site</h1>{body}</main></html>"""
_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; script-src {node}; "
    "connect-src {node} {socket}; img-src {node} data:; frame-src {node}"
)

# All in one go: a reading spread over several calls could span two versions.
_READ = """(widget) => {
  const root = widget.shadowRoot;
  const rows = (group) => [...root.querySelectorAll(`.${group}:not([hidden]) .line`)].map((line) => ({
    player: line.dataset.player,
    rank: line.querySelector(".rank")?.textContent,
    name: line.querySelector(".name").textContent,
    scores: [...line.querySelectorAll(".score")].map((score) => score.textContent),
  }));
  return { version: root.querySelector(".frame").dataset.version ?? null, rows: rows("body"), own: rows("own") };
}"""
_ORDER = """([wanted, at]) => [...(document.querySelectorAll("live-leaderboard")[at]?.shadowRoot
  .querySelectorAll(".body .line") ?? [])].map((line) => line.dataset.player).join() === wanted"""


class Site:
    """Serves one page, which may be exchanged."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.body = ""
        self.headers: dict[str, str] = {}

    def embed(self, node: Node | str, body: str, direction: str = "ltr", another: str = "") -> str:
        """The page's address, once it holds this markup; its policy allows nothing but the service, and `another`."""
        service = node if isinstance(node, str) else node.url
        self.body = _PAGE.format(node=service, body=body, dir=direction)
        policy = _POLICY.format(node=service, socket=service.replace("http", "ws"))
        also = f"connect-src {another} {another.replace('http', 'ws')} " if another else "connect-src "
        self.headers = {"Content-Security-Policy": policy.replace("connect-src ", also)}
        return self.url


def serving() -> Iterator[Site]:
    """One that is there while this is not closed."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            for name, value in {"Content-Type": "text/html", **site.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(site.body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Site(f"http://127.0.0.1:{server.server_port}/")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield site
        server.shutdown()
        thread.join()


async def shown(screen: Screen, at: int = 0) -> dict[str, Any]:
    """A widget's version (`epoch/version`), its rows and the watched player's own, read at one moment."""
    read: dict[str, Any] = await screen.page.locator("live-leaderboard").nth(at).evaluate(_READ)
    return read


async def until_players(screen: Screen, *players: str, at: int = 0) -> None:
    """Return when exactly these stand there, in this order."""
    await screen.page.wait_for_function(_ORDER, arg=[",".join(players), at])


async def until_state(screen: Screen, kind: str, at: int = 0) -> None:
    await screen.page.locator("live-leaderboard").nth(at).locator(f".frame[data-kind={kind}]").wait_for()


async def until_described(screen: Screen, title: str) -> None:
    """Return when the board is described, which rows do not wait for longer than a moment: scores are written as it says."""
    await screen.page.locator("live-leaderboard .title", has_text=title).wait_for()
