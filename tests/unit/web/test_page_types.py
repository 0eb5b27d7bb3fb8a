"""The pages' modules, as their types say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web_tools import WEB, run

STRICT = ["--strict", "--noEmit", "--allowJs", "--checkJs", "--target", "es2023", "--module", "nodenext"]
STRICT += ["--lib", "es2023,dom,dom.iterable,dom.asynciterable"]
FOLDERS = ["page", "widget", "overlay", "console"]


def test_the_modules_of_the_pages_are_as_their_types_say() -> None:
    modules = [module for folder in FOLDERS for module in sorted((WEB / folder).glob("*.js"))]
    run("tsc", *STRICT, WEB / "app.js", *modules, cwd=Path(__file__).parent)


def test_a_defect_of_types_in_a_module_is_found(tmp_path: Path) -> None:
    broken = (WEB / "page" / "meter.js").read_text().replace("this.#values.push(value)", 'this.#values.push("1")')
    (tmp_path / "meter.js").write_text(broken)
    with pytest.raises(AssertionError, match="not assignable"):
        run("tsc", *STRICT, tmp_path / "meter.js", cwd=tmp_path)
