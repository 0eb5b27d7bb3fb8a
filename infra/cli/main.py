"""The command `rankcast`."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

import click

from infra.cli.teaching import TaughtGroup
from realtime.core.errors import RankcastError

INTERRUPTED = 130
COMMANDS: Final = {
    "up": "up",
    "board": "board",
    "submit": "submit",
    "import": "import_scores",
    "replay": "replay",
    "top": "top",
    "watch": "watch",
    "token": "token",
    "migrate": "migrate",
    "dead-letters": "dead_letters",
    "deploy": "deploy",
}
"""The module beside this one that has the command, under its own name."""


class _Commands(TaughtGroup):
    """Each command's module is loaded when the command is asked for: `top` does not wait for what `deploy` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See click."""
        self._load(*COMMANDS)
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See click. For a name that is none all are loaded: the nearest are proposed."""
        self._load(*([cmd_name] if cmd_name in COMMANDS else COMMANDS))
        return super().get_command(ctx, cmd_name)

    def _load(self, *names: str) -> None:
        for name in names:
            if name not in self.commands:
                module = COMMANDS[name]
                self.add_command(getattr(import_module(f"infra.cli.{module}"), module))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""
    Start here:
      rankcast up                          the whole service on this machine, with a contest replayed
      rankcast watch demo                  that contest in this terminal, live
      rankcast submit demo me 13 0         hand in a score
      rankcast board create arcade         a board of your own
    """,
)
@click.version_option(package_name="rankcast")
def cli() -> None:
    """A live leaderboard: scores come in over REST, ranks go out as they change.

    A command means the service that runs in --data-dir (.rankcast unless said otherwise), or the one at --url, which needs
    a token for what is not public: --token, or the variable RANKCAST_TOKEN.
    """


def main() -> None:
    """Run the command line; every failure is one line on standard error and an exit code that is not 0."""
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except RankcastError as error:
        click.echo(f"rankcast: {error}", err=True)
        code = 1
    sys.exit(code)
