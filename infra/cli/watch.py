"""`rankcast watch`: a board in the terminal, live."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

import click
import orjson
from rich.console import Console, Group
from rich.live import Live as LiveDisplay
from rich.text import Text

from infra.cli.moves import Moves
from infra.cli.service import with_service
from infra.cli.tables import board_table, counted
from infra.cli.teaching import TaughtCommand
from realtime.client.live import Live, Status, connect
from realtime.core.identity import Role
from realtime.core.messages import TOP_LIMITS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from infra.cli.service import Service
    from realtime.client.reducer import State

FRAMES_A_SECOND = 8
WORDS = {
    Status.CONNECTING: Text("connecting …", "yellow"),
    Status.OPEN: Text("live", "green"),
    Status.RECONNECTING: Text("connection lost, coming back …", "yellow"),
    Status.CLOSED: Text("closed", "red"),
}


@click.command(
    cls=TaughtCommand,
    short_help="Watch a board in the terminal, live.",
    epilog="""
    Examples:
      rankcast watch demo
      rankcast watch demo --limit 25
      rankcast watch demo > states.txt                             each state as text, one below the other
      rankcast watch demo --json | jq -r '.entries[0].player'      who leads, whenever it changes
    """,
)
@click.argument("board")
@click.option(
    "--limit",
    type=click.Choice([str(limit) for limit in TOP_LIMITS]),
    default=str(TOP_LIMITS[0]),
    show_default=True,
    help="How many rows.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line for each state of the board.")
@with_service
def watch(service: Service, *, board: str, limit: str, as_json: bool) -> None:
    """Watch the best of BOARD as they change, until Ctrl-C. A lost connection comes back by itself.

    In a pipe or a file each state is text of its own, below the one before.
    """
    with suppress(KeyboardInterrupt):
        asyncio.run(_watch(service, board, int(limit), as_json))


async def _watch(service: Service, board: str, limit: int, as_json: bool) -> None:
    async with service.rest() as rest:
        document = await rest.board(board)

    def token() -> str | None:
        # Asked for anew on each connection and before it ends: a screen may watch for weeks.
        return service.token(Role.SERVER)

    async with connect(service.url, token) as live, aclosing(live.top(board, limit)) as states:
        if as_json:
            await _print_lines(states)
        elif sys.stdout.isatty():
            await _show(document, live, states)
        else:
            await _print_blocks(document, live, states)


async def _print_lines(states: AsyncIterator[State]) -> None:
    async for state in states:
        line = {
            "epoch": state.epoch,
            "version": state.version,
            "total": state.total,
            "stale": state.stale,
            "entries": [{"rank": entry.rank, **row} for entry, row in zip(state.entries, state.rows, strict=True)],
        }
        click.echo(orjson.dumps(line).decode())


async def _print_blocks(document: dict[str, Any], live: Live, states: AsyncIterator[State]) -> None:
    """Each state as text of its own: a pipe or a file has no screen to draw on again."""
    view, console = _View(document, live), Console(color_system=None)
    async for state in states:
        view.take(state)
        with console.capture() as block:
            console.print(view.render())
        # Each is written at once.
        click.echo(block.get())


async def _show(document: dict[str, Any], live: Live, states: AsyncIterator[State]) -> None:
    view = _View(document, live)
    with LiveDisplay(get_renderable=view.render, console=Console(), refresh_per_second=FRAMES_A_SECOND):
        async for state in states:
            view.take(state)


class _View:
    """The newest state as something to print. `render` is called from the display's own thread."""

    def __init__(self, document: dict[str, Any], live: Live) -> None:
        self._document = document
        self._live = live
        self._moves = Moves()
        self._state: State | None = None

    def take(self, state: State) -> None:
        self._moves.see(state.entries, time.monotonic())
        self._state = state

    def render(self) -> Group:
        state = self._state
        word = WORDS[self._live.status]
        if state is None:
            return Group(word)
        table = board_table(self._document, state.entries, self._moves.recent(time.monotonic()))
        stale = Text("  the ranking is away, this is what was known", "yellow") if state.stale else Text("")
        foot = Text.assemble(word, f"   {counted(state.total, 'player')}, version {state.version}", stale)
        return Group(table, Text(""), foot)
