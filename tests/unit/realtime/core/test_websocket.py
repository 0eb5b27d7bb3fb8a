from __future__ import annotations

import os
import random
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close as PeerClose
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from realtime.core import closing, websocket
from realtime.core.closing import Close
from realtime.core.websocket import CLOSE, CONTINUATION, PING, PONG, TEXT, Fault, Inbound

LIMIT = 1000


def masked(first: int, payload: bytes, mask: bytes = b"\x01\x02\x03\x04") -> bytes:
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 65536:
        head = bytes((first, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0xFF)) + size.to_bytes(8, "big")
    return head + mask + websocket.xor(payload, mask)


def taken(inbound: Inbound, *pieces: bytes) -> list[tuple[int, bytes]]:
    """What comes out, fragments left out."""
    frames = []
    for piece in pieces:
        inbound.feed(piece)
        while (frame := inbound.next()) is not None:
            if frame[0] != CONTINUATION:
                frames.append(frame)
    return frames


def fault(data: bytes, *, inflates: bool = False) -> Close:
    with pytest.raises(Fault) as refused:
        taken(Inbound(LIMIT, inflates=inflates), data)
    return refused.value.close


# -- against another implementation ------------------------------------------------------------------------------------

texts = st.text(max_size=300)
steps = st.one_of(
    st.tuples(st.just("text"), texts),
    st.tuples(st.just("fragments"), st.lists(texts, min_size=1, max_size=4).map(tuple)),
    st.tuples(st.just("ping"), st.binary(max_size=125)),
    st.tuples(st.just("pong"), st.binary(max_size=125)),
)


def client(*, deflates: bool) -> ClientProtocol:
    protocol = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=None)
    if deflates:
        protocol.extensions = [PerMessageDeflate(True, True, 15, 15)]
    return protocol


def said(peer: ClientProtocol, step: tuple[str, object]) -> Iterator[tuple[int, bytes]]:
    """Have the peer say it; what a reader must see."""
    match step:
        case ("text", str(text)):
            peer.send_text(text.encode())
            yield TEXT, text.encode()
        case ("fragments", tuple(parts)):
            for number, part in enumerate(parts):
                if number:
                    peer.send_ping(b"between")
                    yield PING, b"between"
                fin = number == len(parts) - 1
                if number:
                    peer.send_continuation(part.encode(), fin)
                else:
                    peer.send_text(part.encode(), fin)
            yield TEXT, "".join(parts).encode()
        case ("ping", bytes(payload)):
            peer.send_ping(payload)
            yield PING, payload
        case ("pong", bytes(payload)):
            peer.send_pong(payload)
            yield PONG, payload


def split(data: bytes, randomly: random.Random) -> Iterator[bytes]:
    while data:
        size = randomly.choice((1, 2, 3, 7, 50, 1000))
        yield data[:size]
        data = data[size:]


@given(st.lists(steps, max_size=12), st.booleans(), st.randoms(use_true_random=False))
def test_what_a_client_says_is_read_the_same_however_the_network_cuts_it(
    said_steps: list[tuple[str, object]], deflates: bool, randomly: random.Random
) -> None:
    peer = client(deflates=deflates)
    expected = [seen for step in said_steps for seen in said(peer, step)]
    peer.send_close(4321, "é bye")
    expected.append((CLOSE, (4321).to_bytes(2, "big") + "é bye".encode()))
    sent = b"".join(peer.data_to_send())
    for pieces in ([sent], list(split(sent, randomly)), [sent[at : at + 1] for at in range(len(sent))]):
        inbound = Inbound(10_000, inflates=deflates)
        assert taken(inbound, *pieces) == expected
        assert inbound.idle


