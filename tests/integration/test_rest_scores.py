"""Submission call by call, against the real stack; every answer is held against openapi.json."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from tests.harness import Node
from tests.integration.held import HeldStack, problem, put_board, submit

TWO_COLUMNS = [{"name": "solved", "direction": "desc"}, {"name": "penalty", "direction": "asc"}]
INT64_MAX = 2**63 - 1

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes(shared: HeldStack) -> AsyncIterator[tuple[Node, Node]]:
    """Two nodes and no worker: the answers to submissions come of the store alone, and reads fall back to it."""
    async with shared.node() as one, shared.node() as two:
        yield one, two


@pytest.fixture
def node(nodes: tuple[Node, Node]) -> Node:
    return nodes[0]


async def standing(node: Node, board: str, player: str) -> dict[str, Any]:
    answer = await node.http.get(f"/v1/boards/{board}/players/{player}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def post(node: Node, board: str, body: object, **headers: str) -> tuple[int, str]:
    """Status and problem code of a refused submission."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return problem(await node.http.post(f"/v1/boards/{board}/scores", content=content, headers=headers))


# -- operators -----------------------------------------------------------------------------------------------------------


async def test_best_compares_the_columns_as_one_tuple(node: Node, board: str) -> None:
    await put_board(node, board, columns=TWO_COLUMNS)
    first = await submit(node, board, "ada", [3, 120])
    assert first == {"player": "ada", "score": [3, 120], "best": [3, 120], "improved": True, "seq": first["seq"]}
    for worse in ([3, 121], [2, 1], [3, 120], [0, 0]):
        answer = await submit(node, board, "ada", worse)
        assert answer == {**first, "score": worse, "improved": False}
    more = await submit(node, board, "ada", [4, 999])
    assert (more["best"], more["improved"]) == ([4, 999], True)
    assert more["seq"] > first["seq"]
    faster = await submit(node, board, "ada", [4, 998])
    assert (faster["best"], faster["improved"]) == ([4, 998], True)


async def test_latest_replaces_and_a_repetition_keeps_its_place_in_time(node: Node, board: str) -> None:
    await put_board(node, board, operator="latest")
    high = await submit(node, board, "ada", 10)
    low = await submit(node, board, "ada", 3)
    assert (low["best"], low["improved"]) == (3, True)
    assert low["seq"] > high["seq"]
    again = await submit(node, board, "ada", 3)
    assert again == {**low, "improved": False}


async def test_sum_adds_column_by_column_and_zero_changes_nothing(node: Node, board: str) -> None:
    await put_board(node, board, operator="sum", columns=TWO_COLUMNS)
    assert (await submit(node, board, "ada", [3, 50]))["best"] == [3, 50]
    second = await submit(node, board, "ada", [1, -20])
    assert (second["score"], second["best"], second["improved"]) == ([1, -20], [4, 30], True)
    assert await submit(node, board, "ada", [0, 0]) == {**second, "score": [0, 0], "improved": False}


async def test_a_sum_that_leaves_64_bits_is_refused_and_stands_as_it_was(node: Node, board: str) -> None:
    await put_board(node, board, operator="sum")
    await submit(node, board, "ada", str(INT64_MAX))
    assert await post(node, board, {"player": "ada", "score": 1}) == (422, "sum_overflow")
    assert (await submit(node, board, "ada", -1))["best"] == str(INT64_MAX - 1)


async def test_several_rows_of_one_player_in_a_batch_are_taken_in_their_order(node: Node, board: str) -> None:
    await put_board(node, board, operator="sum")
    rows = [{"player": "ada", "score": score} for score in (5, 7, 0, -2)]
    answer = await node.http.post(f"/v1/boards/{board}/scores/batch", json=rows)
    assert [(one["best"], one["improved"]) for one in answer.json()["results"]] == [
        (5, True),
        (12, True),
        (12, False),
        (10, True),
    ]


async def test_the_rows_of_a_batch_count_in_their_order_whatever_else_arrives(shared: HeldStack, board: str) -> None:
    async with shared.node(batch_size=20, batches_in_flight=4) as node:
        await put_board(node, board, operator="latest")

        async def send(player: str) -> list[int]:
            rows = [{"player": player, "score": score} for score in range(100)]
            answer = await node.http.post(f"/v1/boards/{board}/scores/batch", json=rows)
            return [one["seq"] for one in answer.json()["results"]]

        players = [f"{board.split('.', maxsplit=1)[0]}.{number}" for number in range(20)]
        for seqs in await asyncio.gather(*map(send, players)):
            assert seqs == sorted(seqs)
        for player in players:
            assert (await standing(node, board, player))["score"] == 99


