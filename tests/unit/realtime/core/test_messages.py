from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import orjson
import pytest

from realtime.core import closing, messages, sortkey
from realtime.core.errors import BadRequest, FieldInvalid, IdInvalid, MessageInvalid
from realtime.core.messages import Around, Authenticate, Own, Ping, Subscribe, Top, Unsubscribe
from realtime.core.model import BoardSpec, Column, RankMode, Row
from realtime.core.points import AroundPoint, PlayerPoint
from realtime.core.window import Window

WINDOW = Window(7, 3, 12, (Row("ann", b"", (2,), 5, "Ann", "GB"), Row("bob", b"", (1,), 6, "Bö\tb", None, "b.png")))


@pytest.mark.parametrize(
    ("sent", "request_"),
    [
        ({"op": "subscribe", "id": 1, "board": "b", "view": "top"}, Subscribe(1, "b", Top(10))),
        ({"op": "subscribe", "id": "x", "board": "b", "view": "top", "limit": 100}, Subscribe("x", "b", Top(100))),
        ({"op": "subscribe", "id": 0, "board": "b.-_9", "view": "top", "limit": 25}, Subscribe(0, "b.-_9", Top(25))),
        ({"op": "subscribe", "id": 1, "board": "b", "view": "player"}, Subscribe(1, "b", Own("me"))),
        ({"op": "subscribe", "id": 1, "board": "b", "view": "player", "player": "p1"}, Subscribe(1, "b", Own("p1"))),
        ({"op": "subscribe", "id": 1, "board": "b", "view": "around"}, Subscribe(1, "b", Around("me", 5))),
        (
            {"op": "subscribe", "id": 1, "board": "b", "view": "around", "player": "p1", "radius": 10},
            Subscribe(1, "b", Around("p1", 10)),
        ),
        (
            {"op": "subscribe", "id": 1, "board": "b", "view": "top", "resume": {"epoch": 3, "version": 17}},
            Subscribe(1, "b", Top(10), (3, 17)),
        ),
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
        ({**SUBSCRIBE, "view": "player", "player": "a/b"}, IdInvalid),
        ({**SUBSCRIBE, "view": "player", "player": None}, IdInvalid),
        ({**SUBSCRIBE, "view": "around", "player": 7}, IdInvalid),
        ({**SUBSCRIBE, "view": "around", "radius": 0}, FieldInvalid),
        ({**SUBSCRIBE, "view": "around", "radius": 11}, FieldInvalid),
        ({**SUBSCRIBE, "view": "around", "radius": True}, FieldInvalid),
        ({**SUBSCRIBE, "view": "around", "radius": "5"}, FieldInvalid),
        ({**SUBSCRIBE, "resume": 5}, FieldInvalid),
        ({**SUBSCRIBE, "resume": {}}, FieldInvalid),
        ({**SUBSCRIBE, "resume": {"epoch": 1, "version": -1}}, FieldInvalid),
        ({**SUBSCRIBE, "resume": {"epoch": True, "version": 1}}, FieldInvalid),
        ({**SUBSCRIBE, "resume": {"epoch": 1, "version": 2**63}}, FieldInvalid),
        ({"op": "unsubscribe"}, MessageInvalid),
        ({"op": "unsubscribe", "topic": 5}, MessageInvalid),
        ({"op": "unsubscribe", "topic": "t", "id": {}}, MessageInvalid),
        ({"op": "auth"}, MessageInvalid),
        ({"op": "auth", "token": 5}, MessageInvalid),
    ],
)
def test_a_bad_message_is_refused_and_never_crashes(sent: Any, refusal: type[BadRequest]) -> None:
    text = orjson.dumps(sent) if isinstance(sent, dict) else sent
    with pytest.raises(BadRequest) as refused:
        messages.parse(text)
    assert type(refused.value) is refusal
    messages.request_id(text)


def test_how_long_a_token_may_be_is_for_its_verifier_to_say() -> None:
    token = "x" * 12_000
    assert messages.parse(orjson.dumps({"op": "auth", "token": token})) == messages.Authenticate(token)


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


SPEC = BoardSpec(title="", columns=(Column("score"),))
KEY = sortkey.encode(SPEC.columns, (70,), 5)


