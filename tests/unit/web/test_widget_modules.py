"""The widget's one script: all that it needs is asked for in one step, however far from the service the page is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.web_tools import WEB

if TYPE_CHECKING:
    from pathlib import Path

WIDGET = WEB / "widget" / "live-leaderboard.js"


def imported(module: Path) -> set[Path]:
    found = re.findall(r'^import\s[^;]*?"(\.[^"]+)";', module.read_text(), re.MULTILINE)
    return {(module.parent / path).resolve() for path in found}


def test_every_module_is_named_by_the_first() -> None:
    at_once = imported(WIDGET)
    assert len(at_once) > 20
    for module in at_once:
        assert imported(module) <= at_once, module
