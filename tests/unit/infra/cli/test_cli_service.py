from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from jose import jwt

from infra.cli.service import NoService, Service, with_service
from infra.local.record import Recorded, StackRecord
from realtime.core.identity import Role


@click.command()
@with_service
def show(service: Service) -> None:
    click.echo(f"{service.data_dir} {service.given_url} {service.given_token}")


def record(pid: int, *, ready: bool = True) -> StackRecord:
    return StackRecord(supervisor=Recorded.of("supervisor", pid), ready=ready, urls=("http://127.0.0.1:7",))


def test_a_command_means_the_usual_folder_unless_told_otherwise() -> None:
    assert CliRunner().invoke(show, []).output == ".rankcast None None\n"
    arguments = ["--data-dir", "x", "--url", "http://y", "--token", "z"]
    assert CliRunner().invoke(show, arguments).output == "x http://y z\n"
    environ = {"RANKCAST_DATA_DIR": "x", "RANKCAST_URL": "http://y", "RANKCAST_TOKEN": "z"}
    assert CliRunner().invoke(show, [], env=environ).output == "x http://y z\n"


def test_an_address_given_by_hand_goes_before_the_folder(tmp_path: Path) -> None:
    assert Service(tmp_path, "https://scores.example", None).url == "https://scores.example"
    assert Service(tmp_path, "scores.example:80", None).url == "http://scores.example:80"


def test_the_folder_knows_where_its_service_is(tmp_path: Path) -> None:
    record(os.getpid()).write(tmp_path)
    assert Service(tmp_path, None, None).url == "http://127.0.0.1:7"


def test_a_folder_without_a_service_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(NoService, match=r"no service runs in .*: start one with `rankcast up`"):
        _ = Service(tmp_path / "nothing", None, None).url


def test_a_folder_whose_service_was_killed_has_none(tmp_path: Path) -> None:
    gone = StackRecord(supervisor=Recorded("supervisor", os.getpid(), 1.0), ready=True, urls=("http://127.0.0.1:7",))
    gone.write(tmp_path)
    with pytest.raises(NoService, match="no service runs"):
        _ = Service(tmp_path, None, None).url


def test_a_service_that_is_still_starting_says_so(tmp_path: Path) -> None:
    record(os.getpid(), ready=False).write(tmp_path)
    with pytest.raises(NoService, match="still starting"):
        _ = Service(tmp_path, None, None).url


def test_a_folder_signs_tokens_and_another_service_gets_only_what_is_given(tmp_path: Path) -> None:
    token = Service(tmp_path, None, None).token(Role.ADMIN)
    assert token is not None
    assert jwt.get_unverified_claims(token)["cognito:groups"] == ["rankcast-admins"]
    assert Service(tmp_path, None, "mine").token(Role.ADMIN) == "mine"
    assert Service(tmp_path, "http://x", None).token(Role.ADMIN) is None
    assert Service(tmp_path, "http://x", "mine").token(Role.ADMIN) == "mine"
