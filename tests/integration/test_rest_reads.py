"""Reads that rank, call by call; every answer is held against openapi.json."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from infra.ranking_redis import RedisRanking
from tests.harness import PATIENCE, Node, eventually, without_rank
from tests.integration.held import HeldStack, hot, problem, put_board, rank_all, submit, submit_all

PUBLIC = "public, max-age=0, must-revalidate"
TWO_COLUMNS = [{"name": "solved", "direction": "desc"}, {"name": "penalty", "direction": "asc"}]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes(shared: HeldStack) -> AsyncIterator[tuple[Node, Node]]:
    async with shared.worker(), shared.node() as one, shared.node() as two:
        yield one, two


@pytest.fixture
def node(nodes: tuple[Node, Node]) -> Node:
    return nodes[0]


async def get(node: Node, path: str, **params: Any) -> dict[str, Any]:
    answer = await node.http.get(path, params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def ranks_of(body: dict[str, Any]) -> list[tuple[int, str]]:
    return [(one["rank"], one["player"]) for one in body["entries"]]


# -- ages ----------------------------------------------------------------------------------------------------------------


async def test_an_age_tells_how_long_ago_the_shown_score_was_written(node: Node, board: str) -> None:
    await put_board(node, board)
    clock = asyncio.get_running_loop().time
    began = clock()
    await rank_all(node, board, {"ann": 7})
    seq = (await get(node, f"/v1/boards/{board}/players/ann"))["seq"]
    first = await get(node, f"/v1/boards/{board}/players/ann/age")
    assert first == {"board": board, "player": "ann", "seq": seq, "age_ms": first["age_ms"]}
    assert 0 < first["age_ms"] <= (clock() - began) * 1000
    again = await node.http.get(f"/v1/boards/{board}/players/ann/age")
    assert again.json()["age_ms"] > first["age_ms"]
    assert again.headers["cache-control"] == "no-store"
    assert problem(await node.http.get(f"/v1/boards/{board}/players/bob/age")) == (404, "player_unknown")


# -- who is called so ----------------------------------------------------------------------------------------------------


async def test_players_are_found_by_the_beginning_of_an_id_or_a_name_with_where_they_stand(
    node: Node, board: str
) -> None:
    await put_board(node, board)
    names = {"t1": "Anna", "t2": "bob", "an3": "Zoe", "t4": "Anton"}
    scores = {"t1": 3, "t2": 5, "an3": 9, "t4": 7}
    rows = [{"player": player, "score": scores[player], "name": name} for player, name in names.items()]
    results = (await node.http.post(f"/v1/boards/{board}/scores/batch", json=rows)).json()["results"]
    last = f"{results[-1]['player']}:{results[-1]['seq']}"
    await get(node, f"/v1/boards/{board}/players/t4", after=last)
    found = await get(node, f"/v1/boards/{board}/players", q="an")
    assert ranks_of(found) == [(1, "an3"), (2, "t4"), (4, "t1")]
    assert [one["name"] for one in found["entries"]] == ["Zoe", "Anton", "Anna"]
    assert found["total"] == 4
    assert len((await get(node, f"/v1/boards/{board}/players", q="an", limit=1))["entries"]) == 1
    assert (await get(node, f"/v1/boards/{board}/players", q="nobody"))["entries"] == []
    (await node.http.delete(f"/v1/boards/{board}/players/t4")).raise_for_status()

    async def gone() -> bool:
        return ranks_of(await get(node, f"/v1/boards/{board}/players", q="an")) == [(1, "an3"), (3, "t1")]

    await eventually(gone)


@pytest.mark.parametrize("query", ["", "q=", f"q={'x' * 65}", "q=%00", "q=a&limit=0", "q=a&limit=101", "q=a&limit=x"])
async def test_a_beginning_that_is_none_is_refused(node: Node, board: str, query: str) -> None:
    await put_board(node, board)
    assert problem(await node.http.get(f"/v1/boards/{board}/players?{query}")) == (400, "query_invalid")


async def test_only_an_admin_looks_for_players(node: Node, board: str, shared: HeldStack) -> None:
    await put_board(node, board)
    path = f"/v1/boards/{board}/players?q=a"
    assert problem(await node.http.get(path, headers=shared.headers("server"))) == (403, "forbidden")
    assert problem(await node.http.get(path, headers={"Authorization": ""})) == (401, "unauthenticated")
    assert problem(await node.http.get("/v1/boards/none/players?q=a")) == (404, "board_unknown")


# -- ranks and stretches -------------------------------------------------------------------------------------------------


async def test_equal_scores_share_a_rank_in_competition_and_not_in_ordinal(node: Node, board: str) -> None:
    scores = {"E10": [3, 100], "E11": [2, 80], "E12": [2, 80], "E13": [2, 90], "E14": [0, 0]}
    for mode, expected in (("competition", [1, 2, 2, 4, 5]), ("ordinal", [1, 2, 3, 4, 5])):
        name = f"{board}.{mode}"
        await put_board(node, name, columns=TWO_COLUMNS, ranks=mode)
        await rank_all(node, name, scores)
        top = await get(node, f"/v1/boards/{name}/top")
        assert (top["total"], top["ranks"]) == (5, mode)
        assert ranks_of(top) == list(zip(expected, scores, strict=True))
        # A stretch from the middle, and each player alone, say the same.
        for start in range(5):
            stretch = await get(node, f"/v1/boards/{name}/top", offset=start, limit=2)
            assert stretch["entries"] == top["entries"][start : start + 2]
        for place, (rank, player) in enumerate(ranks_of(top)):
            alone = await get(node, f"/v1/boards/{name}/players/{player}")
            assert (alone["rank"], alone["position"]) == (rank, place)
            assert {field: alone[field] for field in top["entries"][place]} == top["entries"][place]


async def test_a_stretch_may_lie_behind_the_window_or_the_end(node: Node, board: str) -> None:
    await put_board(node, board)
    await rank_all(node, board, {f"p{number:03}": 1000 - number for number in range(250)})
    path = f"/v1/boards/{board}/top"
    whole = await get(node, path, limit=1000)
    assert ranks_of(whole) == [(number + 1, f"p{number:03}") for number in range(250)]
    await hot(node, path)
    for offset, limit in ((0, 100), (0, 101), (95, 10), (100, 100), (240, 100), (250, 10), (100_000_000, 1)):
        stretch = await get(node, path, offset=offset, limit=limit)
        assert stretch["entries"] == whole["entries"][offset : offset + limit]
        assert stretch["total"] == 250


async def test_the_neighbours_of_a_player_end_where_the_board_ends(node: Node, board: str) -> None:
    await put_board(node, board)
    await rank_all(node, board, {f"p{number}": 10 - number // 2 for number in range(10)})
    top = await get(node, f"/v1/boards/{board}/top")
    for number in range(10):
        for radius in (1, 3, 100):
            found = await get(node, f"/v1/boards/{board}/players/p{number}/around", radius=radius)
            start = max(0, number - radius)
            assert found["position"] == start
            assert found["entries"] == top["entries"][start : number + radius + 1]
    assert len((await get(node, f"/v1/boards/{board}/players/p9/around"))["entries"]) == 6


async def test_a_percentile_is_the_share_of_those_not_before_a_player(node: Node, board: str) -> None:
    await put_board(node, board)
    await rank_all(node, board, {"a": 9, "b": 7, "c": 7, "d": 1})
    found = [(await get(node, f"/v1/boards/{board}/players/{player}"))["percentile"] for player in "abcd"]
    assert found == [100.0, 75.0, 75.0, 25.0]


async def test_the_ranks_of_a_thousand_players_come_in_the_order_asked(node: Node, board: str) -> None:
    await put_board(node, board)
    await rank_all(node, board, {f"p{number}": number for number in range(999)})
    asked = [f"p{number}" for number in range(0, 999, 2)] + ["nobody"] + [f"p{number}" for number in range(1, 999, 2)]
    answer = await node.http.post(f"/v1/boards/{board}/ranks", json={"players": asked})
    body = answer.json()
    assert (body["total"], len(body["entries"]), len(asked)) == (999, 1000, 1000)
    for player, found in zip(asked, body["entries"], strict=True):
        if player == "nobody":
            assert found == {"player": "nobody", "rank": None}
        else:
            assert (found["player"], found["rank"]) == (player, 999 - int(player[1:]))
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"players": [f"p{number}" for number in range(1001)]}, "batch_too_large"),
        ({"players": []}, "field_invalid"),
        ({"players": "ada"}, "field_invalid"),
        ({}, "field_invalid"),
        (["ada"], "field_invalid"),
        ({"players": ["a b"]}, "id_invalid"),
        ({"players": ["ada", None]}, "id_invalid"),
    ],
)
async def test_a_list_of_players_that_cannot_be_ranked_is_refused(
    node: Node, board: str, body: object, code: str
) -> None:
    await put_board(node, board)
    assert problem(await node.http.post(f"/v1/boards/{board}/ranks", json=body)) == (400, code)


async def test_an_empty_board_has_a_top_and_no_players(node: Node, board: str) -> None:
    await put_board(node, board)
    top = await eventually(lambda: _ranked(node, board))
    assert (top["total"], top["entries"]) == (0, [])
    for path in ("players/ada", "players/ada/around"):
        assert problem(await node.http.get(f"/v1/boards/{board}/{path}")) == (404, "player_unknown")
    for path in ("top", "players/ada", "players/ada/around"):
        assert problem(await node.http.get(f"/v1/boards/{board}.no/{path}")) == (404, "board_unknown")


async def _ranked(node: Node, board: str) -> Any:
    top = await get(node, f"/v1/boards/{board}/top")
    return top if top["epoch"] else None


async def test_integers_beyond_what_a_browser_keeps_are_strings_in_every_read(node: Node, board: str) -> None:
    await put_board(node, board, columns=TWO_COLUMNS)
    large, small = [str(2**63 - 1), str(-(2**63))], [2**53 - 1, str(2**53)]
    await rank_all(node, board, {"large": large, "small": small})
    top = await get(node, f"/v1/boards/{board}/top")
    assert [one["score"] for one in top["entries"]] == [large, small]
    assert (await get(node, f"/v1/boards/{board}/players/large"))["score"] == large
    ranks = await node.http.post(f"/v1/boards/{board}/ranks", json={"players": ["small"]})
    assert ranks.json()["entries"][0]["score"] == small


@pytest.mark.parametrize(
    ("path", "query"),
    [
        *(("top", f"limit={value}") for value in ("0", "1001", "-1", "ten", "1.5", "", "%C2%B2", "9" * 30, "9" * 5000)),
        *(("top", f"offset={value}") for value in ("-1", "100000001", "x", "0" * 12 + "9" * 20)),
        *(("players/ada/around", f"radius={value}") for value in ("0", "101", "far")),
        *(
            (path, f"after={value}")
            for path in ("top", "players/ada", "players/ada/around")
            for value in ("", "ada", "ada:", "ada:x", "ada:-1", "ada:" + "9" * 20, "ada:" + "9" * 5000)
        ),
    ],
)
async def test_a_query_value_that_means_nothing_is_refused(node: Node, board: str, path: str, query: str) -> None:
    await put_board(node, board)
    await submit(node, board, "ada", 1)
    assert problem(await node.http.get(f"/v1/boards/{board}/{path}?{query}")) == (400, "query_invalid")


async def test_an_id_in_a_query_or_a_path_is_an_id(node: Node, board: str) -> None:
    await put_board(node, board)
    for path in ("top?after=a%20b:1", f"players/{'x' * 65}", "players/a%20b/around", "top?after=:1"):
        assert problem(await node.http.get(f"/v1/boards/{board}/{path}")) == (400, "id_invalid")
    assert (await node.http.get(f"/v1/boards/{board}/top?colour=red")).status_code == 200


# -- one's own writes ----------------------------------------------------------------------------------------------------


async def test_every_read_waits_for_the_write_that_it_is_told_of_on_any_node(
    nodes: tuple[Node, Node], board: str
) -> None:
    one, two = nodes
    await put_board(one, board)
    await hot(two, f"/v1/boards/{board}/top")
    for number, path in enumerate(("top", "players/ada", "players/ada/around", "ranks") * 3, 1):
        seq = (await submit(one, board, "ada", number))["seq"]
        url, params = f"/v1/boards/{board}/{path}", {"after": f"ada:{seq}"}
        ask = (
            two.http.post(url, params=params, json={"players": ["ada"]})
            if path == "ranks"
            else two.http.get(url, params=params)
        )
        answer = await ask
        entry = answer.json()["entries"][0] if "entries" in answer.json() else answer.json()
        assert (entry["score"], entry["seq"]) == (number, seq)
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers


async def test_a_write_that_is_not_ranked_in_time_is_not_yet(held: HeldStack) -> None:
    async with held.node(after_timeout=0.05) as node:
        async with held.worker():
            await put_board(node, "points")
            await submit_all(node, "points", {"ada": 1})
            await held.settled()
        # Nobody ranks from here on.
        seq = (await submit(node, "points", "ada", 2))["seq"]
        for path in ("top", "players/ada", "players/ada/around"):
            late = await node.http.get(f"/v1/boards/points/{path}", params={"after": f"ada:{seq}"})
            assert problem(late) == (503, "not_yet")
            assert int(late.headers["retry-after"]) >= 1
        ranks = await node.http.post(
            "/v1/boards/points/ranks", params={"after": f"ada:{seq}"}, json={"players": ["ada"]}
        )
        assert problem(ranks) == (503, "not_yet")
        assert (await get(node, "/v1/boards/points/players/ada", after=f"ada:{seq - 1}"))["score"] == 1


# -- caching -------------------------------------------------------------------------------------------------------------


async def test_an_answer_names_its_version_and_is_not_sent_twice(node: Node, board: str) -> None:
    await put_board(node, board)
    await rank_all(node, board, {"ada": 1, "bob": 2})
    for path in ("top", "players/ada", "players/ada/around"):
        url = f"/v1/boards/{board}/{path}"
        first = await hot(node, url) if path == "top" else await node.http.get(url)
        tag = first.headers["etag"]
        assert tag == f'"{first.json()["epoch"]}-{first.json()["version"]}"'
        assert first.headers["cache-control"] == PUBLIC
        for wanted in (tag, f"W/{tag}", f'"1-1", {tag}', "*"):
            same = await node.http.get(url, headers={"If-None-Match": wanted})
            assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
            assert same.headers["cache-control"] == PUBLIC
        for other in ('"1-1"', tag.strip('"'), 'W/"1-1"'):
            assert (await node.http.get(url, headers={"If-None-Match": other})).status_code == 200
        head = await node.http.head(url)
        assert (head.headers["etag"], head.content) == (tag, b"")


async def test_a_change_is_a_new_version_under_a_new_tag(node: Node, board: str) -> None:
    await put_board(node, board)
    await rank_all(node, board, {"ada": 1})
    url = f"/v1/boards/{board}/top"
    first = await hot(node, url)
    for score in (2, 3):
        before = (await node.http.get(url)).json()["version"]
        seq = (await submit(node, board, "ada", score))["seq"]
        assert (await get(node, url, after=f"ada:{seq}"))["version"] == before + 1

        async def changed(before: int = before) -> Any:
            answer = await node.http.get(url, headers={"If-None-Match": first.headers["etag"]})
            return answer.status_code == 200 and answer.json()["version"] == before + 1 and answer

        assert (await eventually(changed)).json()["entries"][0]["score"] == score


async def test_a_hot_board_is_read_without_asking_redis(
    shared: HeldStack, board: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every few seconds a node compares its version with that of Redis, which asks it too: this one does not.
    async with shared.node(check_every=3600) as node:
        await reads_without_asking(node, board, monkeypatch)


async def reads_without_asking(node: Node, board: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await put_board(node, board)
    await rank_all(node, board, {f"p{number}": number for number in range(150)})
    url = f"/v1/boards/{board}/top"
    expected = await get(node, url, limit=100)
    await hot(node, url)
    asked: list[str] = []
    run = RedisRanking._run

    async def counted(self: RedisRanking, script: str, key: Any, parts: str, *args: Any) -> Any:
        # What the other nodes do for other boards meanwhile is not the question, nor what the worker, in this process too, applies.
        if script != "apply" and key == (await node.service.directory.get(board)).key:
            asked.append(script)
        return await run(self, script, key, parts, *args)

    monkeypatch.setattr(RedisRanking, "_run", counted)
    for limit, offset in ((10, 0), (100, 0), (5, 95), (1, 99)):
        found = await get(node, url, limit=limit, offset=offset)
        assert found["entries"] == expected["entries"][offset : offset + limit]
    assert asked == []
    await get(node, url, limit=10, offset=95)
    assert asked == ["page"]


async def test_a_tag_names_one_body_while_the_board_is_edited_under_load(nodes: tuple[Node, Node], board: str) -> None:
    await put_board(nodes[0], board)
    await rank_all(nodes[0], board, {"ada": 5, "bob": 5, "cid": 5})
    url = f"/v1/boards/{board}/top"
    for node in nodes:
        await hot(node, url)
    bodies: dict[tuple[str, str], set[bytes]] = {}
    done = asyncio.Event()

    async def read(node: Node, http: httpx.AsyncClient, path: str) -> None:
        while not done.is_set():
            answer = await http.get(f"{node.url}/v1/boards/{board}/{path}")
            # An answer that is stale has no tag.
            bodies.setdefault((path, answer.headers.get("etag", "")), set()).add(answer.content)

    async with httpx.AsyncClient(timeout=PATIENCE) as anonymous:
        paths = ("top", "top?offset=1&limit=100", "players/bob", "players/bob/around")
        callers = [(node, http, path) for node in nodes for http in (node.http, anonymous) for path in paths]
        readers = [asyncio.create_task(read(*caller)) for caller in callers]
        try:
            for mode in ("ordinal", "competition") * 3:
                assert (await put_board(nodes[0], board, ranks=mode))["ranks"] == mode

                async def seen(mode: str = mode) -> bool:
                    tops = [await node.http.get(url) for node in nodes]
                    return all(top.json()["ranks"] == mode for top in tops)

                await eventually(seen)
        finally:
            done.set()
            await asyncio.gather(*readers)
    assert len({tag for _, tag in bodies}) >= 6
    assert [named for named, found in bodies.items() if named[1] and len(found) > 1] == []


# -- players -------------------------------------------------------------------------------------------------------------


async def test_a_removed_player_is_gone_for_late_duplicates_and_back_with_a_new_score(node: Node, board: str) -> None:
    await put_board(node, board)
    await rank_all(node, board, {"ada": 9, "bob": 5})
    before = await get(node, f"/v1/boards/{board}/top")
    removed = await node.http.delete(f"/v1/boards/{board}/players/ada")
    seq = removed.json()["seq"]
    assert removed.json() == {"player": "ada", "seq": seq}
    now = await get(node, f"/v1/boards/{board}/top", after=f"ada:{seq}")
    assert ranks_of(now) == [(1, "bob")]
    assert (now["total"], now["version"]) == (1, before["version"] + 1)
    assert problem(await node.http.get(f"/v1/boards/{board}/players/ada")) == (404, "player_unknown")
    for player in ("ada", "nobody"):
        again = await node.http.delete(f"/v1/boards/{board}/players/{player}")
        assert problem(again) == (404, "player_unknown")
    back = await submit(node, board, "ada", 2)
    assert (back["best"], back["improved"]) == (2, True)
    assert back["seq"] > seq
    top = await get(node, f"/v1/boards/{board}/top", after=f"ada:{back['seq']}")
    assert ranks_of(top) == [(1, "bob"), (2, "ada")]


async def test_a_sum_begins_anew_after_a_removal(node: Node, board: str) -> None:
    await put_board(node, board, operator="sum")
    await submit(node, board, "ada", 40)
    await node.http.delete(f"/v1/boards/{board}/players/ada")
    assert (await submit(node, board, "ada", 2))["best"] == 2


async def test_a_new_name_shows_on_every_board_under_a_new_version(node: Node, board: str) -> None:
    boards = [board, f"{board}.2"]
    player = board.split(".", maxsplit=1)[0]
    before = {}
    for name in boards:
        await put_board(node, name)
        seq = (await submit(node, name, player, 1))["seq"]
        before[name] = await get(node, f"/v1/boards/{name}/top", after=f"{player}:{seq}")
        assert before[name]["entries"][0]["name"] == player
        await hot(node, f"/v1/boards/{name}/top")
    profile = await node.http.put(f"/v1/players/{player}", json={"name": "Ada", "country": "GB"})
    assert profile.json() == {
        "player": player,
        "name": "Ada",
        "country": "GB",
        "picture": None,
        "seq": profile.json()["seq"],
    }
    for name in boards:

        async def renamed(name: str = name) -> Any:
            top = await get(node, f"/v1/boards/{name}/top")
            return top["entries"][0]["name"] == "Ada" and top

        now = await eventually(renamed)
        assert now["version"] == before[name]["version"] + 1
        assert now["entries"][0]["country"] == "GB"
        # The entry's own seq stands: a new name is no new score.
        assert now["entries"][0]["seq"] == before[name]["entries"][0]["seq"]
        assert (await get(node, f"/v1/boards/{name}/players/{player}"))["name"] == "Ada"


async def test_a_profile_keeps_what_is_not_named_and_null_clears(node: Node, board: str) -> None:
    url = f"/v1/players/{board}"
    seqs = []
    for sent, shown in (
        ({}, (None, None)),
        ({"name": "Ada"}, ("Ada", None)),
        ({"country": "GB"}, ("Ada", "GB")),
        ({"country": "GB"}, ("Ada", "GB")),
        ({"name": None}, (None, "GB")),
    ):
        profile = (await node.http.put(url, json=sent)).json()
        assert (profile["name"], profile["country"]) == shown
        seqs.append(profile["seq"])
    # What changes nothing is no change.
    assert seqs[0] == 0
    assert seqs[1] < seqs[2] == seqs[3] < seqs[4]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": ""}, "field_invalid"),
        ({"name": "x" * 65}, "field_invalid"),
        ({"name": "a\u2028b"}, "field_invalid"),
        ({"name": 7}, "field_invalid"),
        ({"country": "gb"}, "field_invalid"),
        ({"country": "GBR"}, "field_invalid"),
        ({"country": "GB\n"}, "field_invalid"),
        ({"country": 7}, "field_invalid"),
        ({"picture": "https://example.org/a.png"}, "field_invalid"),
        ([], "field_invalid"),
        (None, "field_invalid"),
    ],
)
async def test_a_profile_that_is_none_is_refused(node: Node, board: str, body: object, code: str) -> None:
    answer = await node.http.put(f"/v1/players/{board}", content=orjson.dumps(body))
    assert problem(answer) == (400, code)
    assert problem(await node.http.put(f"/v1/players/{'x' * 65}", json={})) == (400, "id_invalid")


# -- while the ranking is away -------------------------------------------------------------------------------------------


async def test_reads_are_answered_by_the_store_and_marked_where_the_ranking_is_away(held: HeldStack) -> None:
    """No worker ever ran: Redis is there and has no board."""
    async with held.node() as node:
        await put_board(node, "points")
        await submit_all(node, "points", {"ada": 9, "bob": 7, "cid": 7, "dee": 1})
        top = await node.http.get("/v1/boards/points/top")
        assert top.headers["cache-control"] == "no-store"
        assert "etag" not in top.headers
        body = top.json()
        assert (body["epoch"], body["version"], body["stale"], body["total"]) == (None, None, True, 4)
        assert ranks_of(body) == [(1, "ada"), (2, "bob"), (2, "cid"), (4, "dee")]
        assert without_rank(body["entries"])[0]["score"] == 9
        alone = await get(node, "/v1/boards/points/players/cid")
        assert (alone["rank"], alone["position"], alone["stale"], alone["percentile"]) == (2, 2, True, 75.0)
        around = await get(node, "/v1/boards/points/players/dee/around", radius=1)
        assert (ranks_of(around), around["position"], around["stale"]) == ([(2, "cid"), (4, "dee")], 2, True)
        ranks = await node.http.post("/v1/boards/points/ranks", json={"players": ["dee", "eve"]})
        assert [one["rank"] for one in ranks.json()["entries"]] == [4, None]
        assert ranks.json()["stale"]
