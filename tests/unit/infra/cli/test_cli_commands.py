from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from infra.cli.board import ColumnType
from infra.cli.main import cli
from infra.cli.service import NoService

if TYPE_CHECKING:
    from pathlib import Path


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


@pytest.mark.parametrize("command", commands(cli), ids=" ".join)
def test_the_help_of_every_command_teaches_by_example(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*command, "--help"])
    assert result.exit_code == 0
    if command != ("board",):
        assert "Example" in result.output
        assert f"\n  rankcast {' '.join(command)}" in result.output


def test_all_commands_are_there() -> None:
    assert {name for name, *_ in commands(cli)} == {
        "up",
        "migrate",
        "board",
        "submit",
        "import",
        "replay",
        "top",
        "watch",
        "token",
        "dead-letters",
        "deploy",
    }


def test_a_column_is_a_name_a_direction_and_decimals() -> None:
    convert = ColumnType().convert
    assert convert("solved", None, None) == {"name": "solved", "direction": "desc", "decimals": 0}
    assert convert("time:asc:3", None, None) == {"name": "time", "direction": "asc", "decimals": 3}


@pytest.mark.parametrize("text", ["a:up", "a:asc:x", "a:asc:-1"])
def test_a_column_that_is_none_is_named(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"neither asc nor desc|no number of decimals"):
        ColumnType().convert(text, None, None)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["submit", "b", "p", "1.5"], "'1.5': a score must be an integer"),
        (["submit", "b", "p", str(2**63)], "a score must fit into 64 bits"),
        (["submit", "b", "p"], "Missing argument 'SCORE...'"),
        (["token", "--role", "player"], "the role player needs --player ID"),
        (["up", "--port", "65535", "--nodes", "2"], "would go beyond port 65535"),
        (["up", "--set", "tick_ms"], "'tick_ms' is not NAME=VALUE"),
        (["up", "--set", "tick=20"], "there is no setting 'tick'"),
        (["up", "--speed", "0"], "0.0 is not in the range"),
        (["watch", "b", "--limit", "7"], "'7' is not one of"),
    ],
)
def test_a_mistake_is_named(arguments: list[str], reason: str) -> None:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert reason in result.output


def test_a_negative_score_is_a_score(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["submit", "b", "p", "-5", "--data-dir", str(tmp_path)])
    assert isinstance(result.exception, NoService)


def test_a_token_is_printed_alone(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["token", "--role", "server", "--data-dir", str(tmp_path)])
    assert result.exit_code == 0
    assert len(result.stdout.split(".")) == 3
    assert result.stdout.count("\n") == 1


def test_a_token_of_a_folder_that_is_not_there_makes_none(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["token", "--role", "server", "--data-dir", str(tmp_path / "typo")])
    assert isinstance(result.exception, NoService)
    assert not (tmp_path / "typo").exists()


def test_a_command_waits_for_nothing_that_only_others_need() -> None:
    program = "import sys, infra.cli.main as m; m.cli.get_command(None, 'top'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "httpx" in loaded
    assert not {"boto3", "asyncpg", "redis", "websockets", "structlog"} & set(loaded)


def test_for_a_name_that_is_none_the_nearest_is_proposed() -> None:
    result = CliRunner().invoke(cli, ["wacth"])
    assert result.exit_code == 2
    assert "watch" in result.output
