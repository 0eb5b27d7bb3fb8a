from __future__ import annotations

import struct
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from infra.deploy import bundle
from infra.deploy.errors import BundleTooLarge, PackagingFailed

# pip brings sixty megabytes, each time; on a machine that is busy otherwise that takes its time.
pytestmark = pytest.mark.timeout(300)
AARCH64 = 183
"""e_machine of ELF for 64-bit ARM."""


@pytest.fixture(scope="module")
def root(functions: bundle.Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("functions")
    with zipfile.ZipFile(functions.path) as archive:
        archive.extractall(folder)
    return folder


def alone(root: Path, program: str) -> subprocess.CompletedProcess[str]:
    """A program in an interpreter that sees the package and the standard library, nothing that is installed here."""
    script = f"import sys; sys.path.insert(0, {str(root)!r})\n{program}"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, timeout=50, check=False
    )


def test_functions_and_adapters_stand_on_the_package_alone(root: Path) -> None:
    ours = sorted(
        ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for package in ("infra", "workers")
        for file in (root / package).rglob("*.py")
    )
    assert "workers.process" in ours
    done = alone(root, f"import importlib\nfor name in {ours!r}: importlib.import_module(name)")
    assert done.returncode == 0, done.stderr


def test_what_functions_read_is_in_the_package_and_what_they_do_not_is_not(functions: bundle.Bundle) -> None:
    with zipfile.ZipFile(functions.path) as archive:
        names = archive.namelist()
    assert "infra/lua/apply.lua" in names
    assert "infra/sql/migrations/0001_schema.sql" in names
    assert not [name for name in names if name.startswith(("bin/", "infra/cli/", "realtime/gateway/"))]
    assert not [name for name in names if "__pycache__" in name]


def test_every_service_that_functions_call_can_be_called(root: Path) -> None:
    calls = "\n".join(
        f"boto3.client({service!r}, region_name='eu-west-1', aws_access_key_id='a', aws_secret_access_key='b')"
        for service in sorted(bundle.SERVICES)
    )
    done = alone(root, f"import boto3\n{calls}")
    assert done.returncode == 0, done.stderr


def test_the_same_input_makes_the_same_bytes(functions: bundle.Bundle, root: Path, tmp_path: Path) -> None:
    # Out of the package's own copy of our code: the tree may have been edited meanwhile.
    assert bundle.build(tmp_path, bundle.HERE, source=root).sha256 == functions.sha256


def test_for_lambda_it_is_made_of_code_for_arm_and_python_3_13(tmp_path: Path) -> None:
    made = bundle.build(tmp_path, bundle.LAMBDA)
    with zipfile.ZipFile(made.path) as archive:
        extensions = [name for name in archive.namelist() if name.endswith(".so")]
        for name in extensions:
            head = archive.read(name)[:20]
            assert head[:4] == b"\x7fELF"
            assert struct.unpack("<H", head[18:20]) == (AARCH64,), name
            assert "cpython-313-" in name or ".abi3." in name, name
        assert sum(one.file_size for one in archive.infolist()) == made.unpacked < bundle.MOST_UNPACKED
    assert len(extensions) > 5
    assert made.size < 50 * 2**20


def test_functions_run_the_versions_that_were_tested_here() -> None:
    assert f"asyncpg=={metadata.version('asyncpg')}" in bundle.requirements()
    assert f"python-jose[cryptography]=={metadata.version('python-jose')}" in bundle.requirements()
    assert f"opentelemetry-sdk=={metadata.version('opentelemetry-sdk')}" in bundle.requirements()
    assert not [one for one in bundle.requirements() if one.startswith(("uvicorn", "rich"))]
    assert f"botocore=={metadata.version('botocore')}" in bundle.constraints()


def test_another_content_has_another_name(tmp_path: Path) -> None:
    one, other = (bundle.Bundle(tmp_path, digest * 64, 1, 1) for digest in "ab")
    assert one.key == f"functions/{'a' * 32}.zip" != other.key


def test_a_wheel_that_there_is_not_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "requirements", lambda: ["asyncpg==0.0.1"])
    monkeypatch.setattr(bundle, "constraints", list)
    with pytest.raises(PackagingFailed, match=r"asyncpg==0\.0\.1"):
        bundle.build(tmp_path, bundle.LAMBDA)
    assert not list(tmp_path.iterdir())


def test_a_package_larger_than_lambda_takes_is_refused_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "requirements", lambda: ["msgpack"])
    monkeypatch.setattr(bundle, "MOST_UNPACKED", 1_000)
    with pytest.raises(BundleTooLarge, match=r"Lambda takes 1,000"):
        bundle.build(tmp_path, bundle.HERE)
