"""The Dockerfile read as instructions: there is no engine here that could build it. What it copies is built as a wheel in test_wheel.py."""

from __future__ import annotations

import json
import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

from infra.settings import Settings
from tests.emulators import tool

DOCKERFILE = Path("Dockerfile")


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", DOCKERFILE.read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [(word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in lines)]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, rest))
    return found


def last(word: str) -> list[str]:
    return [rest for one, rest in stages()[-1] if one == word]


def test_hadolint_finds_nothing() -> None:
    found = subprocess.run(
        [tool("checkov", "hadolint"), str(DOCKERFILE)], capture_output=True, text=True, timeout=50, check=False
    )
    assert (found.stdout, found.returncode) == ("", 0)
    # What is passed over is passed over for a reason.
    assert DOCKERFILE.read_text().count("hadolint ignore") == 1


def test_what_builds_is_not_what_runs() -> None:
    build, run = stages()
    assert build[0] == ("FROM", "python:${PYTHON}-slim AS build")
    assert run[0] == ("FROM", "python:${PYTHON}-slim")
    assert "gcc" in json.dumps(build)
    assert not [rest for word, rest in run if word == "RUN" and ("apt-get" in rest or "pip" in rest)]
    assert [rest for word, rest in run if word == "COPY"] == ["--from=build /opt/rankcast /opt/rankcast"]


def test_the_lists_of_packages_are_not_left_behind() -> None:
    for word, rest in instructions():
        if word == "RUN" and "apt-get install" in rest:
            assert "--no-install-recommends" in rest
            assert rest.endswith("rm -rf /var/lib/apt/lists/*")


def test_it_runs_as_a_user_by_number_who_is_not_root() -> None:
    (user,) = last("USER")
    assert int(user) > 0
    assert f"--uid {user}" in " ".join(last("RUN"))
    # Nothing is run or copied as that user: what it runs, it cannot change.
    after = [word for word, _ in stages()[-1]][[word for word, _ in stages()[-1]].index("USER") :]
    assert set(after) <= {"USER", "EXPOSE", "HEALTHCHECK", "CMD"}


def test_its_health_is_what_a_load_balancer_asks() -> None:
    (check,) = last("HEALTHCHECK")
    assert "/readyz" in check
    command = json.loads(check.partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "healthcheck", "exec")


@pytest.mark.parametrize("word", ["CMD", "HEALTHCHECK"])
def test_no_shell_stands_before_the_process_that_gets_the_signals(word: str) -> None:
    (rest,) = last(word)
    assert json.loads(rest[rest.index("[") :])


def test_a_node_is_what_it_runs_unless_told_otherwise() -> None:
    assert json.loads(last("CMD")[0]) == ["python", "-m", "api"]
    environ = dict(pair.split("=", 1) for rest in last("ENV") for pair in rest.split())
    settings = {name: value for name, value in environ.items() if name.startswith("RANKCAST_")}
    required = {f"RANKCAST_{name}": "x" for name in ("DATABASE_URL", "REDIS_URL", "ISSUER", "JWKS_URL")}
    assert Settings.load(required | settings).host == "0.0.0.0"  # noqa: S104 - the container's own
    assert last("EXPOSE") == [settings["RANKCAST_PORT"]]


def test_nothing_secret_is_in_it() -> None:
    for word, rest in instructions():
        assert word != "ADD"
        assert not re.search(r"(?i)(password|secret|token|key)=", rest), rest


def copied() -> list[str]:
    return [name for word, rest in stages()[0] if word == "COPY" for name in rest.split()[:-1]]


def test_what_it_copies_is_there_and_is_sent_to_the_builder() -> None:
    ignore = [line for line in Path(".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    for name in copied():
        assert Path(name).exists(), name
        assert f"!{name}" in ignore
    assert ignore[0] == "*"
    assert {line.removeprefix("!") for line in ignore if line.startswith("!")} == set(copied())


def test_what_a_build_leaves_about_is_not_sent() -> None:
    patterns = [
        line.removeprefix("**/") for line in Path(".dockerignore").read_text().splitlines() if line.startswith("**/")
    ]
    for name in ("a.pyc", "_speedups.cpython-311-x86_64-linux-gnu.so", "__pycache__", "node_modules"):
        assert any(fnmatch(name, pattern) for pattern in patterns), name


def test_every_tracked_package_is_copied() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*/__init__.py"], capture_output=True, text=True, timeout=20, check=True
    )
    top = {line.partition("/")[0] for line in listed.stdout.split()}
    assert top <= set(copied())
