from __future__ import annotations

from io import StringIO

import pytest
from click.testing import CliRunner
from rich.console import Console

from infra.cli.deploy import Terminal, changes_table
from infra.cli.main import cli
from infra.deploy.events import Event
from infra.deploy.stack import Change, Proposal

CHANGES = (
    Change("Add", "Queue", "Refresh", "AWS::SQS::Queue", replaced=False),
    Change("Modify", "Data", "Database", "AWS::RDS::DBCluster", replaced=True, why=("EngineVersion",)),
)


def shown(*what: object) -> str:
    out = StringIO()
    console = Console(file=out, width=120)
    for one in what:
        console.print(one)
    return out.getvalue()


def test_a_change_says_what_it_does_to_what_and_whether_that_is_made_anew() -> None:
    text = shown(changes_table("rankcast", CHANGES))
    lines = [line.split() for line in text.splitlines()]
    assert ["Add", "Queue/Refresh", "SQS::Queue"] in lines
    assert ["Modify", "Data/Database", "RDS::DBCluster", "made", "anew;", "EngineVersion"] in lines


def test_nobody_to_ask_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    proposal = Proposal("rankcast", "c", creates=False, changes=CHANGES)
    monkeypatch.setattr("click.confirm", lambda *_, default, **__: default)
    assert Terminal(Console(file=StringIO()), ask=True).approves(proposal) is False
    assert Terminal(Console(file=StringIO()), ask=False).approves(proposal) is True


def test_progress_counts_each_resource_once_and_prints_what_fails() -> None:
    out = StringIO()
    terminal = Terminal(Console(file=out, width=160, force_terminal=True, highlight=False), ask=False)
    with terminal.following(Proposal("rankcast", "c", creates=False, changes=CHANGES)) as tell:
        for _ in range(2):
            tell(Event("Queue", "Refresh", "AWS::SQS::Queue", "CREATE_COMPLETE", ""))
        tell(Event("", "rankcast", "AWS::CloudFormation::Stack", "UPDATE_COMPLETE", ""))
        tell(Event("Data", "Database", "AWS::RDS::DBCluster", "UPDATE_FAILED", "no [such] class"))
    assert "1/2" in out.getvalue()
    assert "2/2" not in out.getvalue()
    assert "Data/Database: no [such] class" in out.getvalue()


def test_a_parameter_is_a_name_and_a_value() -> None:
    result = CliRunner().invoke(cli, ["deploy", "--set", "MaxNodes"])
    assert result.exit_code == 2
    assert "'MaxNodes' is not NAME=VALUE" in result.output
