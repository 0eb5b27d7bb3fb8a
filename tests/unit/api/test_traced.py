from __future__ import annotations

import dataclasses
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from api.traced import Traced, spanned
from infra.traces_xray import document
from realtime.core.announcement import Origin
from tests.unit.infra.test_tracing import HEADER, PARENT, ROOT, Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

    from tests.harness import Stack


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    yield made
    made.tracing.close()


async def ask(process: Process, path: str, header: str | list[str] = HEADER) -> httpx.Response:
    async def show(_: Request) -> Response:
        return Response(process.tracing.header() or "none", 201)

    async def crash(_: Request) -> Response:
        raise ZeroDivisionError

    names = ("/v1/boards/{board}/players/{player}", "/v1/boards/{board}/live", "/metrics")
    app = Starlette(
        routes=[Route(name, show) for name in names] + [Route("/v1/crash", crash)], middleware=[Middleware(Traced)]
    )
    app.state.service = SimpleNamespace(tracing=process.tracing)
    headers = [("X-Amzn-Trace-Id", one) for one in ([header] if isinstance(header, str) else header)]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
        return await http.get(path)


async def test_a_request_is_a_span_with_its_route_and_its_status(process: Process) -> None:
    answer = await ask(process, "/v1/boards/race/players/ada")
    (made,) = map(document, process.ended())
    assert answer.text == f"Root={ROOT};Parent={made['id']};Sampled=1"
    assert made["parent_id"] == PARENT
    assert made["http"] == {
        "request": {"method": "GET", "url": "/v1/boards/race/players/ada"},
        "response": {"status": 201},
    }
    assert made["annotations"]["http_route"] == "/v1/boards/{board}/players/{player}"


@pytest.mark.parametrize("path", ["/metrics", "/v1/boards/race/live"])
async def test_neither_machines_nor_answers_without_end_are_traced(process: Process, path: str) -> None:
    assert (await ask(process, path)).text == "none"
    assert process.ended() == []


@pytest.mark.parametrize("header", [HEADER.replace("Sampled=1", "Sampled=0"), [HEADER, HEADER], "nonsense", []])
async def test_what_is_not_wanted_or_cannot_be_read_is_answered_untraced(
    process: Process, header: str | list[str]
) -> None:
    assert (await ask(process, "/v1/boards/race/players/ada", header)).text == "none"
    assert process.ended() == []


async def test_a_crash_is_a_fault(process: Process) -> None:
    assert (await ask(process, "/v1/crash")).status_code == 500
    (made,) = map(document, process.ended())
    assert made["fault"] is True


def counting(told: list[str]) -> Callable[[Origin], Callable[[], None]]:
    def begin(_: Origin) -> Callable[[], None]:
        told.append("begun")
        return lambda: told.append("ended")

    return begin


def test_a_push_is_a_span_from_its_first_frame_to_its_last(process: Process) -> None:
    told: list[str] = []
    pushing = spanned(counting(told), process.tracing)
    end = pushing(Origin(5, HEADER))
    assert (told, process.ended()) == (["begun"], [])
    end()
    (made,) = map(document, process.ended())
    assert (told, made["parent_id"], made["annotations"]["operation"]) == (["begun", "ended"], PARENT, "push")


@pytest.mark.parametrize("trace", [None, "nonsense"])
def test_a_push_of_what_nobody_traces_is_counted_all_the_same(process: Process, trace: str | None) -> None:
    told: list[str] = []
    spanned(counting(told), process.tracing)(Origin(5, trace))()
    assert (told, process.ended()) == (["begun", "ended"], [])


# -- off -----------------------------------------------------------------------------------------------------------------

_OFF = """
import asyncio, sys
# As where it is not installed: whoever imports it fails.
sys.modules["opentelemetry"] = None
import workers.refresh, workers.schedule, workers.__main__, api.__main__
from api.app import application
from infra.settings import Settings
from infra.resources import worker_resources

async def main():
    settings = Settings.load()
    app = application(settings, lambda: None)
    async with app.router.lifespan_context(app), worker_resources(settings) as resources:
        assert app.state.service.tracing is None is resources.tracing
        assert not any(one.cls.__name__ == "Traced" for one in app.user_middleware)
    assert not [name for name in sys.modules if name.startswith(("opentelemetry.", "infra.trac"))]

asyncio.run(main())
"""


def run(code: str, stack: Stack, **changes: Any) -> subprocess.CompletedProcess[str]:
    environ = dataclasses.replace(stack.settings, **changes).environ()
    return subprocess.run(
        [sys.executable, "-c", code], env=environ, check=False, capture_output=True, text=True, timeout=60
    )


def test_without_traces_a_node_and_a_worker_need_nothing_of_opentelemetry(stack: Stack) -> None:
    ran = run(_OFF, stack)
    assert ran.returncode == 0, ran.stderr


def test_who_asks_for_traces_where_it_is_missing_is_told_what_to_install(stack: Stack) -> None:
    code = "import sys; sys.modules['opentelemetry'] = None\nfrom api.__main__ import main; sys.exit(main())"
    ran = run(code, stack, traces="xray")
    assert (ran.returncode, ran.stderr) == (
        1,
        "rankcast node: RANKCAST_TRACES needs what is installed by: pip install 'rankcast[aws]'\n",
    )
