from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest
from click.testing import CliRunner

from infra.cli.main import cli
from infra.cli.rest import Rest
from infra.cli.service import Service

LETTERS: dict[str, Any] = {
    "dead_letters": [
        {"id": "row:81", "reason": "no changes", "at": "2026-01-31T12:00:00.000Z", "rows": [81, 82], "size": 4120},
        {"id": "message:a", "reason": "unknown format", "at": "2026-01-31T12:00:01.000Z", "rows": [], "size": 7},
    ]
}
NONE: dict[str, Any] = {"dead_letters": []}


def run(monkeypatch: pytest.MonkeyPatch, answer: object, *arguments: str) -> tuple[httpx.Request, Any]:
    """What the command asks of the service, and what it says of the answer."""
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=answer)

    def rest(service: Service, _: object) -> Rest:
        return Rest(service.url, "t", httpx.MockTransport(handler))

    monkeypatch.setattr(Service, "rest", rest)
    environ = {"COLUMNS": "160"}
    result = CliRunner().invoke(cli, ["dead-letters", *arguments, "--url", "http://service"], env=environ)
    assert result.exit_code == 0, result.output
    return asked[0], result


def test_a_list_names_each_with_its_rows_and_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    request, result = run(monkeypatch, LETTERS, "list", "--limit", "5")
    assert (request.method, request.url.path, request.url.query) == ("GET", "/v1/dead-letters", b"limit=5")
    first, second = result.stdout.splitlines()[-2:]
    assert first.split() == ["row:81", "2026-01-31T12:00:00.000Z", "81,", "82", "4,120", "no", "changes"]
    assert "message:a" in second
    assert "unknown format" in second


def test_a_list_can_be_had_as_it_was_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    _, result = run(monkeypatch, LETTERS, "list", "--json")
    assert orjson.loads(result.stdout) == LETTERS


def test_none_is_said_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    _, result = run(monkeypatch, NONE, "list")
    assert (result.stdout, result.stderr) == ("", "there are none\n")


def test_a_redrive_says_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    request, result = run(monkeypatch, {"rows": 1200, "moved": 1, "dropped": 2}, "redrive")
    assert (request.method, request.url.path) == ("POST", "/v1/dead-letters/redrive")
    assert result.stdout == "1,200 rows set free, 1 message put back, 2 thrown away as copies\n"