# -- integers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"9007199254740991", 2**53 - 1),
        (b"9007199254740992", str(2**53)),
        (b'"9007199254740993"', str(2**53 + 1)),
        (b"9223372036854775807", str(INT64_MAX)),
        (b'"-9223372036854775808"', str(-(2**63))),
        (b"-9007199254740991", -(2**53 - 1)),
        (b'"17"', 17),
        (b"[17]", 17),
        (b"-0", 0),
    ],
)
async def test_an_integer_is_exact_and_a_string_beyond_what_a_browser_keeps(
    node: Node, sent: bytes, answered: object, board: str
) -> None:
    await put_board(node, board)
    answer = await node.http.post(f"/v1/boards/{board}/scores", content=b'{"player": "ada", "score": ' + sent + b"}")
    assert (answer.json()["score"], answer.json()["best"]) == (answered, answered)
    assert (await standing(node, board, "ada"))["score"] == answered


# -- what is refused -----------------------------------------------------------------------------------------------------

SCORES: list[tuple[bytes, tuple[int, str]]] = [
    (b"true", (422, "score_boolean")),
    (b"false", (422, "score_boolean")),
    (b"1.5", (422, "score_fraction")),
    (b"5.0", (422, "score_fraction")),
    (b"1e5", (422, "score_fraction")),
    (b"NaN", (422, "score_nan")),
    (b"Infinity", (422, "score_nan")),
    (b"-Infinity", (422, "score_nan")),
    (b"9223372036854775808", (422, "score_out_of_range")),
    (b"18446744073709551617", (422, "score_out_of_range")),
    (b"-9223372036854775809", (422, "score_out_of_range")),
    (b"1e400", (422, "score_out_of_range")),
    (b"-" + b"9" * 400, (422, "score_out_of_range")),
    (b'"9223372036854775808"', (422, "score_out_of_range")),
    (b"[]", (422, "score_columns")),
    (b"[1, 2]", (422, "score_columns")),
    (b"null", (422, "score_not_integer")),
    (b"[null]", (422, "score_not_integer")),
    (b"[[1]]", (422, "score_not_integer")),
    (b"{}", (422, "score_not_integer")),
    (b'"many"', (422, "score_not_integer")),
    (b'"1e5"', (422, "score_not_integer")),
    (b'"1.0"', (422, "score_not_integer")),
    (b'" 1"', (422, "score_not_integer")),
    (b'"01"', (422, "score_not_integer")),
    (b'""', (422, "score_not_integer")),
]
BODIES: list[tuple[bytes, tuple[int, str]]] = [
    (b"", (400, "json_invalid")),
    (b"{", (400, "json_invalid")),
    (b'{"player": "ada", "score": 1', (400, "json_invalid")),
    (b'{"player": "ada", "score": 01}', (400, "json_invalid")),
    (b'{"player": "ad\xff", "score": 1}', (400, "json_invalid")),
    (b'{"player": "\\ud800", "score": 1}', (400, "json_invalid")),
    (b"[" * 100_000, (400, "json_invalid")),
    (b"[]", (400, "field_invalid")),
    (b"null", (400, "field_invalid")),
    (b"7", (400, "field_invalid")),
    (b'{"player": "ada"}', (400, "field_invalid")),
    (b'{"score": 1}', (400, "field_invalid")),
    (b'{"player": "ada", "score": 1, "rank": 1}', (400, "field_invalid")),
    (b'{"player": "ada", "score": 1, "name": ""}', (400, "field_invalid")),
    (b'{"player": "ada", "score": 1, "name": 7}', (400, "field_invalid")),
    (b'{"player": "ada", "score": 1, "name": "a\\nb"}', (400, "field_invalid")),
    (b'{"player": "ada", "score": 1, "name": "a\\u0000"}', (400, "field_invalid")),
    (b'{"player": "ada", "score": 1, "name": "' + b"x" * 65 + b'"}', (400, "field_invalid")),
    (b'{"player": "ada", "score": 1, "metadata": [1]}', (400, "field_invalid")),
    (b'{"player": "ada", "score": 1, "metadata": {"a": "' + b"x" * 1024 + b'"}}', (400, "field_invalid")),
    (b'{"player": "' + b"x" * 65 + b'", "score": 1}', (400, "id_invalid")),
    (b'{"player": "", "score": 1}', (400, "id_invalid")),
    (b'{"player": "a b", "score": 1}', (400, "id_invalid")),
    (b'{"player": "\xc3\xa9", "score": 1}', (400, "id_invalid")),
    (b'{"player": 7, "score": 1}', (400, "id_invalid")),
    (b'{"player": null, "score": 1}', (400, "id_invalid")),
]


