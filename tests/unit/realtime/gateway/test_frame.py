from __future__ import annotations

import random
import zlib

import pytest

from realtime.core import websocket
from realtime.gateway import frame as frames
from realtime.gateway.frame import Encoding, Frame, deflate

LONG = b'{"type":"snapshot","topic":"b/top/10"}' * 20
NOISE = random.Random(7).randbytes(90)


@pytest.mark.parametrize("encoding", Encoding)
def test_each_encoding_is_made_once(encoding: Encoding) -> None:
    frame = Frame(LONG, (3, 17))
    assert frame.encoded(encoding) is frame.encoded(encoding)


def test_only_what_is_wanted_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "deflate", lambda _: pytest.fail("nobody asked for it"))
    frame = Frame(LONG)
    frame.encoded(Encoding.PLAIN)
    frame.encoded(Encoding.EVENTS)


def test_plain_is_a_text_frame() -> None:
    assert Frame(b"abc").encoded(Encoding.PLAIN) == b"\x81\x03abc"
    assert Frame(LONG).encoded(Encoding.PLAIN) == websocket.encode(websocket.TEXT, LONG)


def test_deflated_is_smaller_and_inflates_to_the_same_without_what_came_before() -> None:
    made = Frame(LONG).encoded(Encoding.DEFLATED)
    assert made[0] == 0xC1
    assert len(made) < len(LONG) / 5
    assert zlib.decompressobj(-zlib.MAX_WBITS).decompress(made[2:] + b"\x00\x00\xff\xff") == LONG
    assert Frame(LONG).encoded(Encoding.DEFLATED) == made


@pytest.mark.parametrize("text", [b"{}", b"a" * 63, NOISE])
def test_what_does_not_get_smaller_goes_plain_and_shares_its_bytes(text: bytes) -> None:
    frame = Frame(text)
    assert frame.encoded(Encoding.DEFLATED) is frame.encoded(Encoding.PLAIN)


def test_what_would_grow_is_told_from_what_is_too_short_to_try() -> None:
    assert len(deflate(NOISE)) >= len(NOISE) == 90


def test_an_event_carries_the_mark_by_which_its_reader_comes_back() -> None:
    assert Frame(b"{}", (3, 17)).encoded(Encoding.EVENTS) == b"id: 3-17\ndata: {}\n\n"


def test_what_leads_nowhere_carries_no_mark() -> None:
    assert Frame(b"{}").encoded(Encoding.EVENTS) == b"data: {}\n\n"
