from __future__ import annotations

import asyncio
import dataclasses
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from api import problems, reads
from api.editions import Editions
from realtime.core.errors import BoardChanged, RankcastError
from realtime.core.model import Board, BoardKey, BoardSpec, Column, RankMode, Row, Standing
from realtime.core.ports import Page, Standings
from realtime.core.window import Window
from realtime.gateway.directory import Directory

BOARD = Board(BoardKey(1, 1), "points", BoardSpec(title="", columns=(Column("points"),)), 1)
ORDINAL = dataclasses.replace(BOARD, revision=2, spec=dataclasses.replace(BOARD.spec, ranks=RankMode.ORDINAL))
ROWS = tuple(Row(player, player.encode(), (5,), number, player) for number, player in enumerate("abc", 1))


class Node:
    """A node's service of one board, whose parts a test moves by hand."""

    def __init__(self) -> None:
        self.stored = BOARD
        self.epoch = 7
        self.hot: Window | None = None
        self.followed: list[str] = []
        self.asked: list[tuple[str, int]] = []
        self.directory = Directory(self)  # type: ignore[arg-type]
        self.editions = Editions(self.directory)
        self.hub = self
        self.settings = SimpleNamespace(max_body=1000)
        self.identity = None
        self.answers: dict[bytes, Any] = {}

    # The store, the hub and its feed.

    async def get(self, _: str) -> Board:
        return self.stored

    def feed(self, _: Board) -> Any:
        feed = SimpleNamespace(window=self.hot, board=self.stored, answers=self.answers)
        return feed if self.hot is not None else None

    def follow(self, board: Board) -> None:
        self.followed.append(board.name)

    # The service.

    async def board(self, name: str, _: object) -> Board:
        return self.directory.known(name) or await self.directory.get(name)

    async def page(self, board: Board, offset: int, limit: int) -> Page:
        self.asked.append(("page", board.revision))
        rows = ROWS[offset : offset + limit]
        return Page(self.epoch, 1, 3, offset, 1 if rows else 0, rows, stale=not self.epoch)

    async def around(self, board: Board, player: str, radius: int) -> Page:
        place = "abc".index(player)
        return await self.page(board, max(0, place - radius), 2 * radius + 1)

    async def standings(self, board: Board, players: list[str]) -> Standings:
        self.asked.append(("standings", board.revision))
        found = tuple(Standing(ROWS["abc".index(one)], "abc".index(one), 1) for one in players)
        return Standings(self.epoch, 1, 3, found, stale=not self.epoch)


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def http(node: Node) -> httpx.AsyncClient:
    app = Starlette(
        routes=[
            Route("/v1/boards/{board}/top", reads.TopEndpoint()),
            Route("/v1/boards/{board}/players/{player}", reads.player),
            Route("/v1/boards/{board}/players/{player}/around", reads.around),
            Route("/v1/boards/{board}/ranks", reads.ranks, methods=["POST"]),
        ],
        exception_handlers={RankcastError: problems.on_rankcast_error},
    )
    app.state.service = node
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/v1/boards/points/")


PATHS = ["top", "players/b", "players/b/around"]


@pytest.mark.parametrize("path", PATHS)
async def test_an_answer_is_shown_by_the_board_of_its_epoch(node: Node, http: httpx.AsyncClient, path: str) -> None:
    first = await http.get(path)
    assert (first.json()["ranks"], first.headers["etag"]) == ("competition", '"7-1"')
    # Edited elsewhere: this node holds the old document for a moment, and the ranking is first to tell.
    node.stored, node.epoch = ORDINAL, 8
    edited = await http.get(path)
    assert (edited.json()["ranks"], edited.headers["etag"]) == ("ordinal", '"8-1"')
    assert node.asked[-2:] == [(node.asked[-1][0], 1), (node.asked[-1][0], 2)]
    shown = edited.json()["entries"][1]["rank"] if "entries" in edited.json() else edited.json()["rank"]
    assert shown == 2


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_keeps_an_answer_while_an_edit_waits_for_the_ranking(
    node: Node, http: httpx.AsyncClient, path: str
) -> None:
    await http.get(path)
    node.stored = ORDINAL
    node.directory.forget("points")
    early = await http.get(path)
    assert early.headers["cache-control"] == "no-store"
    assert "etag" not in early.headers


async def test_a_ranking_of_other_columns_is_read_again_and_not_for_ever(
    node: Node, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def page(board: Board, *_: int) -> Page:
        nonlocal tries
        tries += 1
        node.stored = dataclasses.replace(BOARD, revision=2)
        if board.revision < wanted:
            raise BoardChanged("other columns")
        return Page(8, 1, 0, 0, 0, ())

    monkeypatch.setattr(node, "page", page)
    wanted = 2
    assert (await http.get("top")).status_code == 200
    assert tries == 2
    wanted, tries = 3, 0
    given_up = await http.get("top")
    assert (given_up.status_code, given_up.json()["code"]) == (503, "board_changed")
    assert tries == 3


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ('"7-1"', 304),
        ('W/"7-1"', 304),
        ('"1-1", W/"7-1" ', 304),
        ("*", 304),
        ('"7-2"', 200),
        ("7-1", 200),
        ('"7-1', 200),
        ("", 200),
    ],
)
async def test_a_tag_is_compared_as_proxies_may_have_made_it(http: httpx.AsyncClient, wanted: str, status: int) -> None:
    for path in PATHS:
        answer = await http.get(path, headers={"If-None-Match": wanted})
        assert (answer.status_code, answer.headers["etag"]) == (status, '"7-1"')


async def test_a_hot_board_is_answered_from_memory_and_a_cold_one_is_followed(
    node: Node, http: httpx.AsyncClient
) -> None:
    cold = await http.get("top")
    assert node.followed == ["points"]
    node.asked.clear()
    node.hot = Window(7, 1, 3, ROWS)
    for _ in range(2):
        warm = await http.get("top")
        assert (warm.content, warm.headers["etag"]) == (cold.content, cold.headers["etag"])
    tail = await http.get("top", params={"offset": 1, "limit": 99})
    assert [one["player"] for one in tail.json()["entries"]] == ["b", "c"]
    assert node.asked == []
    await http.get("top", params={"offset": 1, "limit": 100})
    assert node.asked == [("page", 1)]


async def test_only_so_many_answers_of_one_version_are_kept(node: Node, http: httpx.AsyncClient) -> None:
    node.hot = Window(7, 1, 3, ROWS)
    for limit in range(1, 101):
        answer = await http.get("top", params={"limit": limit})
        assert len(answer.json()["entries"]) == min(limit, 3)
    assert len(node.answers) == 64


async def test_a_stale_answer_has_no_version_and_is_kept_by_nobody(node: Node, http: httpx.AsyncClient) -> None:
    node.epoch = 0
    for path in PATHS:
        answer = await http.get(path, headers={"If-None-Match": "*"})
        body = answer.json()
        assert (answer.status_code, body["epoch"], body["stale"]) == (200, None, True)
        assert answer.headers["cache-control"] == "no-store"


async def test_readers_at_once_of_a_new_epoch_all_see_the_new_board(node: Node, http: httpx.AsyncClient) -> None:
    await http.get("players/a")
    node.stored, node.epoch = ORDINAL, 8
    answers = await asyncio.gather(*(http.get(path) for path in PATHS * 10))
    assert {answer.json()["ranks"] for answer in answers} == {"ordinal"}
