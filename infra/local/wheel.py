"""Finds the programs that came as wheels, without importing the wheels: their Python side is not used."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from infra.local.errors import LocalStackError


def wheel_folder(package: str, what: str) -> Path:
    """The folder of an installed package. Raises LocalStackError, naming `what`, when it is not installed."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise LocalStackError(f"{what} is not installed: pip install 'rankcast[local]'")
    return Path(spec.origin).parent