async def test_each_kind_of_wrong_score_has_its_own_code(node: Node, board: str) -> None:
    await put_board(node, board)
    for score, expected in SCORES:
        assert await post(node, board, b'{"player": "ada", "score": ' + score + b"}") == expected, score
    assert (await node.http.get(f"/v1/boards/{board}/players/ada")).status_code == 404


async def test_each_kind_of_wrong_body_has_its_own_code(node: Node, board: str) -> None:
    await put_board(node, board)
    for body, expected in BODIES:
        assert await post(node, board, body) == expected, body[:80]
    assert (await node.http.get(f"/v1/boards/{board}/players/ada")).status_code == 404


async def test_a_score_needs_one_value_a_column(node: Node, board: str) -> None:
    await put_board(node, board, columns=TWO_COLUMNS)
    for score in (3, [3], [3, 1, 1], "3"):
        assert await post(node, board, {"player": "ada", "score": score}) == (422, "score_columns")
    assert await post(node, board, {"player": "ada", "score": [3, True]}) == (422, "score_boolean")


async def test_a_score_for_a_board_that_is_not_there_is_refused(node: Node) -> None:
    assert await post(node, "nowhere", {"player": "ada", "score": 1}) == (404, "board_unknown")
    rows = [{"player": "ada", "score": 1}]
    assert problem(await node.http.post("/v1/boards/nowhere/scores/batch", json=rows)) == (404, "board_unknown")


async def test_a_body_of_5_megabytes_is_refused_whether_it_says_so_or_not(node: Node, board: str) -> None:
    await put_board(node, board)
    body = b'{"player": "ada", "score": 1, "name": "' + b"x" * 5_000_000 + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    for path in (f"/v1/boards/{board}/scores", f"/v1/boards/{board}/scores/batch"):
        for content in (body, chunks()):
            assert problem(await node.http.post(path, content=content)) == (413, "body_too_large")
    assert (await submit(node, board, "ada", 1))["best"] == 1


@pytest.mark.parametrize("body", [b"{}", b"null", b'"rows"', b'{"player": "ada", "score": 1}'])
async def test_a_batch_is_an_array(node: Node, body: bytes, board: str) -> None:
    await put_board(node, board)
    answer = await node.http.post(f"/v1/boards/{board}/scores/batch", content=body)
    assert problem(answer) == (400, "field_invalid")


async def test_a_batch_has_at_most_a_thousand_rows(node: Node, board: str) -> None:
    await put_board(node, board)
    rows = [{"player": f"p{number}", "score": number} for number in range(1001)]
    assert problem(await node.http.post(f"/v1/boards/{board}/scores/batch", json=rows)) == (400, "batch_too_large")
    taken = await node.http.post(f"/v1/boards/{board}/scores/batch", json=rows[:1000])
    assert [one["player"] for one in taken.json()["results"]] == [row["player"] for row in rows[:1000]]
    assert (await node.http.post(f"/v1/boards/{board}/scores/batch", json=[])).json() == {"results": []}


