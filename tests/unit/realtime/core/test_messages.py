from __future__ import annotations

import zlib
from typing import Any

import orjson
import pytest

from realtime.core import messages
from realtime.core.errors import BadRequest, FieldInvalid, IdInvalid, MessageInvalid
from realtime.core.messages import Authenticate, Ping, SubscribeTop, Unsubscribe
from realtime.core.model import RankMode, Row
from realtime.core.window import Window

WINDOW = Window(7, 3, 12, (Row("ann", b"", (2,), 5, "Ann", "GB"), Row("bob", b"", (1,), 6, "Bö\tb", None, "b.png")))


@pytest.mark.parametrize(
    ("sent", "request_"),
    [
        ({"op": "subscribe", "id": 1, "board": "b", "view": "top"}, SubscribeTop(1, "b", 10)),
        ({"op": "subscribe", "id": "x", "board": "b", "view": "top", "limit": 100}, SubscribeTop("x", "b", 100)),
        ({"op": "subscribe", "id": 0, "board": "b.-_9", "view": "top", "limit": 25}, SubscribeTop(0, "b.-_9", 25)),
        ({"op": "unsubscribe", "id": 2, "topic": "b/top/10"}, Unsubscribe(2, "b/top/10")),
        ({"op": "unsubscribe", "topic": "b/top/10"}, Unsubscribe(None, "b/top/10")),
        ({"op": "auth", "token": "abc"}, Authenticate("abc")),
        ({"op": "ping"}, Ping()),
        ({"op": "ping", "id": 1, "more": []}, Ping()),
    ],
)
def test_a_message_is_read_as_it_is_meant(sent: dict[str, Any], request_: messages.Request) -> None:
    assert messages.parse(orjson.dumps(sent)) == request_
    assert messages.parse(orjson.dumps(sent).decode()) == request_


SUBSCRIBE = {"op": "subscribe", "id": 1, "board": "b", "view": "top"}


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        (b"", MessageInvalid),
        (b"{", MessageInvalid),
        (b"\xff\xfe", MessageInvalid),
        (b"[" * 2000, MessageInvalid),
        ("\ud800", MessageInvalid),
        (b"[]", MessageInvalid),
        (b"null", MessageInvalid),
        (b'"ping"', MessageInvalid),
        (b"{}", MessageInvalid),
        ({"op": "dance"}, MessageInvalid),
        ({"op": None}, MessageInvalid),
        ({"op": ["ping"]}, MessageInvalid),
        ({**SUBSCRIBE, "id": None}, MessageInvalid),
        ({**SUBSCRIBE, "id": True}, MessageInvalid),
        ({**SUBSCRIBE, "id": 1.5}, MessageInvalid),
        ({**SUBSCRIBE, "id": []}, MessageInvalid),
        ({**SUBSCRIBE, "id": "x" * 65}, MessageInvalid),
        ({**SUBSCRIBE, "board": None}, IdInvalid),
        ({**SUBSCRIBE, "board": 5}, IdInvalid),
        ({**SUBSCRIBE, "board": ""}, IdInvalid),
        ({**SUBSCRIBE, "board": "a/b"}, IdInvalid),
        ({**SUBSCRIBE, "board": "b\n"}, IdInvalid),
        ({**SUBSCRIBE, "board": "x" * 65}, IdInvalid),
        ({**SUBSCRIBE, "view": "bottom"}, FieldInvalid),
        ({**SUBSCRIBE, "view": None}, FieldInvalid),
        ({**SUBSCRIBE, "view": ["top"]}, FieldInvalid),
        ({**SUBSCRIBE, "limit": 11}, FieldInvalid),
        ({**SUBSCRIBE, "limit": 0}, FieldInvalid),
        ({**SUBSCRIBE, "limit": "10"}, FieldInvalid),
        ({**SUBSCRIBE, "limit": None}, FieldInvalid),
        ({**SUBSCRIBE, "limit": True}, FieldInvalid),
        ({**SUBSCRIBE, "limit": [10]}, FieldInvalid),
        ({**SUBSCRIBE, "limit": {}}, FieldInvalid),
        ({"op": "unsubscribe"}, MessageInvalid),
        ({"op": "unsubscribe", "topic": 5}, MessageInvalid),
        ({"op": "unsubscribe", "topic": "t", "id": {}}, MessageInvalid),
        ({"op": "auth"}, MessageInvalid),
        ({"op": "auth", "token": 5}, MessageInvalid),
        ({"op": "auth", "token": "x" * 8193}, MessageInvalid),
    ],
)
def test_a_bad_message_is_refused_and_never_crashes(sent: Any, refusal: type[BadRequest]) -> None:
    text = orjson.dumps(sent) if isinstance(sent, dict) else sent
    with pytest.raises(BadRequest) as refused:
        messages.parse(text)
    assert type(refused.value) is refusal
    messages.request_id(text)


