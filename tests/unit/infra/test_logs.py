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
    before = logging.root.handlers[:]
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = before


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
