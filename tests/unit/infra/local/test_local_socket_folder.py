from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from infra.local.errors import FolderInvalid
from infra.local.process import Account
from infra.local.socket_folder import LONGEST, SOCKET_NAME, socket_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


def long(tmp_path: Path) -> Path:
    return tmp_path / ("x" * 100) / "pg"


def test_a_short_path_holds_its_own_socket() -> None:
    assert socket_folder(Path("/short/pg"), None) == Path("/short/pg")


def test_a_long_path_has_its_socket_elsewhere_always_at_the_same_place(tmp_path: Path, temporary: Path) -> None:
    found = socket_folder(long(tmp_path), None)
    assert found.parent == temporary
    assert socket_folder(long(tmp_path), None) == found
    assert socket_folder(long(tmp_path) / "other", None) != found
    assert found.stat().st_mode & 0o777 == 0o700
    assert len(f"/tmp/{found.name}/{SOCKET_NAME}") <= LONGEST  # noqa: S108 - where it is outside of this test


def test_a_comma_would_make_two_places_of_one(temporary: Path) -> None:
    assert socket_folder(Path("/a,b"), None).parent == temporary


def test_a_place_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    socket_folder(long(tmp_path), None).chmod(0o755)
    with pytest.raises(FolderInvalid, match="is somebody else's"):
        socket_folder(long(tmp_path), None)


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    place = socket_folder(long(tmp_path), None)
    place.rmdir()
    (tmp_path / "trap").mkdir(mode=0o700)
    place.symlink_to(tmp_path / "trap")
    with pytest.raises(FolderInvalid, match="is somebody else's"):
        socket_folder(long(tmp_path), None)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives folders away")
def test_the_place_belongs_to_the_servers_user(tmp_path: Path) -> None:
    found = socket_folder(long(tmp_path), Account("daemon", 1, 1))
    assert found.stat().st_uid == 1
    assert socket_folder(long(tmp_path), Account("daemon", 1, 1)) == found
