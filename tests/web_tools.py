"""Node, and the tools from npm that look at the browser's modules. They live under `.emulators/node`, made by `make web-tools`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

WEB = Path(__file__).parent.parent / "web"
_MODULES = Path(__file__).parent.parent / ".emulators" / "node" / "node_modules"
_TOOLS = _MODULES / ".bin"
AXE = _MODULES / "axe-core" / "axe.min.js"
"""A script that looks for what keeps people out of a page."""


def node() -> str:
    """Playwright's own Node, so that none has to be installed."""
    executable: str = compute_driver_executable()[0]
    return executable


def run(name: str, *arguments: str | Path, cwd: Path) -> str:
    """What `tsc`, `esbuild` or `npm` writes. It must succeed; the test is skipped where the tool is missing."""
    path = shutil.which("npm") if name == "npm" else _TOOLS / name
    if path is None or not Path(path).exists():
        pytest.skip(f"{name} is missing: make web-tools")
    environ = os.environ if name == "npm" else os.environ | {"PATH": f"{Path(node()).parent}:{os.environ['PATH']}"}
    ran = subprocess.run(
        [path, *arguments], cwd=cwd, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
