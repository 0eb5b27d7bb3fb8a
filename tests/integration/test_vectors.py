"""The golden files (tests/vectors/README.md) against the node's encoder and parser, and both clients over them."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import orjson
import pytest
from jsonschema import ValidationError
from playwright._impl._driver import compute_driver_executable

from realtime.client.reducer import (
    OutOfStep,
    State,
    apply_check,
    apply_delta,
    checksum,
    entry_of,
    from_snapshot,
    mark_stale,
)
from realtime.core import errors, messages
from realtime.core.model import RankMode, Row
from realtime.core.window import Window
from tests import documents

# -- golden messages -----------------------------------------------------------------------------------------------------

TOPIC = "harbin/top/10"
BIG, LOW = 2**63 - 1, -(2**63)
TEN = Row("E10", b"", (3, 120), 11, "Ämter 10", "CN", "https://pictures.example/E10.png")
TWO = (TEN, Row("E11", b"", (3, 120), 12, "E11"))
ARCADE = (Row("ada", b"", (BIG,), 21, "ada"), Row("bob", b"", (2**53 - 1,), 22, "bob"))


def window(epoch: int, version: int, total: int, *rows: Row) -> Window:
    return Window(epoch, version, total, rows)


ENCODED: dict[str, list[bytes]] = {
    "welcome": [messages.welcome(25, 50)],
    "subscribed": [messages.subscribed(1, TOPIC, "snapshot"), messages.subscribed("left widget", TOPIC, "snapshot")],
    "unsubscribed": [messages.unsubscribed(2, TOPIC), messages.unsubscribed(None, TOPIC)],
    "authenticated": [messages.authenticated(1_893_456_000)],
    "snapshot": [
        messages.snapshot(TOPIC, window(7, 412, 231, *TWO), 10, RankMode.COMPETITION),
        messages.snapshot("arcade/top/50", window(9, 1, 2, *ARCADE), 50, RankMode.ORDINAL),
        messages.snapshot(TOPIC, window(8, 1, 0), 10, RankMode.COMPETITION),
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
    "check": [messages.check(TOPIC, window(7, 415, 233, *TWO), 10), messages.check(TOPIC, window(8, 1, 0), 10)],
    "stale": [messages.stale(TOPIC, 1_893_456_000)],
    "fresh": [messages.fresh(TOPIC)],
    "pong": [messages.pong()],
    "error": [
        messages.error("board_unknown", "there is no board 'harbin'", 1),
        messages.error("message_invalid", "a message is one JSON object"),
        messages.error("board_unknown", "there is no board 'harbin'", topic=TOPIC),
    ],
}


def test_there_is_a_golden_file_for_every_message() -> None:
    assert documents.vectors("server").keys() == documents.messages("send") == ENCODED.keys()
    assert documents.vectors("client").keys() == documents.messages("receive") | {"refused"}


@pytest.mark.parametrize("name", sorted(ENCODED))
def test_a_golden_message_is_what_the_node_encodes(name: str) -> None:
    golden = documents.vectors("server")[name]["messages"]
    assert [orjson.loads(frame) for frame in ENCODED[name]] == golden
    for frame in golden:
        documents.check_frame(frame)


PARSED: dict[str, list[messages.Request]] = {
    "auth": [messages.Authenticate("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl")],
    "subscribe": [messages.SubscribeTop(1, "harbin", 100), messages.SubscribeTop("left widget", "harbin", 10)],
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


def reduce(state: State | None, message: dict[str, Any]) -> State:
    if message["type"] == "snapshot":
        return from_snapshot(message)
    assert state is not None
    match message["type"]:
        case "delta":
            return apply_delta(state, message)
        case "check":
            return apply_check(state, message)
        case "stale" | "fresh":
            return mark_stale(state, stale=message["type"] == "stale")
        case other:
            raise AssertionError(f"a reducer file has no {other!r}")


def shown(state: State) -> dict[str, Any]:
    ranks = [entry.rank for entry in state.entries]
    return {
        "epoch": state.epoch,
        "version": state.version,
        "total": state.total,
        "stale": state.stale,
        "crc": checksum(state.rows),
        "entries": [dict(row) | {"rank": rank} for row, rank in zip(state.rows, ranks, strict=True)],
    }


@pytest.mark.parametrize("name", sorted(REDUCER))
def test_the_python_client_makes_of_a_topic_what_the_golden_file_says(name: str) -> None:
    state: State | None = None
    for step in REDUCER[name]["steps"]:
        if step.get("outOfStep"):
            with pytest.raises(OutOfStep):
                reduce(state, step["message"])
            continue
        state = reduce(state, step["message"])
        assert shown(state) == step["then"]
        # The typed entries carry the same values, whichever way the wire had to write them.
        assert state.entries == [entry_of(entry, entry["rank"]) for entry in step["then"]["entries"]]


@pytest.mark.parametrize("name", sorted(REDUCER))
def test_the_messages_of_a_golden_file_are_messages_of_the_contract(name: str) -> None:
    for step in REDUCER[name]["steps"]:
        assert ("then" in step) is not bool(step.get("outOfStep"))
        if not step.get("outOfStep"):
            documents.check_frame(step["message"])
            for entry in step["then"]["entries"]:
                documents.check_rest("Entry", entry)


def test_the_golden_files_have_every_operation_both_modes_and_strings() -> None:
    steps = [step for file in REDUCER.values() for step in file["steps"] if "then" in step]
    seen = {op[0] for step in steps if step["message"]["type"] == "delta" for op in step["message"]["ops"]}
    assert seen == {"out", "in", "move", "set"}
    modes = {step["message"]["ranks"] for step in steps if step["message"]["type"] == "snapshot"}
    assert modes == set(RankMode)
    assert any(isinstance(entry["score"], str) for step in steps for entry in step["then"]["entries"])


def test_the_browser_client_makes_of_a_topic_what_the_golden_files_say() -> None:
    node, _ = compute_driver_executable()
    suite = documents.ROOT / "tests" / "unit" / "web" / "vectors.test.mjs"
    ran = subprocess.run([node, "--test", suite], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"\bpass [1-9]", ran.stdout)
