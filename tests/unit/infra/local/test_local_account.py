from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from infra.local.account import open_the_way, server_account

if TYPE_CHECKING:
    from pathlib import Path

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone changes users")


def test_an_ordinary_user_runs_the_server_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert server_account(tmp_path) is None


@as_root
def test_root_has_a_user_for_it(tmp_path: Path) -> None:
    account = server_account(tmp_path / "new")
    assert account is not None
    assert account.uid != 0
    assert server_account(tmp_path / "new") == account


@as_root
def test_data_that_is_there_keeps_its_owner(tmp_path: Path) -> None:
    os.chown(tmp_path, 54321, 54321)
    account = server_account(tmp_path)
    assert account is not None
    assert (account.name, account.uid, account.gid) == ("54321", 54321, 54321)


def test_the_way_to_a_folder_can_be_passed_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "closed" / "pg").mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    open_the_way(tmp_path / "closed" / "pg")
    assert stat.S_IMODE((tmp_path / "closed").stat().st_mode) == 0o701
