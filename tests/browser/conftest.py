"""Debian's Chromium, and a page that notices whatever goes wrong in it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from infra.local.valkey import EmbeddedValkey
from infra.migrations import migrate
from infra.settings import Settings
from tests.browser.serving import service
from tests.harness import Stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from playwright.async_api import Browser, Page

    from infra.local.issuer import LocalIssuer
    from infra.local.postgres import EmbeddedPostgres
    from tests.harness import Node

# The same engine without windows and tabs around it spends half as much on each page.
_BROWSERS = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
CHROMIUM = next((path for path in _BROWSERS if path.exists()), _BROWSERS[-1])
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 20_000

# Before any script of the page: what the policy stopped, and what was animated.
_WITNESS = """
window.stopped = [];
window.animated = [];
window.frames_of = { requestAnimationFrame, cancelAnimationFrame };
addEventListener("securitypolicyviolation", (event) => stopped.push(`${event.violatedDirective} ${event.blockedURI}`));
const animate = Element.prototype.animate;
Element.prototype.animate = function (keyframes, options) {
  animated.push(...Object.keys(Array.isArray(keyframes) ? keyframes[0] : keyframes));
  return animate.call(this, keyframes, options);
};
"""

# Where time stands still frames come as ever: what is drawn waits for no clock.
_DRAWN = """
for (const [name, of] of Object.entries(frames_of)) window[name] = of.bind(window);
"""
_AHEAD = 60
"""Seconds by which a clock that stands still is before ours: it can be put forward only."""

# All in one go: a reading spread over several calls could span two versions.
_READ = """() => ({
  version: document.getElementById("table").dataset.version ?? null,
  rows: [...document.querySelectorAll(".body .row")].map((row) => ({
    player: row.dataset.player,
    rank: Number(row.querySelector(".number").textContent),
    name: row.querySelector(".name").textContent,
    scores: [...row.querySelectorAll(".score")].map((score) => score.textContent),
  })),
})"""


@dataclass(slots=True)
class Screen:
    """One open page. `problems` are its console errors and uncaught exceptions."""

    page: Page
    problems: list[str] = field(default_factory=list)

    async def shown(self) -> dict[str, Any]:
        """The table's version (`epoch/version`) and rows, read at one moment."""
        shown: dict[str, Any] = await self.page.evaluate(_READ)
        return shown

    async def players(self) -> list[str]:
        return [row["player"] for row in (await self.shown())["rows"]]

    async def until_status(self, text: str) -> None:
        await self.page.locator("#status .text", has_text=text).wait_for()

    async def until_version(self, version: str) -> None:
        """Return when the table is at this one (`epoch/version`)."""
        at = "document.getElementById('table').dataset.version"
        await self.page.wait_for_function(f"(wanted) => {at} === wanted", arg=version)

    async def until_players(self, *players: str) -> None:
        """Return when exactly these stand there, in this order."""
        order = "[...document.querySelectorAll('.body .row')].map((row) => row.dataset.player).join()"
        await self.page.wait_for_function(f"(wanted) => {order} === wanted", arg=",".join(players))

    async def until_leader(self, player: str) -> None:
        """Return when this one stands first."""
        first = "document.querySelector('.body .row')?.dataset.player"
        await self.page.wait_for_function(f"(wanted) => {first} === wanted", arg=player)

    async def hurry_back(self) -> None:
        """Let the page try soon to come back: its waits are at random, and at worst nearly as long as our patience."""
        await self.page.evaluate("() => { Math.random = () => 0.05; }")


class Opens(Protocol):
    def __call__(self, url: str, **context: Any) -> AbstractAsyncContextManager[Screen]: ...


@pytest.fixture(scope="session")
def chromium() -> str:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing: install Debian's package chromium-headless-shell, or chromium")
    return str(CHROMIUM)


@pytest.fixture(scope="module")
def shared_stack(
    request: pytest.FixtureRequest,
    postgres: EmbeddedPostgres,
    issuer: LocalIssuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """One for tests of a module that disturb each other in nothing: a database and a Valkey each cost more than many a test."""
    name = f"shared_{Path(request.path).stem}"
    postgres.create_database(name)
    url = postgres.url_of(name)
    asyncio.run(migrate(url))
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as valkey:
        yield Stack(
            Settings(database_url=url, redis_url=valkey.url, issuer=issuer.issuer, jwks_url=issuer.jwks_url), issuer
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(shared_stack: Stack) -> AsyncIterator[Node]:
    """A service for tests that change nothing, or nothing but a `board` of their own."""
    async with service(shared_stack) as node:
        yield node


_numbers = itertools.count(1)


@pytest.fixture
def board() -> str:
    """The name of one that no other test has."""
    return f"board-{next(_numbers)}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        await launched.close()


@pytest.fixture
def open_page(browser: Browser) -> Opens:
    """Opens an address in a fresh context; closing asserts that nothing went wrong in the page.

    `allowed` says of a console error whether the test has brought it about. In a page that is `hurried` the test may let
    time pass, which then runs as ever; in one that is `still` no time passes but what the test lets pass, however long the
    machine takes for anything, and no timer fires but then.
    """

    @contextlib.asynccontextmanager
    async def opens(
        url: str,
        allowed: Callable[[str], bool] = lambda _: False,
        hurried: bool = False,
        still: bool = False,
        **context: Any,
    ) -> AsyncIterator[Screen]:
        opened = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | context)
        page = await opened.new_page()
        page.set_default_timeout(PATIENCE_MS)
        screen = Screen(page)
        page.on("console", lambda message: message.type == "error" and screen.problems.append(message.text))
        page.on("pageerror", lambda error: screen.problems.append(str(error)))
        await page.add_init_script(_WITNESS)
        if hurried or still:
            await page.clock.install()
        if still:
            await page.clock.pause_at(time.time() + _AHEAD)
            await page.add_init_script(_DRAWN)
        try:
            await page.goto(url)
            yield screen
            assert [problem for problem in screen.problems if not allowed(problem)] == []
            assert await page.evaluate("stopped") == []
        finally:
            await opened.close()

    return opens
