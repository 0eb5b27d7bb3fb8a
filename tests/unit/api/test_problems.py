from __future__ import annotations

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from api import problems
from realtime.core import errors


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.FieldInvalid(), 400),
        (errors.BodyTooLarge(), 413),
        (errors.ScoreNan(), 422),
        (errors.SumOverflow(), 422),
        (errors.IdempotencyMismatch(), 422),
        (errors.BoardUnknown(), 404),
        (errors.PlayerUnknown(), 404),
        (errors.BoardHasEntries(), 409),
        (errors.Unauthenticated(), 401),
        (errors.Forbidden(), 403),
        (errors.TopicsExceeded(), 429),
        (errors.NotYet(), 503),
        (errors.RankingRefused("missing"), 503),
        (errors.BoardChanged(), 503),
        (errors.VersionGap(), 500),
        (errors.SettingInvalid(), 500),
        (errors.RankcastError(), 500),
    ],
)
def test_an_error_has_the_status_of_its_nearest_kind(error: errors.RankcastError, status: int) -> None:
    response = problems.respond(error)
    assert response.status_code == status
    assert response.media_type == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    document = orjson.loads(bytes(response.body))
    assert (document["status"], document["code"]) == (status, error.code)


def test_a_problem_says_what_is_wrong_to_people_where_there_is_something_to_say() -> None:
    assert problems.problem(errors.BoardUnknown("there is no board 'x'")) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "code": "board_unknown",
        "detail": "there is no board 'x'",
    }
    assert "detail" not in problems.problem(errors.BoardUnknown())


def test_who_is_not_known_is_told_how_to_say_it_and_who_came_too_early_when_to_return() -> None:
    assert problems.respond(errors.Unauthenticated()).headers["www-authenticate"] == 'Bearer realm="rankcast"'
    assert problems.respond(errors.Overloaded()).headers["retry-after"] == "1"
    plain = problems.respond(errors.Forbidden())
    assert "www-authenticate" not in plain.headers
    assert "retry-after" not in plain.headers


async def broken(_: Request) -> PlainTextResponse:
    raise ZeroDivisionError("the secret")


async def refused(_: Request) -> PlainTextResponse:
    raise HTTPException(418, headers={"X-Pot": "tea"})


async def fine(_: Request) -> PlainTextResponse:
    return PlainTextResponse("fine")


@pytest.fixture
def caller() -> httpx.AsyncClient:
    app = Starlette(
        routes=[
            Route("/broken", broken),
            Route("/refused", refused),
            Route("/{thing}", fine),
            Route("/{thing}", fine, methods=["PUT"]),
        ],
        exception_handlers={HTTPException: problems.on_http_error, Exception: problems.on_crash},
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def test_a_defect_tells_nothing_of_itself(caller: httpx.AsyncClient) -> None:
    answer = await caller.get("/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text


async def test_what_the_router_refuses_is_a_problem_with_its_headers(caller: httpx.AsyncClient) -> None:
    missing = await caller.get("/a/b")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    other = await caller.get("/refused")
    assert (other.status_code, other.json()["code"], other.headers["x-pot"]) == (418, "http_error", "tea")


async def test_a_method_that_is_not_taken_is_answered_with_all_that_are(caller: httpx.AsyncClient) -> None:
    answer = await caller.delete("/thing")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, PUT"