@given(st.lists(st.tuples(st.binary(max_size=70_000), st.booleans()), max_size=5))
def test_what_a_server_says_is_read_by_a_client(payloads: list[tuple[bytes, bool]]) -> None:
    peer = client(deflates=True)
    for payload, compressed in payloads:
        carried = payload
        if compressed:
            packer = zlib.compressobj(wbits=-15)
            carried = (packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
        peer.receive_data(websocket.encode(TEXT, carried, compressed=compressed))
    peer.receive_data(websocket.encode(PING, b"p") + websocket.close_frame(4002, "x" * 200))
    *frames, ping, close = peer.events_received()
    assert [frame.data for frame in frames if isinstance(frame, Frame)] == [payload for payload, _ in payloads]
    assert isinstance(ping, Frame)
    assert (ping.opcode, ping.data) == (Opcode.PING, b"p")
    assert isinstance(close, Frame)
    assert PeerClose.parse(close.data) == PeerClose(4002, "x" * 123)


@given(st.binary(max_size=200), st.binary(min_size=4, max_size=4))
def test_the_mask_in_python_is_the_mask_in_c(data: bytes, mask: bytes) -> None:
    assert websocket.xor(data, mask) == bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
    assert websocket.unmask(data, mask) == websocket.xor(data, mask)


def test_a_long_reason_is_cut_where_a_character_ends() -> None:
    frame = websocket.close_frame(4000, "é" * 80)
    assert frame == bytes((0x88, 124)) + (4000).to_bytes(2, "big") + ("é" * 61).encode()


# -- one whole text ----------------------------------------------------------------------------------------------------


@given(st.text(st.characters(max_codepoint=127), max_size=125))
def test_a_short_text_in_one_piece_needs_no_state(text: str) -> None:
    assert websocket.whole_text(masked(0x81, text.encode(), os.urandom(4))) == text.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81",
        masked(0x81, b"ab")[:-1],
        masked(0x81, b"ab") + b"\x81",
        masked(0x81, b"x" * 126),
        masked(0x81, "é".encode()),
        masked(0x01, b"ab"),
        masked(0xC1, b"ab"),
        masked(0x82, b"ab"),
        masked(0x89, b"ab"),
        websocket.encode(TEXT, b"abcdef"),
    ],
    ids=str,
)
def test_everything_else_is_left_to_the_reader(data: bytes) -> None:
    assert websocket.whole_text(data) is None


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(websocket.encode(TEXT, b"x"), id="not masked"),
        pytest.param(masked(0x91, b"x"), id="a reserved bit"),
        pytest.param(masked(0xA1, b"x"), id="another reserved bit"),
        pytest.param(masked(0xC1, b"x"), id="compressed, which was not agreed"),
        pytest.param(masked(0x83, b""), id="opcode 3"),
        pytest.param(masked(0x8B, b""), id="opcode 11"),
        pytest.param(masked(0x8F, b""), id="opcode 15"),
        pytest.param(masked(0x09, b""), id="a ping in fragments"),
        pytest.param(masked(0x89, b"x" * 126), id="a ping of 126 bytes"),
        pytest.param(masked(0x80, b"x"), id="a fragment of nothing"),
        pytest.param(masked(0x01, b"x") + masked(0x81, b"x"), id="a message within another"),
        pytest.param(b"\x81\xfe\x00\x7d" + b"\0" * 4 + b"x" * 125, id="a size of two bytes that needs one"),
        pytest.param(b"\x81\xff" + (65_535).to_bytes(8, "big") + b"\0" * 4, id="a size of eight bytes that needs two"),
        pytest.param(masked(0x88, b"\x03"), id="half a close code"),
        *(
            pytest.param(masked(0x88, code.to_bytes(2, "big")), id=f"close code {code}")
            for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
        ),
    ],
)
def test_what_breaks_the_protocol_is_1002(data: bytes) -> None:
    assert fault(data) is closing.PROTOCOL


@pytest.mark.parametrize(
    "data",
    [
        masked(0x81, b"\xff"),
        masked(0x81, "é".encode()[:1]),
        masked(0x01, "é".encode()[:1]) + masked(0x80, b"x"),
        masked(0x81, b"\xed\xa0\x80"),
        masked(0x88, b"\x03\xe8\xff"),
    ],
    ids=["a byte", "half a character", "half a character in a fragment", "a surrogate", "a reason"],
)
def test_what_is_not_utf_8_is_1007(data: bytes) -> None:
    assert fault(data) is closing.NOT_UTF8


