"""Every page, state, size and theme as a picture: `python -m tests.browser.screenshots OUT [only …]`.

The real stack is started, a contest is played on it to its middle, and goes on while pictures are taken. Debian's packages
chromium and fonts-noto-cjk should be there: without the second, Chinese names are boxes.

What there is to see is the list SHOTS. A page adds its states there.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from playwright.async_api import async_playwright

from infra.local.issuer import LocalIssuer
from infra.local.postgres import EmbeddedPostgres
from infra.local.valkey import EmbeddedValkey
from infra.migrations import migrate
from infra.settings import Settings
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.serving import CONTEST, contest, create, submit
from tests.harness import Node, Stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from playwright.async_api import Browser, BrowserContext, Page, Route

SIZES: Final = {"phone": (390, 844), "laptop": (1440, 900), "wall": (2560, 1440)}
THEMES: Final[tuple[Theme, ...]] = ("light", "dark")
EVERYWHERE: Final = tuple(SIZES)

Theme = Literal["light", "dark"]
World = Literal["playing", "held", "away", "down"]
"""What the service does meanwhile: the contest goes on; it never answers; its ranking is away; it is gone."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One state of a page. In its path and steps `{best}`, `{middle}` and `{deep}` stand for players of the board `harbin`.

    steps: what somebody does, one after the other: `click SELECTOR`, `fill SELECTOR = TEXT`, `select SELECTOR = VALUE`, `press KEY`,
    `see SELECTOR`; `{token}` is an admin's.
    watch: seconds for which the page is watched before the picture.
    told: what is to be seen of what was lost, a selector.
    """

    name: str
    path: str
    steps: tuple[str, ...] = ()
    world: World = "playing"
    sizes: tuple[str, ...] = EVERYWHERE
    themes: tuple[Theme, ...] = THEMES
    watch: float = 3.0
    told: str = ""


DESK: Final = ("laptop", "wall")
HAND: Final = ("phone", "laptop")
INSIDE: Final = ("fill #token = {token}", "click #door button")
SHOTS: Final = (
    Shot("board", "/?board=harbin", ("see .body .row", "see #happenings li"), watch=9),
    Shot("followed", "/?board=harbin&watch={best},{middle},{deep}&focus={middle}", ("see .neighbour.own",), watch=10),
    Shot(
        "race",
        "/?board=harbin&watch={best},{middle},{deep}&view=race",
        ("see #plot .curve",),
        sizes=("phone",),
        watch=12,
    ),
    Shot("now", "/?board=harbin&view=now", ("see #happenings li",), sizes=("phone",), watch=9),
    Shot("deep", "/?board=harbin&watch={deep}", ("see .neighbour.own",), sizes=("laptop",), watch=5),
    Shot("search", "/?board=harbin&q=大学", ("see [role=option]",), sizes=("phone", "laptop")),
    Shot(
        "search-nothing", "/?board=harbin&q=nobody", ("see #found-note:has-text('Nobody')",), sizes=("phone", "laptop")
    ),
    Shot("boards", "/?board=harbin", ("see .body .row", "click #boards-button"), sizes=("phone", "laptop")),
    Shot(
        "quality",
        "/?board=harbin",
        ("see .body .row", "see #delay:has-text('ms')", "click #status"),
        sizes=("phone", "laptop"),
    ),
    Shot("wall", "/?board=harbin&wall&watch={best},{middle}", ("see html.wall.idle",), sizes=DESK, watch=10),
    Shot("empty", "/?board=empty", ("see #notice h2",), sizes=("phone", "laptop")),
    Shot("few", "/?board=few", ("see .body .row",), sizes=("phone", "laptop")),
    Shot("broad", "/?board=broad", ("see .body .row",), sizes=("phone", "laptop")),
    Shot("unknown", "/?board=nowhere", ("see #notice h2",), sizes=("phone", "laptop")),
    Shot("loading", "/?board=harbin", world="held"),
    Shot(
        "stale",
        "/?board=harbin&watch={best}",
        ("see .status[data-kind=live]",),
        world="away",
        sizes=("phone", "laptop"),
        told=".status[data-kind=stale]",
    ),
    Shot(
        "offline",
        "/?board=harbin&watch={best}",
        ("see .status[data-kind=live]",),
        world="down",
        sizes=("phone", "laptop"),
        told="main.behind",
    ),
    Shot(
        "embed",
        "/embed?board=harbin&player={deep}&numbers=grouped+clock",
        ("see .own .line",),
        sizes=("phone", "laptop"),
        watch=6,
    ),
    Shot(
        "embed-around",
        "/embed?board=harbin&view=around&player={middle}",
        ("see .line.mine",),
        sizes=("phone",),
        watch=6,
    ),
    Shot(
        "embed-compact", "/embed?board=harbin&density=compact&limit=25&heading=", ("see .body .line",), sizes=("phone",)
    ),
    Shot("embed-rtl", "/embed?board=harbin&locale=ar-EG", ("see .body .line",), sizes=("phone",), watch=6),
    Shot("embed-empty", "/embed?board=empty", ("see .frame[data-kind=empty]",), sizes=("phone",)),
    Shot(
        "embed-unranked",
        "/embed?board=few&view=around&player=nobody",
        ("see .frame[data-kind=unranked]",),
        sizes=("phone",),
    ),
    Shot("embed-broad", "/embed?board=broad", ("see .body .line",), sizes=("phone", "laptop")),
    Shot("embed-unknown", "/embed?board=nowhere", ("see .frame[data-kind=refused]",), sizes=("phone",)),
    Shot("embed-loading", "/embed?board=harbin", world="held", sizes=("phone",)),
    Shot(
        "embed-stale",
        "/embed?board=harbin",
        ("see .frame[data-kind=live]",),
        world="away",
        sizes=("phone",),
        told=".frame[data-kind=stale]",
    ),
    Shot(
        "embed-offline",
        "/embed?board=harbin",
        ("see .frame[data-kind=live]",),
        world="down",
        sizes=("phone",),
        told=".frame[data-kind=offline]",
    ),
    Shot("docs", "/docs", ("see article",), sizes=("phone", "laptop")),
    Shot("overlay", "/overlay?board=harbin&limit=8", sizes=DESK, themes=("dark",), watch=6),
    Shot("overlay-bare", "/overlay?board=harbin&opacity=0&heading=&theme=light", sizes=("laptop",), themes=("light",)),
    Shot("overlay-build", "/overlay/build?board=harbin&limit=6", ("see #players option",), watch=5),
    Shot(
        "overlay-around",
        "/overlay/build?board=harbin&view=around&player={middle}&position=bottom-right&opacity=0&scale=150&width=640",
        ("see #players option", "click .scenes [data-scene=day]"),
        sizes=HAND,
        watch=5,
    ),
    Shot("console-door", "/console", ("see #door",), sizes=HAND),
    Shot("console", "/console", (*INSIDE, "see #nodes tbody tr"), watch=12),
    Shot("console-boards", "/console#boards", (*INSIDE, "see #board-list tbody tr"), sizes=HAND),
    Shot(
        "console-board",
        "/console#boards",
        (*INSIDE, "see #board-list tbody tr", "click [aria-label='Edit Four splits']"),
        sizes=HAND,
    ),
    Shot(
        "console-delete",
        "/console#boards",
        (*INSIDE, "see #board-list tbody tr", "click [aria-label='Delete Monday night']", "fill #sure-input = few"),
        sizes=HAND,
    ),
    Shot(
        "console-players",
        "/console#players",
        (*INSIDE, "see #player-list tbody tr", "select #player-board = harbin", "fill #player-query = 哈"),
        sizes=HAND,
    ),
    Shot("console-dead-letters", "/console#dead-letters", (*INSIDE, "see #dead-list .empty"), sizes=HAND),
    Shot("console-away", "/console", (*INSIDE, "see #nodes tbody tr"), world="away", sizes=HAND, watch=4),
)
"""Every state there is a picture of."""

_PATIENCE_MS: Final = 30_000
_SETTLE: Final = 2.5
"""Seconds after which what fades has faded, when something was lost."""
_FADE: Final = 0.6
_PACE: Final = 0.35


@dataclass(slots=True)
class Service:
    """The stack that is photographed, and who is named in paths."""

    node: Node
    valkey: EmbeddedValkey
    players: dict[str, str]


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Service]:
    """The stack with a contest at its middle, and some boards beside it."""
    with EmbeddedPostgres(folder / "postgres") as postgres, EmbeddedValkey(folder / "valkey") as valkey:
        postgres.create_database("pictures")
        url = postgres.url_of("pictures")
        await migrate(url)
        issuer = LocalIssuer(folder / "issuer")
        settings = Settings(database_url=url, redis_url=valkey.url, issuer=issuer.issuer, jwks_url=issuer.jwks_url)
        stack = Stack(settings, issuer)
        async with stack.worker(), stack.node(check_every=0.5) as node:
            players = await _boards(stack, node)
            yield Service(node, valkey, players)


async def _boards(stack: Stack, node: Node) -> dict[str, str]:
    await create(node, "harbin", CONTEST | {"title": "第 10 届 CCPC 哈尔滨站"})
    await create(node, "empty", {"title": "Not yet", "columns": [{"name": "points"}]})
    await create(node, "few", {"title": "Monday night", "columns": [{"name": "laps", "decimals": 0}]})
    await submit(
        node, "few", {"player": "ada", "score": 31, "name": "Ada"}, {"player": "bo", "score": 28, "name": "Bo"}
    )
    columns = [{"name": name, "decimals": 3, "direction": "asc"} for name in ("total", "first", "second", "third")]
    await create(node, "broad", {"title": "Four splits", "columns": columns})
    laps = [
        {"player": f"car{car:02}", "score": [190_123 * car, 61_234 * car, 63_777 * car, 65_112 * car]}
        for car in range(1, 30)
    ]
    await submit(node, "broad", *laps)
    await create(
        node,
        "long",
        {"title": "A board with a title that says all there is to say of it", "columns": [{"name": "points"}]},
    )
    scores = contest()
    for start in range(0, len(scores) // 2, 200):
        await submit(node, "harbin", *scores[start : min(start + 200, len(scores) // 2)])
    await stack.settled()
    entries = (await node.http.get("/v1/boards/harbin/top?limit=200")).json()["entries"]
    places = {"best": 4, "middle": 37, "deep": 140}
    named = {name: entries[place]["player"] for name, place in places.items()}
    return named | {"token": stack.issuer.token("admin")}


async def play(node: Node) -> None:
    """Let the contest go on; from its middle again when it is over, on an account of points that nobody takes away."""
    scores = contest()
    for turn in itertools.count():
        for start in range(len(scores) // 2, len(scores), 2):
            rows = [
                row | {"score": [row["score"][0] + turn * 13, row["score"][1]]} for row in scores[start : start + 2]
            ]
            await submit(node, "harbin", *rows)
            await asyncio.sleep(_PACE)


async def take(
    browser: Browser, service: Service, shot: Shot, size: str, themes: Sequence[Theme], out: Path
) -> list[str]:
    """The pictures of one state at one size; their names."""
    width, height = SIZES[size]
    context = await browser.new_context(
        viewport={"width": width, "height": height}, device_scale_factor=2 if size == "phone" else 1
    )
    held: list[Route] = []
    names = [f"{shot.name}.{size}.{theme}.png" for theme in themes]
    try:
        context.set_default_timeout(_PATIENCE_MS)
        page = await context.new_page()
        if shot.world == "held":
            await _hold(context, page, held)
        await page.goto(service.node.url + shot.path.format(**service.players))
        for step in shot.steps:
            await _do(page, step.replace("{token}", service.players["token"]))
        await asyncio.sleep(shot.watch)
        async with _in_world(shot.world, service, context):
            if shot.told:
                await page.locator(shot.told).wait_for()
                await asyncio.sleep(_SETTLE)
            for theme, name in zip(themes, names, strict=True):
                await page.emulate_media(color_scheme=theme)
                await asyncio.sleep(_FADE)
                await page.screenshot(path=out / name)
    finally:
        for route in held:
            await route.abort()
        await context.close()
    return names


async def _do(page: Page, step: str) -> None:
    verb, _, rest = step.partition(" ")
    match verb:
        case "click":
            await page.click(rest)
        case "see":
            await page.locator(rest).first.wait_for(state="attached")
        case "press":
            await page.keyboard.press(rest)
        case "fill":
            selector, _, text = rest.partition(" = ")
            await page.fill(selector, text)
        case "select":
            selector, _, value = rest.partition(" = ")
            await page.select_option(selector, value)
        case _:
            raise ValueError(step)


async def _hold(context: BrowserContext, page: Page, held: list[Route]) -> None:
    """The page loads, and none of the questions that it asks is answered before the picture is taken."""

    async def hold(route: Route) -> None:
        held.append(route)

    await context.route("**/v1/**", hold)
    await page.route_web_socket("**/v1/live", lambda _: None)


@contextlib.asynccontextmanager
async def _in_world(world: World, service: Service, context: BrowserContext) -> AsyncIterator[None]:
    if world == "away":
        await asyncio.to_thread(service.valkey.stop)
        await asyncio.sleep(_SETTLE)
    if world == "down":
        await context.set_offline(offline=True)
        await asyncio.sleep(_SETTLE)
    yield
    if world == "away":
        await asyncio.to_thread(service.valkey.start)


def wanted(only: Sequence[str]) -> Iterator[tuple[Shot, str, list[Theme]]]:
    """All that is to be taken; what takes the ranking away comes last. `only`: parts of names such as `board.phone.dark`."""
    for shot in sorted(SHOTS, key=lambda shot: shot.world == "away"):
        for size in shot.sizes:
            names = {theme: f"{shot.name}.{size}.{theme}" for theme in shot.themes}
            themes = [theme for theme in shot.themes if not only or any(re.search(part, names[theme]) for part in only)]
            if themes:
                yield shot, size, themes


async def photograph(out: Path, only: Sequence[str]) -> int:
    """Write the pictures; how many there are."""
    count = 0
    with tempfile.TemporaryDirectory(prefix="rankcast-pictures-") as folder:
        async with serving(Path(folder)) as service, _playing(service.node), async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
            for shot, size, themes in wanted(only):
                names = await take(browser, service, shot, size, themes, out)
                count += len(names)
                print("\n".join(names), flush=True)
            await browser.close()
    return count


@contextlib.asynccontextmanager
async def _playing(node: Node) -> AsyncIterator[None]:
    playing = asyncio.create_task(play(node))
    try:
        yield
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)


def main(arguments: Any = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("out", type=Path, help="the folder for the pictures")
    parser.add_argument("only", nargs="*", help="parts of the pictures' names, such as board.phone or dark")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    count = asyncio.run(photograph(options.out, options.only))
    print(f"{count} pictures in {options.out}")


if __name__ == "__main__":
    main()
