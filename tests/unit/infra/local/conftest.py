from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a server's data. Not pytest's own: another session of root closes that one to the server's user."""
    with tempfile.TemporaryDirectory(prefix="rankcast-test-") as path:
        yield Path(path)


@pytest.fixture(scope="module")
def shared_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rankcast-test-") as path:
        yield Path(path)
