"""Boards, roles and what a node says of itself, call by call; every answer is held against openapi.json."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from tests import documents
from tests.harness import Node, Stack, eventually
from tests.integration.held import HeldStack, hot, problem, put_board, submit

DEFAULTS = {
    "title": "",
    "columns": [{"name": "points", "direction": "desc", "decimals": 0}],
    "operator": "best",
    "ranks": "competition",
    "writes": "server",
    "public": True,
    "minimum": None,
    "maximum": None,
    "season": 1,
    "revision": 1,
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(shared: HeldStack) -> AsyncIterator[Node]:
    async with shared.worker(), shared.node() as node:
        yield node


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def anonymous(node: Node) -> AsyncIterator[httpx.AsyncClient]:
    """A caller without a token."""
    hooks = {"response": [documents.check_answer]}
    async with httpx.AsyncClient(base_url=node.url, timeout=20, event_hooks=hooks) as http:
        yield http


# -- boards --------------------------------------------------------------------------------------------------------------


async def test_a_board_is_new_once_and_the_same_document_changes_nothing(node: Node, board: str) -> None:
    document = {"title": "Arcade", "columns": [{"name": "points"}]}
    created = await node.http.put(f"/v1/boards/{board}", json=document)
    assert (created.status_code, created.json()) == (201, DEFAULTS | {"board": board, "title": "Arcade"})
    again = await node.http.put(f"/v1/boards/{board}", json=document)
    assert (again.status_code, again.json()) == (200, created.json())
    assert (await node.http.get(f"/v1/boards/{board}")).json() == created.json()
    assert created.json() in (await node.http.get("/v1/boards")).json()["boards"]


async def test_an_empty_document_is_a_board_of_one_column(node: Node, board: str) -> None:
    answer = await node.http.put(f"/v1/boards/{board}", json={})
    assert answer.json() == DEFAULTS | {
        "board": board,
        "columns": [{"name": "score", "direction": "desc", "decimals": 0}],
    }


async def test_a_document_is_shown_as_it_was_sent(node: Node, board: str) -> None:
    document = {
        "title": "Lauf 🏁",
        "columns": [
            {"name": "laps", "direction": "desc", "decimals": 0},
            {"name": "time", "direction": "asc", "decimals": 3},
        ],
        "operator": "latest",
        "ranks": "ordinal",
        "writes": "player",
        "public": False,
        "minimum": [0, None],
        "maximum": [None, str(2**63 - 1)],
    }
    answer = await node.http.put(f"/v1/boards/{board}", json=document)
    assert answer.json() == document | {"board": board, "season": 1, "revision": 1}


async def test_a_document_that_was_read_can_be_edited_and_sent_back(node: Node, board: str) -> None:
    shown = await put_board(node, board, title="One")
    answer = await node.http.put(f"/v1/boards/{board}", json=shown | {"title": "Two"})
    assert (answer.status_code, answer.json()) == (200, shown | {"title": "Two", "revision": 2})


INVALID: list[dict[str, Any]] = [
    {"colour": "red"},
    {"title": 7},
    {"title": "x" * 201},
    {"columns": []},
    {"columns": {}},
    {"columns": [{"name": f"c{number}"} for number in range(5)]},
    {"columns": [{"name": "a"}, {"name": "a"}]},
    {"columns": ["points"]},
    {"columns": [{"name": "a", "unit": "s"}]},
    {"columns": [{"name": "a", "direction": "up"}]},
    {"columns": [{"name": "a", "decimals": 10}]},
    {"columns": [{"name": "a", "decimals": True}]},
    {"columns": [{"name": "a", "decimals": 1.0}]},
    {"operator": "worst"},
    {"operator": None},
    {"ranks": "dense"},
    {"writes": "anybody"},
    {"public": "yes"},
    {"public": None},
    {"minimum": "low"},
    {"minimum": 1.5},
    {"minimum": True},
    {"maximum": 2**63},
    {"maximum": [1, 2]},
    {"maximum": []},
    {"board": "another"},
]


async def test_a_document_that_describes_no_board_is_refused(node: Node, board: str) -> None:
    for document in INVALID:
        answer = await node.http.put(f"/v1/boards/{board}", json=document)
        assert problem(answer) == (400, "board_invalid"), document
    for body, code in ((b"[]", "board_invalid"), (b"null", "board_invalid"), (b"{", "json_invalid")):
        assert problem(await node.http.put(f"/v1/boards/{board}", content=body)) == (400, code)
    unnamed = await node.http.put(f"/v1/boards/{board}", json={"columns": [{"name": "a b"}]})
    assert problem(unnamed) == (400, "id_invalid")
    large = await node.http.put(f"/v1/boards/{board}", content=b'{"title": "' + b"x" * 5_000_000 + b'"}')
    assert problem(large) == (413, "body_too_large")
    assert problem(await node.http.get(f"/v1/boards/{board}")) == (404, "board_unknown")


@pytest.mark.parametrize("name", ["x" * 65, "a%20b", "%C3%A9", "a%00b", "a~b"])
async def test_the_name_of_a_board_is_an_id(node: Node, name: str) -> None:
    for call in (
        node.http.put(f"/v1/boards/{name}", json={}),
        node.http.get(f"/v1/boards/{name}"),
        node.http.get(f"/v1/boards/{name}/top"),
        node.http.delete(f"/v1/boards/{name}"),
        node.http.delete(f"/v1/boards/{name}/players/ada"),
    ):
        assert problem(await call) == (400, "id_invalid")


async def test_columns_and_operator_are_fixed_once_there_are_entries(node: Node, board: str) -> None:
    await put_board(node, board, operator="sum")
    assert (await put_board(node, board, columns=[{"name": "a"}], operator="best"))["revision"] == 2
    await submit(node, board, "ada", 1)
    for document in ({"columns": [{"name": "b"}]}, {"columns": [{"name": "a"}], "operator": "latest"}):
        answer = await node.http.put(f"/v1/boards/{board}", json=document)
        assert problem(answer) == (409, "board_has_entries")
    shown = await put_board(node, board, columns=[{"name": "a"}], title="Still open", minimum=0)
    assert (shown["title"], shown["revision"]) == ("Still open", 3)


async def test_an_edit_raises_the_epoch_and_keeps_the_entries(shared: HeldStack, node: Node, board: str) -> None:
    await put_board(node, board)
    for player in ("ada", "bob"):
        await submit(node, board, player, 5)
    # Of two submissions the later one may be ranked first, where the board was being made when the other was.
    await shared.settled()
    before = (await node.http.get(f"/v1/boards/{board}/top")).json()
    assert [one["rank"] for one in before["entries"]] == [1, 1]
    await put_board(node, board, ranks="ordinal")

    async def edited() -> Any:
        top = (await node.http.get(f"/v1/boards/{board}/top")).json()
        # A store that is too busy has no epoch to tell.
        return (top.get("epoch") or 0) > before["epoch"] and top["ranks"] == "ordinal" and top

    now = await eventually(edited)
    assert [(one["player"], one["rank"]) for one in now["entries"]] == [("ada", 1), ("bob", 2)]


async def test_a_private_board_takes_a_token(node: Node, anonymous: httpx.AsyncClient, board: str) -> None:
    await put_board(node, board, public=False)
    outcome = await submit(node, board, "ada", 5)
    paths = ["", "/top", "/players/ada", "/players/ada/around"]
    for path in paths:
        assert problem(await anonymous.get(f"/v1/boards/{board}{path}")) == (403, "forbidden")
    ranks = {"json": {"players": ["ada"]}}
    assert problem(await anonymous.post(f"/v1/boards/{board}/ranks", **ranks)) == (403, "forbidden")
    assert board not in [one["board"] for one in (await anonymous.get("/v1/boards")).json()["boards"]]
    assert board in [one["board"] for one in (await node.http.get("/v1/boards")).json()["boards"]]
    await node.http.get(f"/v1/boards/{board}/top", params={"after": f"ada:{outcome['seq']}"})
    for path in paths[1:]:
        answer = await node.http.get(f"/v1/boards/{board}{path}")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-store")
    from_memory = await hot(node, f"/v1/boards/{board}/top")
    assert from_memory.headers["cache-control"] == "private, no-store"
    assert problem(await anonymous.get(f"/v1/boards/{board}/top")) == (403, "forbidden")
    assert (await node.http.post(f"/v1/boards/{board}/ranks", **ranks)).status_code == 200
    await put_board(node, board, public=True)
    assert (await anonymous.get(f"/v1/boards/{board}/top")).status_code == 200


async def test_a_deleted_board_is_gone_and_its_name_can_begin_anew(node: Node, board: str) -> None:
    await put_board(node, board)
    outcome = await submit(node, board, "ada", 5)
    top = f"/v1/boards/{board}/top"
    before = (await node.http.get(top, params={"after": f"ada:{outcome['seq']}"})).json()
    assert (await node.http.delete(f"/v1/boards/{board}")).status_code == 204
    for answer in (
        await node.http.get(f"/v1/boards/{board}"),
        await node.http.get(top),
        await node.http.post(f"/v1/boards/{board}/scores", json={"player": "ada", "score": 1}),
        await node.http.delete(f"/v1/boards/{board}"),
    ):
        assert problem(answer) == (404, "board_unknown")
    assert (await put_board(node, board, columns=[{"name": "other", "direction": "asc"}]))["revision"] == 1
    outcome = await submit(node, board, "bob", 7)
    now = (await node.http.get(top, params={"after": f"bob:{outcome['seq']}"})).json()
    assert [one["player"] for one in now["entries"]] == ["bob"]
    assert now["epoch"] > before["epoch"]


# -- who may do what -----------------------------------------------------------------------------------------------------

SCORE = {"player": "ada", "score": 1}
CALLS: list[tuple[str, str, Any, set[str]]] = [
    ("PUT", "/v1/boards/{board}", {"columns": [{"name": "points"}], "writes": "player"}, {"admin"}),
    ("POST", "/v1/boards/{board}/scores", SCORE, {"player", "server", "admin"}),
    ("POST", "/v1/boards/{board}/scores/batch", [SCORE], {"server", "admin"}),
    ("PUT", "/v1/players/ada", {"country": "GB"}, {"player", "server", "admin"}),
    ("PUT", "/v1/players/bob", {"country": "GB"}, {"server", "admin"}),
    ("DELETE", "/v1/boards/{board}/players/ada", None, {"admin"}),
    ("DELETE", "/v1/boards/{board}", None, {"admin"}),
]


@pytest.mark.parametrize(("method", "path", "body", "allowed"), CALLS, ids=[f"{call[0]} {call[1]}" for call in CALLS])
async def test_a_call_is_for_those_whose_role_allows_it(
    shared: HeldStack,
    node: Node,
    anonymous: httpx.AsyncClient,
    board: str,
    method: str,
    path: str,
    body: Any,
    allowed: set[str],
) -> None:
    await put_board(node, board, writes="player")
    await submit(node, board, "ada", 0)
    content = None if body is None else orjson.dumps(body)

    async def call(headers: dict[str, str]) -> httpx.Response:
        return await anonymous.request(method, path.format(board=board), content=content, headers=headers)

    nobody = await call({})
    assert problem(nobody) == (401, "unauthenticated")
    assert nobody.headers["www-authenticate"].startswith("Bearer")
    for role in ("player", "server", "admin"):
        answer = await call(shared.headers(role, "ada" if role == "player" else None))
        if role in allowed:
            assert answer.is_success, answer.text
        else:
            assert problem(answer) == (403, "forbidden")


async def test_a_player_submits_for_itself_where_the_board_takes_players(
    shared: HeldStack, node: Node, board: str
) -> None:
    scores = f"/v1/boards/{board}/scores"
    ada = shared.headers("player", "ada")
    await put_board(node, board, writes="player")
    own = await node.http.post(scores, json={"score": 7}, headers=ada)
    assert (own.json()["player"], own.json()["best"]) == ("ada", 7)
    assert (await node.http.post(scores, json={"player": "ada", "score": 8}, headers=ada)).json()["best"] == 8
    for other in ({"player": "bob", "score": 9}, {"player": "Ada", "score": 9}):
        assert problem(await node.http.post(scores, json=other, headers=ada)) == (403, "forbidden")
    await put_board(node, board, writes="server")
    assert problem(await node.http.post(scores, json={"score": 9}, headers=ada)) == (403, "forbidden")
    assert (await submit(node, board, "ada", 10))["best"] == 10


async def test_a_token_that_is_wrong_is_refused_even_where_none_is_needed(
    shared: HeldStack, node: Node, anonymous: httpx.AsyncClient, board: str
) -> None:
    await put_board(node, board)
    token = shared.issuer.token("server")
    expired = shared.issuer.token("server", lifetime=-3600)
    changed = token[:-8] + ("A" * 8 if token[-8:] != "A" * 8 else "B" * 8)
    for value in (f"Bearer {expired}", f"Bearer {changed}", "Bearer x", "Bearer", f"Basic {token}", ""):
        answer = await anonymous.get(f"/v1/boards/{board}/top", headers={"Authorization": value})
        assert problem(answer) == (401, "unauthenticated"), value
    assert (await anonymous.get(f"/v1/boards/{board}/top")).status_code == 200


# -- what a node says of itself ------------------------------------------------------------------------------------------


async def test_a_node_says_that_it_lives_and_is_ready(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/healthz")).json() == {"status": "ok"}
    assert (await anonymous.get("/readyz")).json() == {"status": "ready", "database": "ok", "ranking": "ok"}


async def test_a_node_shows_its_numbers(anonymous: httpx.AsyncClient) -> None:
    numbers = await anonymous.get("/metrics")
    assert numbers.headers["content-type"].startswith("text/plain; version=0.0.4")
    for name in ("rankcast_connections", "rankcast_boards_followed", "rankcast_submissions_waiting"):
        assert f"\n{name} " in numbers.text


async def test_a_node_counts_what_became_of_submissions(stack: Stack) -> None:
    async with stack.node() as node:
        await node.http.put("/v1/boards/counted", json={"columns": [{"name": "score"}], "maximum": 9})
        rows = [{"player": "a", "score": 1}, {"player": "b", "score": 10}, {"player": "c", "score": 2}]
        assert (await node.http.post("/v1/boards/counted/scores/batch", json=rows)).status_code == 200
        numbers = (await node.http.get("/metrics")).text
    assert '\nrankcast_submissions_total{result="accepted"} 2.0' in numbers
    assert '\nrankcast_submissions_total{result="refused"} 1.0' in numbers
    assert "\nrankcast_batch_rows_sum 3.0" in numbers


async def test_a_node_serves_its_contract_and_its_page(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/openapi.json")).json() == documents.openapi()
    assert (await anonymous.get("/asyncapi.json")).json() == documents.asyncapi()
    for path in ("/", "/docs"):
        page = await anonymous.get(path)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "default-src 'self'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/nothing", "/v1/boards/b/nothing", "/v1/players", "/favicon.txt", "/web/none.js"]
)
async def test_a_path_that_is_not_there_is_a_problem(anonymous: httpx.AsyncClient, path: str) -> None:
    assert problem(await anonymous.get(path)) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/boards", "GET, HEAD"),
        ("POST", "/v1/boards/b", "DELETE, GET, HEAD, PUT"),
        ("GET", "/v1/boards/b/scores", "POST"),
        ("PUT", "/v1/boards/b/scores/batch", "POST"),
        ("POST", "/v1/boards/b/top", "GET, HEAD"),
        ("PATCH", "/v1/boards/b/players/ada", "DELETE, GET, HEAD"),
        ("GET", "/v1/boards/b/ranks", "POST"),
        ("GET", "/v1/players/ada", "PUT"),
        ("POST", "/readyz", "GET, HEAD"),
    ],
)
async def test_a_method_that_a_path_does_not_take_is_a_problem_that_names_the_others(
    anonymous: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await anonymous.request(method, path)
    assert problem(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == allowed