def test_a_character_may_be_cut_by_a_fragment() -> None:
    letter = "é".encode()
    assert taken(Inbound(LIMIT), masked(0x01, letter[:1]) + masked(0x80, letter[1:])) == [(TEXT, letter)]


def test_a_binary_message_is_refused_before_it_comes() -> None:
    assert fault(masked(0x82, b"x" * 100)[:2]) is closing.NOT_TEXT


@pytest.mark.parametrize("size", [LIMIT + 1, 70_000, 2**63 - 1, 2**64 - 1])
def test_too_large_a_message_is_refused_before_it_comes(size: int) -> None:
    head = b"\x81\xfe" + size.to_bytes(2, "big") if size < 65_536 else b"\x81\xff" + size.to_bytes(8, "big")
    assert fault(head + b"mask") is closing.MESSAGE_TOO_LARGE


def test_a_message_as_large_as_may_be_is_taken() -> None:
    assert taken(Inbound(LIMIT), masked(0x81, b"x" * LIMIT)) == [(TEXT, b"x" * LIMIT)]
    parts = [masked(0x01, b"x" * 600), masked(0x80, b"x" * 400)]
    assert taken(Inbound(LIMIT), *parts) == [(TEXT, b"x" * LIMIT)]


def test_fragments_are_counted_together() -> None:
    inbound = Inbound(LIMIT)
    assert taken(inbound, masked(0x01, b"x" * 600)) == []
    inbound.feed(masked(0x80, b"x" * 401)[:8])
    with pytest.raises(Fault) as refused:
        inbound.next()
    assert refused.value.close is closing.MESSAGE_TOO_LARGE


def test_each_fragment_before_the_last_is_shown() -> None:
    inbound = Inbound(LIMIT)
    inbound.feed(masked(0x01, b"a") + masked(0x00, b"") + masked(0x80, b"b"))
    assert [inbound.next() for _ in range(4)] == [(CONTINUATION, b""), (CONTINUATION, b""), (TEXT, b"ab"), None]


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x0b\xb8bye", b"\x13\x87"])
def test_what_a_close_frame_may_carry_is_taken(payload: bytes) -> None:
    assert taken(Inbound(LIMIT), masked(0x88, payload)) == [(CLOSE, payload)]


# -- compressed --------------------------------------------------------------------------------------------------------


def deflated(text: bytes, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(text) + packer.flush(flush)).removesuffix(b"\x00\x00\xff\xff")


def test_a_bomb_is_refused_at_the_limit() -> None:
    bomb = deflated(b"x" * 100_000)
    assert len(bomb) < LIMIT
    assert fault(masked(0xC1, bomb), inflates=True) is closing.MESSAGE_TOO_LARGE


def test_a_compressed_message_as_large_as_may_be_is_taken() -> None:
    text = b"ab" * (LIMIT // 2)
    assert taken(Inbound(LIMIT, inflates=True), masked(0xC1, deflated(text))) == [(TEXT, text)]


def test_a_stream_that_ends_is_taken_and_nothing_behind_its_end() -> None:
    ended = deflated(b"hello", zlib.Z_FINISH)
    for tail in (b"", b"\x00"):
        assert taken(Inbound(LIMIT, inflates=True), masked(0xC1, ended + tail)) == [(TEXT, b"hello")]
    assert fault(masked(0xC1, ended + deflated(b"more")), inflates=True) is closing.PROTOCOL


def test_what_does_not_inflate_is_1002() -> None:
    assert fault(masked(0xC1, b"\xff\xff\xff"), inflates=True) is closing.PROTOCOL


def test_a_fragment_that_goes_on_is_not_marked_compressed() -> None:
    packed = deflated(b"hello hello hello")
    first, rest = masked(0x41, packed[:3]), packed[3:]
    assert taken(Inbound(LIMIT, inflates=True), first, masked(0x80, rest)) == [(TEXT, b"hello hello hello")]
    assert fault(first + masked(0xC0, rest), inflates=True) is closing.PROTOCOL


def test_what_inflates_is_still_text() -> None:
    assert fault(masked(0xC1, deflated(b"\xff\xff")), inflates=True) is closing.NOT_UTF8
