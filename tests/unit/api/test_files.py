from __future__ import annotations

import re
from pathlib import Path

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from api import files
from infra.deploy.site import ASKED_ANEW, FOR_EVER, WEB, site

FOLDER = re.compile(rb'"(/web/[^"]+)"')
INLINE = re.compile(rb"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE)


@pytest.fixture
def http() -> httpx.AsyncClient:
    contracts = [Route("/openapi.json", files.openapi), Route("/asyncapi.json", files.asyncapi)]
    app = Starlette(routes=[*files.ROUTES, *contracts])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.mark.parametrize(
    "path", [*files.PAGES, "/web/client/live.js", "/web/styles/table.css", "/openapi.json", "/asyncapi.json"]
)
async def test_a_file_comes_with_what_keeps_a_browser_safe(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'self'", "base-uri 'none'", "form-action 'none'", "object-src 'none'"} <= set(policy)
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == ASKED_ANEW


async def test_only_what_is_made_for_other_sites_may_stand_in_their_frames(http: httpx.AsyncClient) -> None:
    framed = set()
    for path in files.PAGES:
        policy = (await http.get(path)).headers["content-security-policy"].split("; ")
        assert sum(directive.startswith("frame-ancestors ") for directive in policy) == 1
        if "frame-ancestors 'none'" not in policy:
            framed.add(path)
    assert framed == {"/overlay", "/embed"}


async def test_the_page_with_a_token_in_it_speaks_to_nobody_but_the_service(http: httpx.AsyncClient) -> None:
    policy = (await http.get("/console")).headers["content-security-policy"].split("; ")
    assert {"connect-src 'self'", "img-src 'self' data:", "frame-ancestors 'none'"} <= set(policy)


@pytest.mark.parametrize("path", files.PAGES)
async def test_nothing_in_a_page_needs_what_its_policy_forbids(http: httpx.AsyncClient, path: str) -> None:
    page = (await http.get(path)).content
    assert INLINE.findall(page) == []
    assert FOLDER.findall(page)


@pytest.mark.parametrize("path", files.PAGES)
async def test_what_a_page_names_is_there_and_is_kept_for_ever(http: httpx.AsyncClient, path: str) -> None:
    for name in FOLDER.findall((await http.get(path)).content):
        answer = await http.get(name.decode())
        assert (answer.status_code, answer.headers["cache-control"]) == (200, FOR_EVER), name


async def test_a_node_serves_what_the_bucket_holds(http: httpx.AsyncClient) -> None:
    for held in site(WEB).files:
        answer = await http.get("/" if held.key == "index.html" else f"/{held.key}")
        assert answer.content == held.body, held.key
        assert answer.headers["content-type"] == held.content_type
        assert answer.headers["cache-control"] == held.cache_control


async def test_who_has_a_file_is_not_sent_it_again(http: httpx.AsyncClient) -> None:
    for path in ("/", "/web/app.js"):
        tag = (await http.get(path)).headers["etag"]
        again = await http.get(path, headers={"If-None-Match": f'"other", {tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["cache-control"] == ASKED_ANEW
        assert (await http.get(path, headers={"If-None-Match": '"other"'})).status_code == 200


async def test_a_file_of_another_make_is_given_as_it_is_now_and_not_kept(http: httpx.AsyncClient) -> None:
    answer = await http.get("/web/0123456789abcdef/app.js")
    assert answer.content == (WEB / "app.js").read_bytes()
    assert answer.headers["cache-control"] == ASKED_ANEW
    assert (await http.get("/web/0123456789abcdef/none.js")).status_code == 404


async def test_the_contract_can_be_read_from_any_origin(http: httpx.AsyncClient) -> None:
    for path, field in (("/openapi.json", "openapi"), ("/asyncapi.json", "asyncapi")):
        answer = await http.get(path)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["content-type"] == "application/json"
        assert orjson.loads(answer.content)[field].startswith("3.")
    assert (await http.get("/web/client/live.js")).headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in (await http.get("/")).headers


@pytest.mark.parametrize(
    "path",
    [
        "/web/__init__.py",
        "/web/..%2fpyproject.toml",
        "/web/../pyproject.toml",
        "/web/none.js",
        "/web/",
        "/web/0123456789abcdef/../../pyproject.toml",
    ],
)
async def test_only_what_a_browser_loads_is_served(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404


def test_an_edited_file_is_served_as_it_is_now_under_another_name(tmp_path: Path) -> None:
    now = 0.0
    (tmp_path / "index.html").write_text('<script type="module" src="/web/app.js"></script>')
    (tmp_path / "app.js").write_text("1;")
    held = files.Files(tmp_path, clock=lambda: now)

    def app() -> tuple[str, bytes]:
        page = held.get("index.html")
        assert page is not None
        name = FOLDER.findall(page[0].body)[0].decode().removeprefix("/")
        found = held.get(name)
        assert found is not None
        return name, found[0].body

    first, body = app()
    assert body == b"1;"
    (tmp_path / "app.js").write_text("22;")
    assert app() == (first, b"1;")  # nobody looks so often
    now += 1
    second, body = app()
    assert (second != first, body) == (True, b"22;")
