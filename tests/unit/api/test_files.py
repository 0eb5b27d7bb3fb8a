from __future__ import annotations

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from api import files


@pytest.fixture
def http() -> httpx.AsyncClient:
    app = Starlette(
        routes=[
            Route("/", files.page),
            Route("/embed", files.embed),
            Route("/openapi.json", files.openapi),
            Route("/asyncapi.json", files.asyncapi),
            Mount("/web", files.web_files()),
        ]
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.mark.parametrize(
    "path", ["/", "/web/client/live.js", "/web/styles/table.css", "/openapi.json", "/asyncapi.json"]
)
async def test_a_file_comes_with_what_keeps_a_browser_safe(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(("path", "framed_by"), [("/", "'none'"), ("/web/embed.html", "'none'"), ("/embed", "*")])
async def test_only_what_holds_nobodys_session_may_be_framed(
    http: httpx.AsyncClient, path: str, framed_by: str
) -> None:
    answer = await http.get(path)
    assert f"frame-ancestors {framed_by};" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_contract_can_be_read_from_any_origin(http: httpx.AsyncClient) -> None:
    for path, field in (("/openapi.json", "openapi"), ("/asyncapi.json", "asyncapi")):
        answer = await http.get(path)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["content-type"] == "application/json"
        assert orjson.loads(answer.content)[field].startswith("3.")
    assert "access-control-allow-origin" not in (await http.get("/")).headers


@pytest.mark.parametrize(
    "path", ["/web/__init__.py", "/web/..%2fpyproject.toml", "/web/../pyproject.toml", "/web/none.js"]
)
async def test_only_what_a_browser_loads_is_served(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404