@pytest.mark.parametrize(
    ("text", "request_id"),
    [
        (b'{"id": 5}', 5),
        (b'{"id": "x", "op": 1}', "x"),
        (b'{"id": true}', None),
        (b"{}", None),
        (b"[]", None),
        (b"5", None),
        (b"{", None),
    ],
)
def test_an_error_names_the_request_where_it_can(text: bytes, request_id: messages.Id | None) -> None:
    assert messages.request_id(text) == request_id


def told(frame: bytes) -> dict[str, Any]:
    message: dict[str, Any] = orjson.loads(frame)
    return message


def test_a_snapshot_carries_its_rows_with_ranks() -> None:
    assert told(messages.snapshot("b/top/10", WINDOW, 10, RankMode.COMPETITION)) == {
        "type": "snapshot",
        "topic": "b/top/10",
        "epoch": 7,
        "version": 3,
        "total": 12,
        "ranks": "competition",
        "limit": 10,
        "entries": [
            {"rank": 1, "player": "ann", "name": "Ann", "score": 2, "seq": 5, "country": "GB", "picture": None},
            {"rank": 2, "player": "bob", "name": "Bö\tb", "score": 1, "seq": 6, "country": None, "picture": "b.png"},
        ],
    }


def test_a_snapshot_is_cut_at_its_limit() -> None:
    assert len(told(messages.snapshot("t", WINDOW, 1, RankMode.ORDINAL))["entries"]) == 1


def test_a_delta_says_from_where_it_leads_to_where() -> None:
    frame = told(messages.delta("t", WINDOW, 2, [("out", 1), ("move", 1, 0, {"name": None})]))
    assert frame == {
        "type": "delta",
        "topic": "t",
        "epoch": 7,
        "from": 2,
        "to": 3,
        "total": 12,
        "ops": [["out", 1], ["move", 1, 0, {"name": None}]],
    }


def test_a_check_carries_the_checksum_of_the_first_rows() -> None:
    lines = "ann\t5\tAnn\nbob\t6\tBö\tb\n".encode()
    frame = told(messages.check("t", WINDOW, 10))
    assert frame == {"type": "check", "topic": "t", "epoch": 7, "version": 3, "total": 12, "crc": zlib.crc32(lines)}
    assert told(messages.check("t", WINDOW, 1))["crc"] == zlib.crc32(b"ann\t5\tAnn\n")


def test_the_small_messages_carry_what_they_name() -> None:
    assert told(messages.welcome(25, 50)) == {"type": "welcome", "heartbeat": 25, "tick": 50}
    assert told(messages.subscribed(1, "t", "snapshot")) == {
        "type": "subscribed",
        "id": 1,
        "topic": "t",
        "mode": "snapshot",
    }
    assert told(messages.unsubscribed(None, "t")) == {"type": "unsubscribed", "id": None, "topic": "t"}
    assert told(messages.authenticated(99)) == {"type": "authenticated", "expires_at": 99}
    assert told(messages.pong()) == {"type": "pong"}
    assert told(messages.stale("t", 9)) == {"type": "stale", "topic": "t", "as_of": 9}
    assert told(messages.fresh("t")) == {"type": "fresh", "topic": "t"}


def test_an_error_names_its_request_or_its_topic_only_where_it_has_one() -> None:
    assert told(messages.error("c", "m")) == {"type": "error", "code": "c", "message": "m"}
    assert told(messages.error("c", "m", request=0)) == {"type": "error", "id": 0, "code": "c", "message": "m"}
    assert told(messages.error("c", "m", topic="t")) == {"type": "error", "topic": "t", "code": "c", "message": "m"}
