"""`rankcast up`: the whole service on this machine."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape

from infra.cli import demo
from infra.cli.rest import Rest
from infra.cli.service import TOKEN_LIFETIME, data_dir_option
from infra.cli.tables import clock
from infra.cli.teaching import TaughtCommand
from infra.cli.welcome import command_name, next_steps, once_more, panel
from infra.local.stack import Plan, Stack
from infra.settings import Settings
from realtime.core.errors import RankcastError
from realtime.core.identity import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from types import FrameType

    from rich.status import Status

    from infra.cli.replaying import Event

ENDING = (signal.SIGTERM, signal.SIGHUP)
LAST_PORT = 65_535
MOST_NODES = 16


def _settings(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    if bad := [name for name, equals, _ in pairs if not equals]:
        raise click.BadParameter(f"{bad[0]!r} is not NAME=VALUE")
    known = {field.name for field in fields(Settings)}
    if unknown := [name for name, _, _ in pairs if name not in known]:
        raise click.BadParameter(f"there is no setting {unknown[0]!r}")
    return {name: value for name, _, value in pairs}


@click.command(
    cls=TaughtCommand,
    short_help="Run the whole service on this machine.",
    epilog="""
    Examples:
      rankcast up
      rankcast up --nodes 2                       two API nodes, on 8080 and 8081
      rankcast up --no-demo --data-dir ~/scores   nothing but the service, its data in ~/scores
      rankcast up --set tick_ms=20                another setting for the nodes and the worker
    """,
)
@click.option(
    "--port", type=click.IntRange(1, LAST_PORT), default=8080, show_default=True, help="The first node's port."
)
@click.option(
    "--nodes",
    type=click.IntRange(1, MOST_NODES),
    default=1,
    show_default=True,
    help="API nodes, on consecutive ports.",
)
@click.option("--demo/--no-demo", "with_demo", default=True, help="Replay a contest on the board demo.")
@click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    default=demo.SPEED,
    show_default=True,
    help="Seconds of the contest in one of ours.",
)
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, callback=_settings, help="Replaces a setting.")
@data_dir_option
def up(*, port: int, nodes: int, with_demo: bool, speed: float, settings: dict[str, str], data_dir: Path) -> None:
    """Run the whole service on this machine until Ctrl-C: PostgreSQL, Valkey, the refresh worker and the API.

    Its data stays in --data-dir; the next start finds it.
    """
    if port + nodes - 1 > LAST_PORT:
        raise click.UsageError(f"{nodes} nodes from port {port} on would go beyond port {LAST_PORT}")
    console = Console(highlight=False)
    plan = Plan(data_dir=data_dir, port=port, nodes=nodes, settings=settings)
    with _ending_interrupts():
        try:
            with console.status("starting") as status:
                stack = Stack(plan, tell=status.update).start()
        except KeyboardInterrupt:
            return
        try:
            _greet(console, stack, data_dir, with_demo)
            demo_of = _demo(stack, console, speed, once_more(_command(), data_dir)) if with_demo else None
            asyncio.run(_serve(stack, demo_of))
        except KeyboardInterrupt:
            pass
        finally:
            _end(stack, console)


def _greet(console: Console, stack: Stack, data_dir: Path, with_demo: bool) -> None:
    console.print(panel(stack.urls, data_dir, with_demo=with_demo))
    for what, line in next_steps(_command(), stack.urls[0], data_dir, with_demo=with_demo):
        # Not wrapped: a line that is broken cannot be copied.
        console.print(f"[bold]{what}[/]\n  {escape(line)}", soft_wrap=True)


def _command() -> str:
    return command_name(Path(sys.argv[0]).absolute(), Path.cwd())


def _end(stack: Stack, console: Console) -> None:
    """End the stack; an impatient second Ctrl-C must not leave half of it."""
    for number in (signal.SIGINT, *ENDING):
        signal.signal(number, signal.SIG_IGN)
    with console.status("ending"):
        stack.stop()
    console.print("ended; the data stays")


@contextmanager
def _ending_interrupts() -> Iterator[None]:
    """A request to end, from whomever, is what Ctrl-C is."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _serve(stack: Stack, beside: Coroutine[None, None, None] | None) -> None:
    """Stand by until told to end. Raises ChildDied."""
    loop, us = asyncio.get_running_loop(), asyncio.current_task()
    for number in ENDING:
        loop.add_signal_handler(number, us.cancel if us else loop.stop)
    tasks = [asyncio.create_task(stack.watch())]
    if beside is not None:
        tasks.append(asyncio.create_task(beside))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    except asyncio.CancelledError:
        return
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _demo(stack: Stack, console: Console, speed: float, again: str) -> None:
    """Replay what the board has not seen of the contest. A failure ends the demo, not the service.

    `again` is the command that lets the next start play it from the beginning.
    """
    issuer, url = stack.issuer, stack.urls[0]
    try:
        async with Rest(url, issuer.token(Role.ADMIN)) as admin:
            spec = await demo.ensure_board(admin)
        async with Rest(url, issuer.token(Role.SERVER, lifetime=TOKEN_LIFETIME)) as rest:
            events = demo.contest()
            standing = await demo.standing_scores(rest, {event.row["player"] for event in events})
            coming = list(demo.still_to_come(events, spec, standing))
            with console.status("") as status:
                await demo.play(rest, coming, speed, _telling(status, len(events) - len(coming)))
        console.print("the contest is over; the board stays. Ctrl-C ends the service")
        # A line that is broken cannot be copied.
        console.print(f"to see it once more: {again}, then start anew", markup=False, soft_wrap=True)
    except RankcastError as error:
        console.print(f"the demo has stopped: {error}", markup=False)


def _telling(status: Status, sent_before: int) -> Callable[[Event, int, int], None]:
    """What shows how far the contest is."""
    sent = sent_before

    def told(event: Event, size: int, _refused: int) -> None:
        nonlocal sent
        sent += size
        status.update(f"the contest at {clock(event.at)}, {sent:,} scores")

    return told
