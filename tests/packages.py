"""The functions' package for this machine, made once a run: what it is for Lambda, with wheels for another platform."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infra.deploy import bundle


@pytest.fixture(scope="session")
def functions() -> Iterator[bundle.Bundle]:
    """Our code and its dependencies, for the Python that runs the tests."""
    with tempfile.TemporaryDirectory(prefix="rankcast-functions-") as folder:
        yield bundle.build(Path(folder), bundle.HERE)


@pytest.fixture
def packaging(functions: bundle.Bundle) -> Callable[[Path], bundle.Bundle]:
    """What `bundle.build` is, without the half minute."""

    def build(folder: Path) -> bundle.Bundle:
        return replace(functions, path=Path(shutil.copy(functions.path, folder)))

    return build
