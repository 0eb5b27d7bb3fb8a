from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from api.app import ROUTES
from infra.deploy.errors import PackagingFailed
from infra.deploy.site import ASKED_ANEW, FOR_EVER, WEB, page_key, site


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "client").mkdir()
    (tmp_path / "index.html").write_text('<script type="module" src="/web/app.js"></script><a href="/docs">API</a>')
    (tmp_path / "docs.html").write_text('<link href="/web/docs.css">')
    (tmp_path / "app.js").write_text('import "./client/live.js";')
    (tmp_path / "client" / "live.js").write_text("export {};")
    (tmp_path / "__init__.py").write_text("")
    return tmp_path


def test_a_page_names_files_that_never_change(folder: Path) -> None:
    made = site(folder)
    files = {file.key: file for file in made.files}
    assert files["index.html"].body.decode() == (
        f'<script type="module" src="/web/{made.version}/app.js"></script><a href="/docs">API</a>'
    )
    assert files["index.html"].cache_control == files["docs"].cache_control == ASKED_ANEW
    assert files[f"web/{made.version}/app.js"].cache_control == FOR_EVER
    # What it imports, relative to itself, is of the same make.
    assert files[f"web/{made.version}/client/live.js"].cache_control == FOR_EVER
    assert files["web/client/live.js"].cache_control == ASKED_ANEW
    assert not [key for key in files if key.endswith(".py")]


def test_what_a_page_names_is_there_before_the_page(folder: Path) -> None:
    made = site(folder)
    keys = [file.key for file in made.files]
    pages = [keys.index("index.html"), keys.index("docs")]
    assert min(pages) > max(index for index, key in enumerate(keys) if key.startswith("web/"))


@pytest.mark.parametrize("name", ["client/live.js", "docs.html"])
def test_another_content_is_another_version(folder: Path, name: str) -> None:
    before = site(folder).version
    assert site(folder).version == before
    (folder / name).write_text("export const other = 1;")
    assert site(folder).version != before


def test_a_browser_is_told_what_each_file_is(folder: Path) -> None:
    (folder / "mark.svg").write_text("<svg/>")
    kinds = {file.key.rpartition("/")[2]: file.content_type for file in site(folder).files}
    assert kinds["live.js"] == "text/javascript; charset=utf-8"
    assert kinds["docs"] == kinds["index.html"] == "text/html; charset=utf-8"
    assert kinds["mark.svg"] == "image/svg+xml"


def test_a_folder_of_a_page_is_the_page() -> None:
    assert [page_key(name) for name in ("index.html", "docs.html", "overlay/index.html")] == [
        "index.html",
        "docs",
        "overlay",
    ]


def test_a_folder_without_a_page_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(PackagingFailed, match=r"has no index\.html"):
        site(tmp_path)


async def test_every_page_of_a_node_is_in_the_bucket_under_its_address() -> None:
    """The routes that answer with a page, asked of the node's own code: no other part of it is needed for them."""
    pages = [
        route
        for route in ROUTES
        if isinstance(route, Route) and not route.path.startswith("/v1") and "{" not in route.path
    ]
    keys = {file.key for file in site(WEB).files}
    transport = httpx.ASGITransport(Starlette(routes=pages), raise_app_exceptions=False)
    seen = []
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as node:
        for page in pages:
            answer = await node.get(page.path)
            if answer.headers["content-type"].startswith("text/html"):
                seen.append(page.path)
                assert page.path.removeprefix("/") or "index.html" in keys
                assert (page.path.removeprefix("/") or "index.html") in keys
    assert {"/", "/docs"} <= set(seen)
