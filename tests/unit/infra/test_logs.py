from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest
import structlog

from infra import logs

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.root.handlers[:] = before
    logging.root.setLevel(level)


def test_a_line_is_one_json_object_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    structlog.get_logger().info("rebuilt", board=7)
    structlog.get_logger().debug("not this")
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert json.loads(line).items() >= {"event": "rebuilt", "board": 7, "level": "info"}.items()


def test_an_exception_is_part_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    structlog.get_logger().critical("a background task died", exc_info=ZeroDivisionError("by zero"))
    (line,) = capsys.readouterr().err.splitlines()
    assert "ZeroDivisionError: by zero" in json.loads(line)["exception"]


def test_what_libraries_warn_of_is_json_too_with_its_exception(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logging.getLogger("library").info("not this")
    logging.getLogger("library").error("failed for %s", "ada", exc_info=ZeroDivisionError("by zero"))
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert said.items() >= {"event": "failed for ada", "level": "error", "logger": "library"}.items()
    assert said["exception"].endswith("ZeroDivisionError: by zero")
    assert "timestamp" in said


def test_what_is_bound_to_the_context_is_in_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    structlog.contextvars.bind_contextvars(trace_id="1-a-b")
    structlog.get_logger().info("ours")
    logging.getLogger("library").warning("theirs")
    assert [json.loads(line)["trace_id"] for line in capsys.readouterr().err.splitlines()] == ["1-a-b"] * 2


def test_what_is_no_json_is_shown_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    structlog.get_logger().info("odd", what={1, 2}, raw=b"\xff", error=ZeroDivisionError("x"), big=2**70)
    said = json.loads(capsys.readouterr().err)
    assert (said["what"], said["error"]) == ("{1, 2}", "ZeroDivisionError('x')")
