"""The command `rankcast`."""

from __future__ import annotations

import sys

import click

from infra.cli import board, dead_letters, deploy, import_scores, migrate, replay, submit, token, top, up, watch
from infra.cli.teaching import TaughtGroup
from realtime.core.errors import RankcastError

INTERRUPTED = 130


@click.group(
    cls=TaughtGroup,
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


for command in (
    up.up,
    board.board,
    submit.submit,
    import_scores.import_scores,
    replay.replay,
    top.top,
    watch.watch,
    token.token,
    migrate.migrate,
    dead_letters.dead_letters,
    deploy.deploy,
):
    cli.add_command(command)


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
