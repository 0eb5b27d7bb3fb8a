from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from api import health
from api.metrics import Metrics
from realtime.core.errors import RankingUnavailable, StoreUnavailable


def caller(database: Exception | None, ranking: Exception | None, *, draining: bool = False) -> httpx.AsyncClient:
    async def asked(error: Exception | None) -> None:
        if error is not None:
            raise error

    async def by_keys(_: Any) -> None:
        await asked(database)

    async def ping() -> None:
        await asked(ranking)

    app = Starlette(
        routes=[
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz),
            Route("/metrics", health.metrics),
        ]
    )
    app.state.service = SimpleNamespace(
        boards=SimpleNamespace(by_keys=by_keys),
        ranking=SimpleNamespace(ping=ping),
        metrics=Metrics(),
        hub=SimpleNamespace(
            connections=2,
            watched=3,
            drift=6,
            resyncs=7,
            resumed=8,
            started=9,
            asked_again=11,
            shell=SimpleNamespace(fanout=SimpleNamespace(deliveries=4, skipped=5, merged=10, checks=12), speedups="c"),
        ),
        batcher=SimpleNamespace(waiting=7, refused=13),
        door=SimpleNamespace(refused=14),
    )
    app.state.door = SimpleNamespace(draining=draining)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.mark.parametrize(
    ("database", "ranking", "status", "document"),
    [
        (None, None, 200, {"status": "ready", "database": "ok", "ranking": "ok"}),
        (None, RankingUnavailable(), 200, {"status": "ready", "database": "ok", "ranking": "away"}),
        (None, TimeoutError(), 200, {"status": "ready", "database": "ok", "ranking": "away"}),
        (StoreUnavailable(), None, 503, {"status": "unavailable", "database": "away"}),
        (TimeoutError(), RankingUnavailable(), 503, {"status": "unavailable", "database": "away"}),
    ],
)
async def test_a_node_is_ready_while_it_can_take_scores(
    database: Exception | None, ranking: Exception | None, status: int, document: dict[str, str]
) -> None:
    async with caller(database, ranking) as http:
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()) == (status, document)
        assert answer.headers["cache-control"] == "no-store"
        assert (await http.get("/healthz")).json() == {"status": "ok"}


async def test_a_node_that_leaves_is_not_ready_and_still_answers() -> None:
    async with caller(None, None, draining=True) as http:
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"status": "leaving"})
        assert (await http.get("/healthz")).status_code == 200


async def test_the_numbers_are_those_of_now() -> None:
    async with caller(None, None) as http:
        lines = (await http.get("/metrics")).text.splitlines()
    for line in (
        "rankcast_connections 2.0",
        "rankcast_boards_followed 3.0",
        "rankcast_deliveries_total 4.0",
        "rankcast_skipped_total 5.0",
        "rankcast_drift_total 6.0",
        'rankcast_subscribed_total{mode="resumed"} 8.0',
        'rankcast_subscribed_total{mode="snapshot"} 9.0',
        "rankcast_merged_total 10.0",
        "rankcast_asked_again_total 11.0",
        "rankcast_checks_total 12.0",
        'rankcast_speedups{in="c"} 1.0',
        "rankcast_submissions_waiting 7.0",
        'rankcast_refused_total{what="submissions"} 13.0',
        'rankcast_refused_total{what="handshakes"} 14.0',
        "rankcast_queue_age_seconds NaN",
    ):
        assert line in lines
