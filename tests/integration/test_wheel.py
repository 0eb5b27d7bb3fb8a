"""The steps of the Dockerfile's build stage by hand: what it copies, made into a wheel, and what is in that."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.deploy.image import copied

pytestmark = pytest.mark.timeout(240)
NOT_INSTALLED = (".c", ".h", ".md", ".map")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns("__pycache__", "*.py[cod]", "*.so", "node_modules")
    for name in copied(Path("Dockerfile").read_text()):
        if Path(name).is_dir():
            shutil.copytree(name, source / name, ignore=ignored)
        else:
            shutil.copy(name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=220, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = out.glob("rankcast-*.whl")
    return made


def test_everything_that_a_process_reads_is_installed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    listed = subprocess.run(
        ["git", "ls-files", "realtime", "api", "workers", "infra", "web"],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    wanted = {
        line
        for line in listed.stdout.splitlines()
        # Gone from the tree while this runs, or nothing that is read at run time.
        if Path(line).exists() and not line.endswith(NOT_INSTALLED) and not line.endswith((".conf", "compose.yaml"))
    }
    wanted = {line for line in wanted if line.rpartition("/")[2] not in {"LICENSE", "package.json", "tsconfig.json"}}
    assert wanted - names == set()


def test_the_migrations_are_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "infra/sql/migrations/0001_schema.sql" in names
    assert "infra/aws/rankcast.yaml" in names


def test_the_extension_is_built_where_there_is_a_compiler(wheel: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("a C compiler is missing")
    with zipfile.ZipFile(wheel) as archive:
        assert [name for name in archive.namelist() if name.startswith("realtime/gateway/_speedups.")]
