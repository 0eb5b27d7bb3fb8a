from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

import orjson
import pytest
from starlette.requests import Request

from api.body import Constant, after, decode, integer, read_json, receive_body
from realtime.core.errors import BodyInvalid, BodyTooLarge, IdInvalid, QueryInvalid


class Sender:
    """What a server hands over of a body, chunk by chunk; it counts what was asked for."""

    def __init__(self, *chunks: bytes, end: str = "http.request") -> None:
        self.asked = 0
        self._messages = self._of(chunks, end)

    @staticmethod
    def _of(chunks: tuple[bytes, ...], end: str) -> Iterator[dict[str, Any]]:
        for chunk in chunks[:-1]:
            yield {"type": "http.request", "body": chunk, "more_body": True}
        yield {"type": end, "body": chunks[-1]} if end == "http.request" else {"type": end}

    async def __call__(self) -> dict[str, Any]:
        self.asked += 1
        return next(self._messages)


def asking(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


async def test_a_body_is_what_its_chunks_make() -> None:
    request = Request({"type": "http", "headers": []}, Sender(b'{"a":', b"", b" [1]}"))
    assert await read_json(request, 10) == {"a": [1]}


async def test_a_body_may_have_exactly_as_many_bytes_as_are_taken() -> None:
    assert await receive_body([(b"content-length", b"4")], Sender(b"12", b"34"), 4) == b"1234"
    with pytest.raises(BodyTooLarge):
        await receive_body([], Sender(b"12", b"345"), 4)


async def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    sender = Sender(b"12345")
    with pytest.raises(BodyTooLarge):
        await receive_body([(b"content-length", b"5")], sender, 4)
    assert sender.asked == 0


async def test_a_body_that_grows_too_large_is_read_no_further() -> None:
    sender = Sender(*[b"12"] * 100)
    with pytest.raises(BodyTooLarge):
        await receive_body([], sender, 4)
    assert sender.asked == 3


async def test_a_caller_that_leaves_in_the_middle_has_sent_no_body() -> None:
    with pytest.raises(BodyInvalid, match="ended early"):
        await receive_body([], Sender(b"12", b"", end="http.disconnect"), 10)


@pytest.mark.parametrize(
    "body", [b"", b" ", b"{", b"{'a': 1}", b"[1,]", b"1 2", b"\xff", b'"\\ud800"', b"nan", b"[" * 5000]
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(BodyInvalid):
        decode(body)


def test_a_constant_that_json_does_not_know_is_left_to_its_row() -> None:
    rows = decode(b'[{"score": NaN}, {"score": [1, -Infinity]}, {"score": 18446744073709551617}]')
    assert [type(one) for one in (rows[0]["score"], *rows[1]["score"])] == [Constant, int, Constant]
    assert rows[2]["score"] == float(2**64)
    with pytest.raises(TypeError):
        orjson.dumps(rows)


@pytest.mark.parametrize("text", [b"1e999", b"-1e999", b"9" * 400, b"-" + b"9" * 5000, b"1" + b"0" * 400 + b".5"])
def test_a_number_beyond_a_double_is_left_to_its_row(text: bytes) -> None:
    rows = decode(b'[{"score": 1}, {"score": ' + text + b"}]")
    assert rows[0] == {"score": 1}
    number = rows[1]["score"]
    assert (type(number), number < 0) == (Constant, text.startswith(b"-"))
    assert isfinite(number)


@pytest.mark.parametrize("body", [b'[NaN, "\\ud800"]', b"[NaN, 01]", b"[" * 300 + b"NaN" + b"]" * 300, b"[NaN] \xff"])
def test_a_constant_excuses_nothing_else(body: bytes) -> None:
    with pytest.raises(BodyInvalid):
        decode(body)


def test_the_word_in_a_text_is_no_constant() -> None:
    assert decode(b'"NaN"') == "NaN"
    with pytest.raises(BodyInvalid):
        decode(b'{"NaN": }')


@pytest.mark.parametrize(("query", "value"), [("", 7), ("n=1", 1), ("n=100", 100), ("n=042", 42), ("m=5", 7)])
def test_an_integer_of_a_query_has_a_default(query: str, value: int) -> None:
    assert integer(asking(query), "n", 7, 1, 100) == value


@pytest.mark.parametrize(
    "text", ["", "0", "101", "-1", "+1", "1.0", "1e1", "%20%31", "ten", "%C2%B2", "%D9%A1", "9" * 19, "9" * 5000]
)
def test_an_integer_of_a_query_is_digits_within_bounds(text: str) -> None:
    with pytest.raises(QueryInvalid, match="n must be an integer from 1 to 100"):
        integer(asking(f"n={text}"), "n", 7, 1, 100)


def test_a_write_to_wait_for_is_a_player_and_a_seq() -> None:
    assert after(asking("")) is None
    assert after(asking("after=E10:8123")) == ("E10", 8123)
    assert after(asking("after=a.b_c-d%3A0")) == ("a.b_c-d", 0)


@pytest.mark.parametrize(
    "text", ["", "E10", "E10:", "8123", "E10:x", "E10:-1", "E10:1.0", "E10:" + "9" * 20, "E10:" + "9" * 5000]
)
def test_a_write_to_wait_for_without_a_seq_is_refused(text: str) -> None:
    with pytest.raises(QueryInvalid):
        after(asking(f"after={text}"))


@pytest.mark.parametrize("text", [":1", "a%20b:1", "a:b:1", "x" * 65 + ":1"])
def test_a_write_to_wait_for_is_of_a_player(text: str) -> None:
    with pytest.raises(IdInvalid):
        after(asking(f"after={text}"))
