"""`rankcast deploy`: the service on AWS."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from infra.cli.teaching import TaughtCommand
from infra.deploy.account import Account
from infra.deploy.deployment import Deployment, Forecast, Wish
from infra.deploy.image import is_by_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from infra.deploy.events import Event
    from infra.deploy.stack import Change, Proposal

_STYLES = {"Add": "green", "Modify": "yellow", "Remove": "red"}
_MOST = 400
"""Lines of a table of changes; what is more is counted."""


def _parameters(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    if bad := [name for name, equals, _ in pairs if not equals]:
        raise click.BadParameter(f"{bad[0]!r} is not NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _digest(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not is_by_digest(value):
        raise click.BadParameter(f"{value!r} is not REPOSITORY@sha256:DIGEST: a tag may be another image tomorrow")
    return value


@click.command(
    cls=TaughtCommand,
    short_help="Bring the service to AWS, or up to date there.",
    epilog="""
    Examples:
      rankcast deploy --dry-run --domain scores.example --hosted-zone Z0123456789ABC
      rankcast deploy --domain scores.example --hosted-zone Z0123456789ABC --region eu-central-1
      rankcast deploy                              what was chosen before, brought up to date
      rankcast deploy --size medium --set MaxNodes=20
    """,
)
@click.option("--name", default="rankcast", show_default=True, help="Begins the name of everything.")
@click.option("--domain", help="The name that viewers come to. Needed the first time.")
@click.option("--hosted-zone", metavar="ID", help="The Route 53 zone that the domain is in. Needed the first time.")
@click.option(
    "--size", type=click.Choice(["small", "medium", "large"]), help="Of machines, database and cache together."
)
@click.option(
    "--set",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_parameters,
    help="Another parameter of infra/aws/rankcast.yaml.",
)
@click.option(
    "--image",
    metavar="REPOSITORY@sha256:…",
    callback=_digest,
    help="The image to run, instead of building it here with Docker.",
)
@click.option("--region", envvar="AWS_REGION", help="Unless given, the one of the AWS configuration.")
@click.option("--profile", envvar="AWS_PROFILE", help="Of the AWS configuration.")
@click.option("--yes", is_flag=True, help="Make every change without asking.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and touch nothing: only reading calls are made.")
def deploy(
    *,
    name: str,
    domain: str | None,
    hosted_zone: str | None,
    size: str | None,
    parameters: dict[str, str],
    image: str | None,
    region: str | None,
    profile: str | None,
    yes: bool,
    dry_run: bool,
) -> None:
    """Package the service, and create or update its stack on AWS.

    Packages are the image by its digest, the functions' zip and the web files. Each stack goes through a change set: what would
    change is shown, and made once it is agreed to. Safe to repeat: what is as it should be is left alone, and what was chosen
    before holds until something else is given.
    """
    given = {"Domain": domain, "HostedZone": hosted_zone, "Size": size}
    chosen = parameters | {key: value for key, value in given.items() if value is not None}
    console = Console(highlight=False)
    deployment = Deployment(
        Account(region, profile), Wish(name=name, parameters=chosen, image=image), Terminal(console, ask=not yes)
    )
    if dry_run:
        with console.status("packaging, and looking at what is there"):
            foreseen = deployment.foresee()
        _show(console, foreseen)
        return
    state = deployment.run()
    for key in ("Url", "ApiUrl", "SignIn", "UserPool", "PlayerClient", "ServerClient"):
        if key in state.outputs:
            console.print(f"[bold]{key}[/]  {escape(state.outputs[key])}", soft_wrap=True)


class Terminal:
    """The Shell of a person before a terminal."""

    def __init__(self, console: Console, *, ask: bool) -> None:
        self._console = console
        self._ask = ask

    def tell(self, text: str) -> None:
        """Print a line."""
        self._console.print(escape(text), style="dim", soft_wrap=True)

    def approves(self, proposal: Proposal) -> bool:
        """Print the changes and ask. Without a terminal to ask at, the answer is no."""
        self._console.print(changes_table(proposal.stack, proposal.changes))
        return not self._ask or click.confirm(f"Make these changes to {proposal.stack}?", default=False)

    @contextmanager
    def following(self, proposal: Proposal) -> Iterator[Callable[[Event], None]]:
        """Draw a bar over the resources, and print what fails."""
        waiting = {(change.layer, change.logical_id) for change in proposal.changes}
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=not self._console.is_terminal) as progress:
            task = progress.add_task(escape(proposal.stack), total=len(waiting))

            def heard(event: Event) -> None:
                where = (event.layer, event.logical_id)
                label = "/".join(filter(None, where))
                if event.failed:
                    progress.console.print(f"[red]{escape(label)}: {escape(event.reason)}[/]", soft_wrap=True)
                if event.done and where in waiting:
                    waiting.discard(where)
                    progress.advance(task)
                progress.update(task, description=f"{escape(proposal.stack)}: {escape(label)}")

            yield heard


def changes_table(stack: str, changes: Iterable[Change]) -> Table:
    """What becomes of each resource, one a line."""
    table = Table(title=escape(stack), title_justify="left", box=None, pad_edge=False)
    for heading in ("", "resource", "kind", "what"):
        table.add_column(heading, overflow="fold")
    rows = sorted(changes, key=lambda one: (one.layer, one.logical_id))
    for one in rows[:_MOST]:
        what = ("made anew; " if one.replaced else "") + ", ".join(one.why)
        table.add_row(
            Text(one.action, _STYLES.get(one.action, "")),
            Text("/".join(filter(None, (one.layer, one.logical_id)))),
            Text(one.kind.removeprefix("AWS::")),
            Text(what, "red" if one.replaced else ""),
        )
    if len(rows) > _MOST:
        table.caption = f"and {len(rows) - _MOST:,} more"
    return table


def _show(console: Console, foreseen: Forecast) -> None:
    functions, files = foreseen.bundle, foreseen.site
    console.print(
        f"functions  {functions.key}, {functions.size:,} bytes, {functions.unpacked:,} unpacked", soft_wrap=True
    )
    console.print(f"web files  version {files.version}, {len(files.files)} files, {files.size:,} bytes", soft_wrap=True)
    console.print(f"image      {escape(foreseen.image)}", soft_wrap=True)
    for stack, changes in foreseen.changes.items():
        if changes:
            console.print(changes_table(stack, changes))
        else:
            console.print(f"{stack}: no resource differs")
    for key, (before, after) in foreseen.parameters.items():
        console.print(f"parameter {key}: {escape(before) or '(none)'} → {escape(after)}", soft_wrap=True)
    console.print("nothing was touched", style="bold")
