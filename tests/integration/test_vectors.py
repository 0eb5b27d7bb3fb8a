"""The golden files (tests/vectors/README.md) against the node's encoder and parser, and both clients over them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from typing import Any

import orjson
import pytest
from jsonschema import ValidationError
from playwright._impl._driver import compute_driver_executable

from realtime.client.player import PlayerState, player_checksum
from realtime.client.reducer import OutOfStep, State, checksum, entry_of
from realtime.client.topic import Held, follow
from realtime.core import closing, errors, messages, sortkey
from realtime.core.model import BoardSpec, Column, Direction, RankMode, Row
from realtime.core.points import AroundPoint, PlayerPoint
from realtime.core.scores import wire_score
from realtime.core.window import Window
from tests import documents

# -- golden messages -----------------------------------------------------------------------------------------------------

TOPIC = "harbin/top/10"
BIG, LOW = 2**63 - 1, -(2**63)
TEN = Row("E10", b"", (3, 120), 11, "Ämter 10", "CN", "https://pictures.example/E10.png")
TWO = (TEN, Row("E11", b"", (3, 120), 12, "E11"))
ARCADE = (Row("ada", b"", (BIG,), 21, "ada"), Row("bob", b"", (2**53 - 1,), 22, "bob"))


PLAYER, AROUND = "harbin/player/E10", "harbin/around/E10/2"
HARBIN = BoardSpec(title="", columns=(Column("solved"), Column("penalty", Direction.ASC)))
SCALE = BoardSpec(title="", columns=(Column("points"),), ranks=RankMode.ORDINAL)
FIRST_COME = replace(HARBIN, ranks=RankMode.ORDINAL)
VIEW = messages.Around("E10", 2)
# Three share rank 5; the stretch begins with the last of them.
NEAR = (
    Row("E17", b"", (4, 90), 31, "E17"),
    Row("E18", b"", (3, 110), 32, "E18"),
    TEN,
    Row("E11", b"", (3, 120), 12, "E11"),
)


def stand(version: int, solved: int, penalty: int, seq: int, position: int, rank: int) -> PlayerPoint:
    return PlayerPoint(7, version, 231, HARBIN, sortkey.encode(HARBIN.columns, (solved, penalty), seq), position, rank)


FIRST, PASSED, AHEAD = stand(412, 3, 120, 11, 8, 9), stand(415, 3, 120, 11, 11, 11), stand(416, 4, 150, 33, 5, 6)
UNRANKED = PlayerPoint(7, 411, 230, HARBIN)
LARGE = PlayerPoint(9, 3, 7, SCALE, sortkey.encode(SCALE.columns, (LOW,), 2**53 - 1), 4, 3)


def window(epoch: int, version: int, total: int, *rows: Row) -> Window:
    return Window(epoch, version, total, rows)


ENCODED: dict[str, list[bytes]] = {
    "welcome": [messages.welcome(25, 50)],
    "closed": [messages.closed(closing.GOING_AWAY), messages.closed(closing.TOKEN_EXPIRED)],
    "subscribed": [messages.subscribed(1, TOPIC, "snapshot"), messages.subscribed("left widget", TOPIC, "snapshot")],
    "subscribed.resumed": [messages.subscribed(1, TOPIC, "resumed"), messages.subscribed(2, PLAYER, "resumed")],
    "unsubscribed": [messages.unsubscribed(2, TOPIC), messages.unsubscribed(None, TOPIC)],
    "authenticated": [messages.authenticated(1_893_456_000)],
    "snapshot": [
        messages.snapshot(TOPIC, window(7, 412, 231, *TWO), 10, RankMode.COMPETITION),
        messages.snapshot("arcade/top/50", window(9, 1, 2, *ARCADE), 50, RankMode.ORDINAL),
        messages.snapshot(TOPIC, window(8, 1, 0), 10, RankMode.COMPETITION),
    ],
    "snapshot.around": [
        messages.snapshot_around(AROUND, VIEW, AroundPoint(7, 412, 231, HARBIN, 6, 5, NEAR)),
        messages.snapshot_around(AROUND, VIEW, AroundPoint(7, 412, 231, FIRST_COME, 6, 5, NEAR)),
        messages.snapshot_around(AROUND, VIEW, AroundPoint(7, 411, 230, HARBIN)),
    ],
    "delta": [
        messages.delta(
            TOPIC,
            window(7, 414, 232),
            412,
            [
                ("out", 1),
                ("in", 1, messages.deltas.entry(Row("E12", b"", (3, 120), 13, "E12"))),
                ("set", 0, {"name": "Ten", "country": None}),
            ],
        ),
        messages.delta(TOPIC, window(7, 415, 232), 414, [("move", 1, 0, {"score": [4, 150], "seq": 14})]),
        messages.delta(
            TOPIC,
            window(7, 416, 231),
            415,
            [("set", 1, messages.deltas.patch(TWO[1], Row("E11", b"", (LOW, BIG), 15, "E11")))],
        ),
    ],
    "delta.around": [
        messages.delta_around(AROUND, AroundPoint(7, 413, 231, HARBIN, 7, 6, NEAR), 412, []),
        messages.delta_around(
            AROUND,
            AroundPoint(7, 415, 231, FIRST_COME, 8, 7, NEAR[1:]),
            413,
            [("out", 0), ("set", 1, {"name": "Ten"})],
        ),
        messages.delta_around(AROUND, AroundPoint(7, 416, 230, HARBIN), 415, [("out", 2), ("out", 1), ("out", 0)]),
    ],
    "rank": [
        messages.rank(PLAYER, UNRANKED, UNRANKED, ()),
        messages.rank(PLAYER, FIRST, UNRANKED, ()),
        messages.rank(PLAYER, FIRST, FIRST, ()),
        messages.rank(PLAYER, PASSED, FIRST, ("E17", "E18", "E12")),
        messages.rank(PLAYER, AHEAD, PASSED, ()),
        messages.rank(PLAYER, UNRANKED._replace(version=417), AHEAD, ()),
        messages.rank("arcade/player/ada", LARGE, LARGE, ()),
    ],
    "check.player": [
        messages.check_player(PLAYER, "E10", FIRST._replace(version=414, total=232)),
        messages.check_player(PLAYER, "E10", UNRANKED),
    ],
    "check.around": [
        messages.check_around(AROUND, AroundPoint(7, 412, 231, HARBIN, 6, 5, NEAR)),
        messages.check_around(AROUND, AroundPoint(7, 411, 230, HARBIN)),
    ],
    "drain": [messages.drain(7340), messages.drain(0)],
    "check": [messages.check(TOPIC, window(7, 415, 233, *TWO), 10), messages.check(TOPIC, window(8, 1, 0), 10)],
    "stale": [messages.stale(TOPIC, 1_893_456_000)],
    "fresh": [messages.fresh(TOPIC)],
    "pong": [messages.pong()],
    "error": [
        messages.error("board_unknown", "there is no board 'harbin'", 1),
        messages.error("message_invalid", "a message is one JSON object"),
        messages.error("board_unknown", "there is no board 'harbin'", topic=TOPIC),
    ],
    "error.token-expiring": [messages.error("token_expiring", "the token expires in 30 s: send auth with a new one")],
    "error.rate-limited": [
        messages.error("rate_limited", "a message every 0.05 s is taken", 4),
        messages.error("rate_limited", "a message every 0.05 s is taken"),
    ],
    "error.unauthenticated": [
        messages.error("unauthenticated", "me is whoever a token names: send auth first", 2),
        messages.error("unauthenticated", "the token has expired"),
    ],
}


def test_there_is_a_golden_file_for_every_message() -> None:
    assert documents.vectors("server").keys() == ENCODED.keys()
    assert {name.partition(".")[0] for name in ENCODED} == documents.messages("send")
    assert documents.vectors("client").keys() == PARSED.keys() | {"refused"}
    assert {name.partition(".")[0] for name in PARSED} == documents.messages("receive")


@pytest.mark.parametrize("name", sorted(ENCODED))
def test_a_golden_message_is_what_the_node_encodes(name: str) -> None:
    golden = documents.vectors("server")[name]["messages"]
    assert [orjson.loads(frame) for frame in ENCODED[name]] == golden
    for frame in golden:
        documents.check_frame(frame)


PARSED: dict[str, list[messages.Request]] = {
    "auth": [messages.Authenticate("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl")],
    "subscribe": [
        messages.Subscribe(1, "harbin", messages.Top(100)),
        messages.Subscribe("left widget", "harbin", messages.Top(10)),
    ],
    "subscribe.player": [messages.Subscribe(2, "harbin", messages.Own("E10"))],
    "subscribe.me": [
        messages.Subscribe(2, "harbin", messages.Own("me")),
        messages.Subscribe(2, "harbin", messages.Own("me")),
        messages.Subscribe(3, "harbin", messages.Around("me", 5)),
    ],
    "subscribe.around": [
        messages.Subscribe(3, "harbin", messages.Around("E10", 5)),
        messages.Subscribe(3, "harbin", messages.Around("E10", 10)),
    ],
    "subscribe.resume": [
        messages.Subscribe(1, "harbin", messages.Top(100), (7, 412)),
        messages.Subscribe(2, "harbin", messages.Own("me"), (7, 412)),
        messages.Subscribe(3, "harbin", messages.Around("E10", 5), (7, 412)),
        messages.Subscribe(1, "harbin", messages.Top(10), (0, 0)),
    ],
    "unsubscribe": [messages.Unsubscribe(2, "harbin/top/100"), messages.Unsubscribe(None, "harbin/top/100")],
    "ping": [messages.Ping()],
}


@pytest.mark.parametrize("name", sorted(PARSED))
def test_a_golden_message_of_a_client_is_understood(name: str) -> None:
    golden = documents.vectors("client")[name]["messages"]
    assert [messages.parse(orjson.dumps(one)) for one in golden] == PARSED[name]
    for message in golden:
        documents.check_op(message)


REFUSED = documents.vectors("client")["refused"]["refused"]


@pytest.mark.parametrize("one", REFUSED, ids=[one["text"][:60] or "nothing" for one in REFUSED])
def test_a_message_that_the_contract_does_not_know_is_refused_by_node_and_schema(one: dict[str, Any]) -> None:
    with pytest.raises(errors.RankcastError) as raised:
        messages.parse(one["text"])
    assert raised.value.code == one["code"]
    assert messages.request_id(one["text"]) == one["id"]
    try:
        message = orjson.loads(one["text"])
    except orjson.JSONDecodeError:
        return
    with pytest.raises((ValidationError, AssertionError, KeyError, TypeError)):
        documents.check_op(message)


# -- reducers ------------------------------------------------------------------------------------------------------------

REDUCER = documents.vectors("reducer")


def shown(held: Held) -> dict[str, Any]:
    common = {"epoch": held.epoch, "version": held.version, "stale": held.stale}
    if isinstance(held, PlayerState):
        return common | {
            "of": held.of,
            "crc": player_checksum(held),
            "player": held.player,
            "rank": held.rank,
            "position": held.position,
            "score": None if held.score is None else wire_score(held.score),
            "seq": held.seq,
            "moved": held.moved,
            "passed_by": list(held.passed_by),
        }
    ranks = [entry.rank for entry in held.entries]
    around = {"position": held.position} if "/around/" in held.topic else {}
    return (
        common
        | around
        | {
            "total": held.total,
            "crc": checksum(held.rows),
            "entries": [dict(row) | {"rank": rank} for row, rank in zip(held.rows, ranks, strict=True)],
        }
    )


@pytest.mark.parametrize("name", sorted(REDUCER))
def test_the_python_client_makes_of_a_topic_what_the_golden_file_says(name: str) -> None:
    held: Held | None = None
    for step in REDUCER[name]["steps"]:
        if step.get("outOfStep"):
            with pytest.raises(OutOfStep):
                follow(held, step["message"])
            continue
        held = follow(held, step["message"])
        assert shown(held) == step["then"]
        if isinstance(held, State):
            # The typed entries carry the same values, whichever way the wire had to write them.
            assert held.entries == [entry_of(entry, entry["rank"]) for entry in step["then"]["entries"]]


@pytest.mark.parametrize("name", sorted(REDUCER))
def test_the_messages_of_a_golden_file_are_messages_of_the_contract(name: str) -> None:
    for step in REDUCER[name]["steps"]:
        assert ("then" in step) is not bool(step.get("outOfStep"))
        if not step.get("outOfStep"):
            documents.check_frame(step["message"])
            for entry in step["then"].get("entries", ()):
                documents.check_rest("Entry", entry)


def test_the_golden_files_have_every_view_every_operation_both_modes_and_strings() -> None:
    steps = [step for file in REDUCER.values() for step in file["steps"] if "then" in step]
    assert {step["message"]["topic"].split("/")[1] for step in steps} == {"top", "player", "around"}
    seen = {op[0] for step in steps if step["message"]["type"] == "delta" for op in step["message"]["ops"]}
    assert seen == {"out", "in", "move", "set"}
    modes = {step["message"]["ranks"] for step in steps if step["message"]["type"] == "snapshot"}
    assert modes == set(RankMode)
    scores = [
        row["score"] for step in steps for row in (*step["then"].get("entries", ()), step["then"]) if "score" in row
    ]
    assert any(isinstance(score, str) for score in scores)


def test_the_browser_client_makes_of_a_topic_what_the_golden_files_say() -> None:
    node, _ = compute_driver_executable()
    suite = documents.ROOT / "tests" / "unit" / "web" / "vectors.test.mjs"
    ran = subprocess.run([node, "--test", suite], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"\bpass [1-9]", ran.stdout)