async def test_a_bad_row_never_fails_its_neighbours(node: Node, board: str) -> None:
    await put_board(node, board, operator="sum", minimum=-10)
    await submit(node, board, "full", str(INT64_MAX))
    bad: list[tuple[object, str]] = [
        (7, "field_invalid"),
        (None, "field_invalid"),
        ({}, "field_invalid"),
        ({"player": "x", "score": 1, "more": 1}, "field_invalid"),
        ({"player": "x" * 65, "score": 1}, "id_invalid"),
        ({"player": "x", "score": True}, "score_boolean"),
        ({"player": "x", "score": 1.5}, "score_fraction"),
        ({"player": "x", "score": 2**63}, "score_out_of_range"),
        ({"player": "x", "score": None}, "score_not_integer"),
        ({"player": "x", "score": [1, 2]}, "score_columns"),
        ({"player": "x", "score": -11}, "score_out_of_bounds"),
        ({"player": "full", "score": 1}, "sum_overflow"),
    ]
    rows: list[object] = []
    for number, (row, _) in enumerate(bad):
        rows += [{"player": f"good{number}", "score": number}, row]
    # JSON has no NaN; httpx and some games write it all the same.
    rows += [{"player": "x", "score": "NaN"}, {"player": "x", "score": 1, "metadata": {"a": "NaN"}}]
    content = orjson.dumps(rows).replace(b'"NaN"', b"NaN")
    answer = await node.http.post(f"/v1/boards/{board}/scores/batch", content=content)
    *results, nan, metadata = answer.json()["results"]
    assert (nan["code"], metadata["code"]) == ("score_nan", "field_invalid")
    assert [one["code"] for one in results[1::2]] == [code for _, code in bad]
    assert [one["player"] for one in results[::2]] == [f"good{number}" for number in range(len(bad))]
    for number in range(len(bad)):
        assert (await standing(node, board, f"good{number}"))["score"] == number
    assert (await node.http.get(f"/v1/boards/{board}/players/x")).status_code == 404


async def test_a_batch_of_which_nothing_can_be_taken_is_answered(node: Node, board: str) -> None:
    await put_board(node, board)
    answer = await node.http.post(f"/v1/boards/{board}/scores/batch", json=[{"player": "ada", "score": None}, 7])
    assert [one["code"] for one in answer.json()["results"]] == ["score_not_integer", "field_invalid"]


