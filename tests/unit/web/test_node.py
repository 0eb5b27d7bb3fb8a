"""The browser's modules under Node's own test runner. The Node is Playwright's, so that none has to be installed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

SUITES = sorted(Path(__file__).parent.glob("*.test.mjs"))


@pytest.mark.parametrize("suite", SUITES, ids=[suite.name for suite in SUITES])
def test_a_suite_of_the_browsers_modules_passes(suite: Path) -> None:
    node, _ = compute_driver_executable()
    ran = subprocess.run([node, "--test", suite], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"\bpass [1-9]", ran.stdout), ran.stdout
