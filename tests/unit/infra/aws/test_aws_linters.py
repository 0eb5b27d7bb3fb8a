"""What cfn-lint and checkov say of the templates."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.emulators import tool
from tests.templates import ANSWERS, FOLDER, templates

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)


def _run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # No look at the network: neither has anything to fetch.
    environ = {"PATH": os.defpath, "HOME": os.environ.get("HOME", "/tmp"), "PYTHONWARNINGS": "ignore"}  # noqa: S108
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, env=environ)


def test_cfn_lint_has_nothing_to_say() -> None:
    run = _run(tool("checkov", "cfn-lint"), "--regions", "us-east-1", "eu-central-1", "--", *_files())
    assert (run.stdout, run.returncode) == ("", 0), run.stdout + run.stderr


def test_every_check_that_is_ignored_has_its_reason_above_it() -> None:
    for path in FOLDER.glob("*.yaml"):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            ignored = re.findall(r"[EWI]\d{4}", line) if "ignore_checks" in line else []
            for check in ignored:
                assert re.fullmatch(rf"\s*# .*{check}, .{{30,}}", lines[number - 1]), f"{path.name}: {check}"


def test_each_finding_of_checkov_is_answered_and_each_answer_has_its_finding() -> None:
    run = _run(
        tool("checkov", "checkov"),
        *("--framework", "cloudformation", "--output", "json", "--compact", "--quiet", "--skip-download"),
        *(argument for file in _files() for argument in ("--file", file)),
    )
    report = json.loads(run.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 200, "checkov has hardly looked at anything"
    found: dict[str, set[str]] = defaultdict(set)
    for finding in report["results"]["failed_checks"]:
        found[finding["check_id"]].add(finding["resource"].split("::")[-1])
    answers = yaml.safe_load((FOLDER / ANSWERS).read_text())
    assert {check: sorted(where) for check, where in found.items()} == {
        check: sorted(answer["where"]) for check, answer in answers.items()
    }
    assert all(len(answer["why"]) > 40 for answer in answers.values())


def _files() -> list[str]:
    return [str(FOLDER / name) for name in templates()]