def test_a_rank_says_where_a_player_stands_and_how_far_it_came() -> None:
    since, place = PlayerPoint(7, 3, 40, SPEC, KEY, 12, 11), PlayerPoint(7, 5, 41, SPEC, KEY, 9, 9)
    assert told(messages.rank("t", place, since, ["bob"])) == {
        "type": "rank",
        "topic": "t",
        "epoch": 7,
        "from": 3,
        "version": 5,
        "rank": 9,
        "position": 9,
        "score": 70,
        "seq": 5,
        "of": 41,
        "moved": 2,
        "passed_by": ["bob"],
    }
    ordinal = replace(SPEC, ranks=RankMode.ORDINAL)
    frame = told(messages.rank("t", place._replace(spec=ordinal), since._replace(spec=ordinal), []))
    assert (frame["rank"], frame["moved"]) == (10, 3)


def test_the_rank_of_who_is_not_ranked_is_null() -> None:
    nowhere, place = PlayerPoint(7, 3, 40, SPEC), PlayerPoint(7, 5, 41, SPEC, KEY, 9, 9)
    frame = told(messages.rank("t", nowhere, place, []))
    assert [frame[name] for name in ("rank", "position", "score", "seq", "of", "moved")] == [None] * 4 + [40, 0]
    assert told(messages.rank("t", place, nowhere, []))["moved"] == 0


def test_a_check_of_a_player_carries_its_rank() -> None:
    frame = told(messages.check_player("t", "ann", PlayerPoint(7, 5, 41, SPEC, KEY, 9, 9)))
    crc = zlib.crc32(b"ann\t5\t\n")
    assert frame == {"type": "check", "topic": "t", "epoch": 7, "version": 5, "total": 41, "crc": crc, "rank": 9}
    frame = told(messages.check_player("t", "ann", PlayerPoint(7, 5, 41, SPEC)))
    assert (frame["crc"], frame["rank"]) == (0, None)


def test_a_stretch_is_told_with_the_position_and_the_rank_of_its_first_row() -> None:
    rows = (WINDOW.rows[0], WINDOW.rows[1]._replace(score=(2,)))
    stretch = AroundPoint(7, 3, 12, SPEC, 5, 4, rows)
    frame = told(messages.snapshot_around("t", Around("ann", 1), stretch))
    assert [frame[name] for name in ("position", "player", "radius", "limit", "total")] == [5, "ann", 1, 3, 12]
    assert [entry["rank"] for entry in frame["entries"]] == [4, 4]
    frame = told(messages.delta_around("t", stretch, 2, [("out", 2)]))
    assert [frame[name] for name in ("from", "to", "position", "rank", "ops")] == [2, 3, 5, 4, [["out", 2]]]
    frame = told(messages.delta_around("t", replace(stretch, spec=replace(SPEC, ranks=RankMode.ORDINAL)), 2, []))
    assert (frame["position"], frame["rank"]) == (5, 6)
    frame = told(messages.check_around("t", stretch))
    assert (frame["crc"], frame["position"]) == (messages.checksum(rows), 5)


def test_the_stretch_around_who_is_not_ranked_is_empty() -> None:
    nowhere = AroundPoint(7, 3, 12, SPEC)
    frame = told(messages.snapshot_around("t", Around("ann", 1), nowhere))
    assert (frame["position"], frame["entries"]) == (None, [])
    frame = told(messages.delta_around("t", nowhere, 2, []))
    assert (frame["position"], frame["rank"]) == (None, None)


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
    assert told(messages.drain(1500)) == {"type": "drain", "reconnect_in_ms": 1500}
    assert told(messages.closed(closing.SILENT)) == {"type": "closed", "code": 4002, "reason": closing.SILENT.reason}


def test_an_error_names_its_request_or_its_topic_only_where_it_has_one() -> None:
    assert told(messages.error("c", "m")) == {"type": "error", "code": "c", "message": "m"}
    assert told(messages.error("c", "m", request=0)) == {"type": "error", "id": 0, "code": "c", "message": "m"}
    assert told(messages.error("c", "m", topic="t")) == {"type": "error", "topic": "t", "code": "c", "message": "m"}
