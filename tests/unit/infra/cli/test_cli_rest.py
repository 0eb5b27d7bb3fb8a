from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from infra.cli.rest import ProblemAnswered, Rest, ServiceUnreachable

Handler = Callable[[httpx.Request], httpx.Response]


def rest(handler: Handler, token: str | None = None) -> Rest:
    return Rest("http://127.0.0.1:1/", token, httpx.MockTransport(handler))


def problem(status: int, code: str, detail: str = "") -> httpx.Response:
    return httpx.Response(status, json={"status": status, "code": code, "detail": detail})


async def test_a_call_carries_the_token_and_reads_the_answer() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert (request.method, str(request.url)) == ("GET", "http://127.0.0.1:1/v1/boards/b/top?limit=3&offset=6")
        assert request.headers["authorization"] == "Bearer secret"
        return httpx.Response(200, json={"entries": []})

    async with rest(handler, "secret") as service:
        assert await service.top("b", 3, 6) == {"entries": []}


async def test_without_a_token_nothing_is_said_of_one() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert "authorization" not in request.headers
        return httpx.Response(200, json={"boards": [{"board": "b"}]})

    async with rest(handler) as service:
        assert await service.boards() == [{"board": "b"}]


async def test_a_boards_name_cannot_leave_its_place_in_the_path() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.raw_path == b"/v1/boards/..%2Fplayers%3Fx"
        return httpx.Response(204)

    async with rest(handler) as service:
        await service.delete_board("../players?x")


async def test_a_problem_is_one_line_with_its_code() -> None:
    async with rest(lambda _: problem(404, "board_unknown", "there is no board 'x'")) as service:
        with pytest.raises(ProblemAnswered, match=r"^there is no board 'x' \(board_unknown\)$") as caught:
            await service.board("x")
    assert (caught.value.status, caught.value.problem) == (404, "board_unknown")


@pytest.mark.parametrize(
    "response",
    [httpx.Response(502, text="<html>bad gateway"), httpx.Response(500, json=[]), httpx.Response(404, json={})],
)
async def test_a_failure_that_is_no_problem_document_asks_whether_it_is_rankcast(response: httpx.Response) -> None:
    async with rest(lambda _: response) as service:
        with pytest.raises(ServiceUnreachable, match=rf"answers {response.status_code} .* is it Rankcast"):
            await service.boards()


async def test_an_answer_that_is_not_json_is_no_answer_of_rankcast() -> None:
    async with rest(lambda _: httpx.Response(200, text="hello")) as service:
        with pytest.raises(ServiceUnreachable, match="does not answer as Rankcast does"):
            await service.boards()


async def test_an_address_where_nothing_listens_is_named() -> None:
    async with Rest("http://127.0.0.1:9") as service:
        with pytest.raises(ServiceUnreachable, match=r"nothing answers at http://127.0.0.1:9"):
            await service.boards()


async def test_a_service_that_does_not_answer_in_time_is_named() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("", request=request)

    async with rest(handler) as service:
        with pytest.raises(ServiceUnreachable, match="does not answer in time"):
            await service.boards()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.cli.rest.full_jitter", lambda _attempt, _chance: 0.0)


@pytest.mark.usefixtures("at_once")
async def test_a_batch_with_a_key_is_sent_again_while_the_service_is_away() -> None:
    answers = iter(
        [
            problem(503, "overloaded"),
            problem(429, "slow_down"),
            httpx.Response(200, json={"results": [{"seq": 1}]}),
        ]
    )
    keys = []

    def handler(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        assert orjson.loads(request.content) == [{"player": "a", "score": 1}, None]
        return next(answers)

    async with rest(handler) as service:
        rows: list[Any] = [{"player": "a", "score": 1}, None]
        assert await service.submit_batch("b", rows, "key-1") == [{"seq": 1}]
    assert keys == ["key-1"] * 3


@pytest.mark.usefixtures("at_once")
async def test_a_batch_without_a_key_is_sent_once() -> None:
    calls = []

    def handler(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return problem(503, "overloaded")

    async with rest(handler) as service:
        with pytest.raises(ProblemAnswered):
            await service.submit_batch("b", [])
    assert len(calls) == 1


@pytest.mark.usefixtures("at_once")
async def test_a_batch_that_is_refused_is_not_sent_again() -> None:
    calls = []

    def handler(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return problem(403, "forbidden")

    async with rest(handler) as service:
        with pytest.raises(ProblemAnswered):
            await service.submit_batch("b", [], "key-1")
    assert len(calls) == 1


@pytest.mark.usefixtures("at_once")
async def test_a_service_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.cli.rest.PATIENCE", 0.01)
    async with rest(lambda _: problem(503, "overloaded", "too much")) as service:
        with pytest.raises(ProblemAnswered, match="too much"):
            await service.submit_batch("b", [], "key-1")
