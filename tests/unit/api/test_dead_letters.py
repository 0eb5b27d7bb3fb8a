from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from api import dead_letters, problems
from realtime.core.errors import QueueUnavailable, RankcastError
from realtime.core.identity import Principal, Role
from realtime.core.ports import DeadLetter, Redriven

if TYPE_CHECKING:
    from collections.abc import Callable

ROW = DeadLetter("row:81", "no changes", 1769860800.0004, (81,), 412)
MESSAGE = DeadLetter("message:a-b", "unknown format '2'", 1769860801.25, (), 7)


class Letters:
    def __init__(self) -> None:
        self.asked: list[int] = []
        self.redriven = 0
        self.away = False

    async def oldest(self, limit: int) -> list[DeadLetter]:
        if self.away:
            raise QueueUnavailable("away")
        self.asked.append(limit)
        return [ROW, MESSAGE][:limit]

    async def redrive(self) -> Redriven:
        self.redriven += 1
        return Redriven(3, 1, 2)


class Node:
    def __init__(self) -> None:
        self.letters = Letters()
        self.rings = 0
        self.role = Role.ADMIN

    def rang(self) -> None:
        self.rings += 1

    def known(self, _: str) -> Principal:
        return Principal("me", "c", self.role, 2**40)

    def http(self) -> httpx.AsyncClient:
        app = Starlette(
            routes=[
                Route("/v1/dead-letters", dead_letters.listed),
                Route("/v1/dead-letters/redrive", dead_letters.redrive, methods=["POST"]),
            ],
            exception_handlers={RankcastError: problems.on_rankcast_error},
        )
        app.state.service = SimpleNamespace(dead_letters=self.letters, rang=self.rang, identity=self)
        transport = httpx.ASGITransport(app)
        return httpx.AsyncClient(transport=transport, base_url="http://node", headers={"Authorization": "Bearer t"})


@pytest.fixture
def node() -> Node:
    return Node()


async def test_dead_letters_are_told_with_their_time_and_rows(node: Node) -> None:
    async with node.http() as http:
        answer = await http.get("/v1/dead-letters")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "dead_letters": [
            {"id": "row:81", "reason": "no changes", "at": "2026-01-31T12:00:00.000Z", "rows": [81], "size": 412},
            {
                "id": "message:a-b",
                "reason": "unknown format '2'",
                "at": "2026-01-31T12:00:01.250Z",
                "rows": [],
                "size": 7,
            },
        ]
    }
    assert node.letters.asked == [100]


async def test_as_many_are_told_as_asked_for(node: Node) -> None:
    async with node.http() as http:
        assert len((await http.get("/v1/dead-letters?limit=1")).json()["dead_letters"]) == 1
        for limit in ("0", "1001", "x", ""):
            assert (await http.get(f"/v1/dead-letters?limit={limit}")).json()["code"] == "query_invalid"
    assert node.letters.asked == [1]


async def test_a_redrive_says_what_it_did_and_wakes_who_applies(node: Node) -> None:
    async with node.http() as http:
        assert (await http.post("/v1/dead-letters/redrive")).json() == {"rows": 3, "moved": 1, "dropped": 2}
    assert (node.letters.redriven, node.rings) == (1, 1)


async def test_a_queue_that_is_away_is_said_to_be(node: Node) -> None:
    node.letters.away = True
    async with node.http() as http:
        answer = await http.get("/v1/dead-letters")
    assert (answer.status_code, answer.json()["code"]) == (503, "queue_unavailable")


@pytest.mark.parametrize("role", [Role.SERVER, Role.PLAYER])
@pytest.mark.parametrize(
    "call", [lambda http: http.get("/v1/dead-letters"), lambda http: http.post("/v1/dead-letters/redrive")]
)
async def test_only_an_admin_may(node: Node, role: Role, call: Callable[[httpx.AsyncClient], Any]) -> None:
    node.role = role
    async with node.http() as http:
        assert (await call(http)).status_code == 403
    assert (node.letters.asked, node.letters.redriven, node.rings) == ([], 0, 0)
