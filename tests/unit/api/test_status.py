from __future__ import annotations

import asyncio
import dataclasses
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from api import problems, status
from infra.nodes_memory import MemoryNodes
from realtime.core.errors import QueueUnavailable, RankcastError, RankingUnavailable, StoreUnavailable
from realtime.core.identity import Principal, Role
from realtime.core.ports import Dead, Node
from tests import documents

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

NOW = time.time()
SELF = Node(id="me", kind="node", address="me:1", started=NOW, seen=NOW, numbers={"connections": 3, "lag_p50": None})
OTHER = dataclasses.replace(SELF, id="other", address="other:1", started=NOW - 5)
WORKER = Node(id="w", kind="worker", address="w", started=NOW, seen=NOW, numbers={"applied": 9})


class Parts:
    def __init__(self) -> None:
        self.nodes = MemoryNodes(5.0)
        self.away: dict[str, Exception] = {}
        self.slow: set[str] = set()

    def answering(self, name: str, answer: Any) -> Callable[[], Coroutine[Any, Any, Any]]:
        async def answered(*_: Any) -> Any:
            if name in self.slow:
                await asyncio.sleep(60)
            if name in self.away:
                raise self.away[name]
            return await answer() if callable(answer) else answer

        return answered

    async def status(self, role: Role | None = Role.ADMIN) -> httpx.Response:
        app = Starlette(
            routes=[Route("/v1/status", status.status)],
            exception_handlers={RankcastError: problems.on_rankcast_error},
        )
        principal = role and Principal("root", "rankcast", role, 2**40)
        app.state.service = SimpleNamespace(
            identity=SimpleNamespace(known=lambda _: principal),
            nodes=SimpleNamespace(all=self.answering("nodes", lambda: self.nodes.all(NOW))),
            outbox=SimpleNamespace(backlog=self.answering("outbox", (4, 1.5))),
            dead_letters=SimpleNamespace(count=self.answering("dead", Dead(1, 2))),
            ranking=SimpleNamespace(ping=self.answering("ranking", None)),
        )
        app.state.pulse = SimpleNamespace(node=SELF)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            return await http.get("/v1/status", headers={} if role is None else {"Authorization": "Bearer t"})


@pytest.fixture
def parts() -> Parts:
    return Parts()


async def test_every_process_is_told_of_and_what_waits(parts: Parts) -> None:
    for node in (SELF, OTHER, WORKER):
        await parts.nodes.beat(node)
    answer = await parts.status()
    document = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert [node["id"] for node in document["nodes"]] == ["other", "me"]
    assert (document["nodes"][1]["connections"], document["nodes"][1]["lag_p50"]) == (3, None)
    assert [(one["id"], one["applied"]) for one in document["workers"]] == [("w", 9)]
    assert document["node"] == "me"
    assert (document["outbox"], document["dead_letters"]) == ({"rows": 4, "age": 1.5}, {"rows": 1, "messages": 2})
    assert (document["database"], document["ranking"]) == ("ok", "ok")
    await documents.check_answer(answer)


async def test_what_is_away_is_null_and_the_rest_is_told(parts: Parts) -> None:
    parts.away = {
        "nodes": RankingUnavailable("away"),
        "outbox": StoreUnavailable("away"),
        "dead": QueueUnavailable("away"),
        "ranking": RankingUnavailable("away"),
    }
    answer = await parts.status()
    document = answer.json()
    assert [node["id"] for node in document["nodes"]] == ["me"], "this one knows of itself"
    assert (document["outbox"], document["dead_letters"]) == (None, None)
    assert (document["database"], document["ranking"]) == ("away", "away")
    await documents.check_answer(answer)


async def test_nothing_is_waited_for_long(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "_PATIENCE", 0.05)
    parts.slow = {"nodes", "dead", "ranking"}
    document = (await parts.status()).json()
    assert (document["dead_letters"], document["ranking"], document["outbox"]["rows"]) == (None, "away", 4)


async def test_it_is_for_admins(parts: Parts) -> None:
    assert (await parts.status(None)).status_code == 401
    for role in (Role.PLAYER, Role.SERVER):
        assert (await parts.status(role)).status_code == 403
