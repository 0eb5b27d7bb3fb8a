from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from api.auth import authenticate, bearer, caller, require
from realtime.core.errors import Forbidden, Unauthenticated
from realtime.core.identity import Principal, Role

if TYPE_CHECKING:
    from starlette.requests import Request

PLAYER = Principal("E10", "rankcast", Role.PLAYER, 1_800_000_000)
SERVER = Principal("rankcast", "rankcast", Role.SERVER, 1_800_000_000)
ADMIN = Principal("local-admin", "rankcast", Role.ADMIN, 1_800_000_000)


class Door:
    """An identity that takes one token and counts how often it has to verify it."""

    def __init__(self) -> None:
        self.verified = 0

    async def verify(self, token: str) -> Principal:
        if token != "good.good.good":
            raise Unauthenticated("no")
        self.verified += 1
        return PLAYER

    def known(self, token: str) -> Principal | None:
        return PLAYER if self.verified and token == "good.good.good" else None


def headers(*values: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"x"), *((b"authorization", value) for value in values), (b"accept", b"*/*")]


@pytest.mark.parametrize(
    "value", [b"Bearer a.b-c_d", b"bearer a.b-c_d", b"BEARER a.b-c_d", b"Bearer   a.b-c_d", b"Bearer a.b-c_d "]
)
def test_the_token_is_what_follows_the_scheme(value: bytes) -> None:
    assert bearer(headers(value)) == "a.b-c_d"


def test_without_the_header_there_is_no_token() -> None:
    assert bearer(headers()) is None
    assert bearer([]) is None


@pytest.mark.parametrize(
    "values",
    [
        [b""],
        [b"Bearer"],
        [b"Bearer "],
        [b"Bearer    "],
        [b"Bearera.b.c"],
        [b"Bearer\ta.b.c"],
        [b"a.b.c"],
        [b"Basic dXNlcjpwYXNz"],
        [b"Bearer a.b.c d.e.f"],
        [b"Bearer a.b.c\xe9"],
        [b"Bearer a.b.c", b"Bearer a.b.c"],
        [b"Bearer a.b.c", b"Basic dXNlcjpwYXNz"],
    ],
)
def test_a_malformed_header_is_refused_not_ignored(values: list[bytes]) -> None:
    with pytest.raises(Unauthenticated, match="must be: Bearer <token>"):
        bearer(headers(*values))


async def test_a_caller_without_a_token_is_nobody() -> None:
    assert await authenticate(Door(), headers()) is None


async def test_a_token_is_verified_once_and_known_from_then_on() -> None:
    door = Door()
    for _ in range(3):
        assert await authenticate(door, headers(b"Bearer good.good.good")) is PLAYER
    assert door.verified == 1


async def test_a_refused_token_does_not_make_its_bearer_nobody() -> None:
    with pytest.raises(Unauthenticated):
        await authenticate(Door(), headers(b"Bearer bad.bad.bad"))


async def test_a_request_to_a_starlette_app_has_its_caller() -> None:
    async def who(request: Request) -> PlainTextResponse:
        found = await caller(request.scope)
        return PlainTextResponse(found.subject if found else "nobody")

    app = Starlette(routes=[Route("/who", who)])
    app.state.service = SimpleNamespace(identity=Door())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/who")).text == "nobody"
        assert (await client.get("/who", headers={"Authorization": "Bearer good.good.good"})).text == "E10"


@pytest.mark.parametrize("principal", [PLAYER, SERVER, ADMIN])
def test_any_principal_will_do_where_no_role_is_named(principal: Principal) -> None:
    assert require(principal) is principal


def test_a_principal_with_one_of_the_roles_is_let_through() -> None:
    assert require(SERVER, Role.SERVER, Role.ADMIN) is SERVER
    assert require(ADMIN, Role.SERVER, Role.ADMIN) is ADMIN


def test_nobody_is_asked_for_a_token_and_the_wrong_role_is_forbidden() -> None:
    with pytest.raises(Unauthenticated):
        require(None, Role.PLAYER)
    with pytest.raises(Forbidden, match="needs the role server or admin, the token has player"):
        require(PLAYER, Role.SERVER, Role.ADMIN)
