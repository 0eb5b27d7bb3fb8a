"""The functions' package for this machine, made once a run, whichever of its processes needs it first: what it is for Lambda,
with wheels for another platform.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from infra.deploy import bundle


@pytest.fixture(scope="session")
def functions(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> bundle.Bundle:
    """Our code and its dependencies, for the Python that runs the tests."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "functions"
    folder.mkdir(exist_ok=True)
    known = folder / "bundle.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not known.exists():
            known.write_text(json.dumps(asdict(bundle.build(folder, bundle.HERE)), default=str))
    made = json.loads(known.read_text())
    return bundle.Bundle(**made | {"path": Path(made["path"])})


@pytest.fixture
def packaging(functions: bundle.Bundle) -> Callable[[Path], bundle.Bundle]:
    """What `bundle.build` is, without the half minute."""

    def build(folder: Path) -> bundle.Bundle:
        return replace(functions, path=Path(shutil.copy(functions.path, folder)))

    return build
