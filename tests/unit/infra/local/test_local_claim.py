from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra.local.claim import Claim
from infra.local.errors import FolderBusy, FolderInvalid

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys, time
from pathlib import Path
from infra.local.claim import Claim
claim = Claim(Path(sys.argv[1]), "it")
print("held", flush=True)
time.sleep(60)
"""


def test_one_has_it_until_it_is_released(tmp_path: Path) -> None:
    claim = Claim(tmp_path / "lock", "the folder")
    with pytest.raises(FolderBusy, match=r"^the folder is in use by another process$"):
        Claim(tmp_path / "lock", "the folder")
    claim.release()
    Claim(tmp_path / "lock", "the folder").release()


def test_a_holder_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(FolderBusy):
            Claim(tmp_path / "lock", "the folder")
        holder.kill()
    Claim(tmp_path / "lock", "the folder").release()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(FolderInvalid, match=r"^the folder cannot be used: No such file or directory$"):
        Claim(tmp_path / "nowhere" / "lock", "the folder")
