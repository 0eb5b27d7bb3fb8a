from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.cross_origin import cross_origin
from api.problems import on_http_error

GAME = "https://game.example"
OTHER = "https://other.example"


async def answer(request: Request) -> Response:
    if "refused" in request.query_params:
        raise HTTPException(404)
    return PlainTextResponse("score", headers={"ETag": '"1-2"'})


def client(*origins: str) -> httpx.AsyncClient:
    app = Starlette(
        routes=[Route("/v1/boards", answer, methods=["GET", "POST"])],
        middleware=[cross_origin(origins)],
        exception_handlers={HTTPException: on_http_error},
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node")


@pytest.mark.parametrize("query", ["", "?refused"])
async def test_a_page_of_any_site_may_read_answers_and_refusals(query: str) -> None:
    async with client() as http:
        answered = await http.get(f"/v1/boards{query}", headers={"Origin": GAME})
    assert answered.headers["access-control-allow-origin"] == "*"
    assert set(answered.headers["access-control-expose-headers"].split(", ")) == {"ETag", "Retry-After"}
    assert "access-control-allow-credentials" not in answered.headers


@pytest.mark.parametrize("header", ["authorization", "idempotency-key", "last-event-id", "content-type"])
async def test_a_page_may_send_what_the_contract_asks_for(header: str) -> None:
    asked = {"Origin": GAME, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": header}
    async with client() as http:
        answered = await http.options("/v1/boards", headers=asked)
    assert answered.status_code == 200
    assert answered.headers["access-control-allow-origin"] == "*"
    assert header in answered.headers["access-control-allow-headers"].lower()


async def test_where_origins_are_named_only_they_may() -> None:
    async with client(GAME) as http:
        named = await http.get("/v1/boards", headers={"Origin": GAME})
        other = await http.get("/v1/boards", headers={"Origin": OTHER})
    assert named.headers["access-control-allow-origin"] == GAME
    assert "Origin" in named.headers["vary"]
    assert "access-control-allow-origin" not in other.headers


async def test_who_is_no_page_is_told_nothing_of_it() -> None:
    async with client() as http:
        answered = await http.get("/v1/boards")
    assert not [name for name in answered.headers if name.startswith("access-control")]