async def test_bounds_hold_for_each_column_and_for_what_a_sum_would_make(node: Node, board: str) -> None:
    await put_board(node, board, columns=TWO_COLUMNS, minimum=[0, 0], maximum=[13, None])
    for score in ([-1, 5], [14, 5], [3, -1]):
        assert await post(node, board, {"player": "ada", "score": score}) == (422, "score_out_of_bounds")
    assert (await submit(node, board, "ada", [13, INT64_MAX // 2**11]))["improved"]
    await put_board(node, f"{board}.sum", operator="sum", minimum=-5, maximum=100)
    await submit(node, f"{board}.sum", "ada", 60)
    assert await post(node, f"{board}.sum", {"player": "ada", "score": 41}) == (422, "score_out_of_bounds")
    assert (await submit(node, f"{board}.sum", "ada", 40))["best"] == 100


async def test_a_full_queue_refuses_and_says_when_to_come_back(shared: HeldStack, board: str) -> None:
    async with shared.node(queue_limit=1) as node:
        await put_board(node, board)
        rows = [{"player": "ada", "score": 1}, {"player": "bob", "score": 2}]
        refused = await node.http.post(f"/v1/boards/{board}/scores/batch", json=rows)
        assert problem(refused) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await submit(node, board, "ada", 1))["improved"]


# -- what comes with a score ---------------------------------------------------------------------------------------------


async def test_a_score_brings_the_players_name_and_its_own_metadata(node: Node, board: str) -> None:
    await put_board(node, board)
    await submit(node, board, "ada", 10, name="Ada 🎈", metadata={"level": 3, "zero": "\0"})
    await submit(node, board, "ada", 5, metadata={"level": 1})
    found = await standing(node, board, "ada")
    assert (found["name"], found["metadata"]) == ("Ada 🎈", {"level": 3, "zero": "\0"})
    await submit(node, board, "ada", 11)
    assert (await standing(node, board, "ada"))["metadata"] is None


# -- idempotency ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("operator", "best"), [("best", 9), ("latest", 4), ("sum", 13)])
async def test_a_repeat_under_one_key_is_answered_as_the_first_was(
    node: Node, operator: str, best: int, board: str
) -> None:
    await put_board(node, board, operator=operator)
    sent = {"json": {"player": "ada", "score": 9}, "headers": {"Idempotency-Key": "match 1"}}
    first = (await node.http.post(f"/v1/boards/{board}/scores", **sent)).json()
    await submit(node, board, "ada", 4)
    for _ in range(2):
        assert (await node.http.post(f"/v1/boards/{board}/scores", **sent)).json() == first
    assert (await standing(node, board, "ada"))["score"] == best


@pytest.mark.parametrize("operator", ["best", "latest", "sum"])
async def test_repeats_that_arrive_at_once_on_two_nodes_count_once(
    nodes: tuple[Node, Node], operator: str, board: str
) -> None:
    one, two = nodes
    await put_board(one, board, operator=operator)
    await submit(one, board, "ada", 1)
    sent = {"json": {"player": "ada", "score": 9}, "headers": {"Idempotency-Key": "k"}}
    calls = [node.http.post(f"/v1/boards/{board}/scores", **sent) for node in (one, two) * 8]
    answers = [answer.json() for answer in await asyncio.gather(*calls)]
    assert answers == [answers[0]] * len(calls)
    assert answers[0]["best"] == (10 if operator == "sum" else 9)
    assert (await standing(two, board, "ada"))["score"] == answers[0]["best"]


async def test_another_body_under_the_same_key_is_refused(node: Node, board: str) -> None:
    await put_board(node, board, operator="sum")
    key = {"Idempotency-Key": "k"}
    await node.http.post(f"/v1/boards/{board}/scores", json={"player": "ada", "score": 9}, headers=key)
    for other in (
        {"player": "ada", "score": 8},
        {"player": "bob", "score": 9},
        {"player": "ada", "score": 9, "name": "Ada"},
        {"player": "ada", "score": 9, "metadata": {}},
    ):
        assert await post(node, board, other, **key) == (422, "idempotency_mismatch")
    assert (await standing(node, board, "ada"))["score"] == 9


async def test_two_bodies_that_arrive_at_once_under_one_key_are_not_both_taken(
    nodes: tuple[Node, Node], board: str
) -> None:
    one, two = nodes
    await put_board(one, board, operator="sum")
    calls = [
        node.http.post(
            f"/v1/boards/{board}/scores",
            json={"player": "ada", "score": number % 2 + 1},
            headers={"Idempotency-Key": "k"},
        )
        for number, node in enumerate((one, two) * 8)
    ]
    answers = await asyncio.gather(*calls)
    taken = [answer.json() for answer in answers if answer.status_code == 200]
    assert taken == [taken[0]] * 8
    assert all(problem(one) == (422, "idempotency_mismatch") for one in answers if one.status_code != 200)
    assert (await standing(two, board, "ada"))["score"] == taken[0]["score"]


async def test_a_key_is_by_caller_board_and_row(node: Node, shared: HeldStack, board: str) -> None:
    for name in (board, f"{board}.2"):
        await put_board(node, name, operator="sum", writes="player")
    key = {"Idempotency-Key": "k"}
    rows = [{"player": "ada", "score": 1}, {"player": "ada", "score": 1}]
    for repeated in (None, True):
        answer = await node.http.post(f"/v1/boards/{board}/scores/batch", json=rows, headers=key)
        results = answer.json()["results"]
        assert [(one["best"], one.get("repeated")) for one in results] == [(1, repeated), (2, repeated)]
    other = await node.http.post(f"/v1/boards/{board}.2/scores", json=rows[0], headers=key)
    assert other.json()["best"] == 1
    player = shared.headers("player", "ada") | key
    own = await node.http.post(f"/v1/boards/{board}/scores", json={"score": 1}, headers=player)
    assert own.json()["best"] == 3


async def test_a_refused_submission_leaves_its_key_free(node: Node, board: str) -> None:
    await put_board(node, board, maximum=10)
    key = {"Idempotency-Key": "k"}
    assert await post(node, board, {"player": "ada", "score": 11}, **key) == (422, "score_out_of_bounds")
    taken = await node.http.post(f"/v1/boards/{board}/scores", json={"player": "ada", "score": 10}, headers=key)
    assert taken.json()["best"] == 10


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
async def test_a_key_is_printable_and_bounded(node: Node, key: str, board: str) -> None:
    await put_board(node, board)
    sent = {"player": "ada", "score": 1}
    assert await post(node, board, sent, **{"Idempotency-Key": key}) == (400, "field_invalid")
