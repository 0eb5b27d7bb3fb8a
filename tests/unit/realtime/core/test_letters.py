from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core import letters, record
from realtime.core.errors import Unreadable
from realtime.core.letters import CALL, CALL_BYTES, Letter, Message, calls, pack, unpack

LIMIT = 262_144
some_letters = st.lists(
    st.builds(
        Letter,
        st.integers(1, 2**63 - 1),
        st.binary(min_size=1, max_size=400),
        st.none() | st.text("Root=1-ab", max_size=40),
        st.integers(0, 2**53),
    ),
    max_size=30,
)


@given(some_letters, st.integers(120, 3000))
def test_whatever_the_limit_every_letter_arrives_once_in_its_order_and_no_message_is_too_large(
    sent: list[Letter], limit: int
) -> None:
    messages = pack(sent, limit)
    assert all(len(message.body) <= limit for message in messages)
    assert [letter for message in messages for letter in message.letters] == sent
    arrived = [letter for message in messages for letter in unpack(message.body)]
    assert [letter.id for letter in arrived] == [letter.id for letter in sent]
    for letter, original in zip(arrived, sent, strict=True):
        assert (letter.trace, letter.at) == (original.trace, original.at)
        assert letter.payload in (original.payload, b"")


def test_as_many_letters_go_into_a_message_as_it_holds() -> None:
    sent = [Letter(n, bytes(20_000)) for n in range(1, 22)]
    messages = pack(sent, LIMIT)
    assert [len(message.letters) for message in messages] == [9, 9, 3]
    assert max(len(message.body) for message in messages) > LIMIT - 27_000


def test_a_letter_that_fits_exactly_goes_whole_and_one_byte_more_goes_by_its_id() -> None:
    overhead = len(record.pack_array(Letter(7, bytes(100_000)))) - 100_000
    room = (LIMIT - 2) // 4 * 3 - 5
    for size, whole in ((room - overhead, True), (room - overhead + 1, False)):
        (message,) = pack([Letter(7, b"x" * size)], LIMIT)
        (letter,) = unpack(message.body)
        assert (letter.id, bool(letter.payload)) == (7, whole)
        assert len(message.body) <= LIMIT


def test_a_large_letter_leaves_its_neighbours_as_they_are() -> None:
    sent = [Letter(1, b"a"), Letter(2, bytes(LIMIT), "Root=1-b", 7), Letter(3, b"c", None, 1_760_000_000_123_456)]
    (message,) = pack(sent, LIMIT)
    assert unpack(message.body) == [sent[0], Letter(2, b"", "Root=1-b", 7), sent[2]]
    assert message.letters == tuple(sent)


def test_a_letter_of_a_node_that_says_no_time_is_read() -> None:
    body = "1." + base64.b64encode(record.pack_array([(1, b"a", None)])).decode()
    assert unpack(body) == [Letter(1, b"a")]


def test_a_trace_that_fits_into_no_message_stays_behind() -> None:
    (message,) = pack([Letter(1, b"a", "Root=" + "x" * 500)], 300)
    assert unpack(message.body) == [Letter(1, b"")]
    assert len(message.body) <= 300


def test_nothing_to_send_is_no_message() -> None:
    assert pack([], LIMIT) == []
    assert list(calls([])) == []


def test_a_message_carries_on_the_first_trace_in_it() -> None:
    (message,) = pack([Letter(1, b"a"), Letter(2, b"b", "Root=1-b"), Letter(3, b"c", "Root=1-c")], LIMIT)
    assert message.trace == "Root=1-b"
    (message,) = pack([Letter(1, b"a")], LIMIT)
    assert message.trace is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "unknown format ''"),
        ("hello", "unknown format 'hello'"),
        ("2.kQ==", "unknown format '2'"),
        ("x" * 5000, "unknown format"),
        ("1.", "no letters"),
        ("1.not base64!", "no letters"),
        ("1.ä", "no letters"),
        ("1." + base64.b64encode(b"\xc1").decode(), "no letters"),
        ("1." + base64.b64encode(b"\x93\x01").decode(), "no letters"),
        ("1." + base64.b64encode(record.pack_array([(1, b"a", None)]) + b"\x00").decode(), "no letters"),
        ("1." + base64.b64encode(record.pack_array([7])).decode(), "no letters"),
        ("1." + base64.b64encode(record.pack_array([(1, b"a")])).decode(), "no letters"),
        ("1." + base64.b64encode(record.pack_array([("1", b"a", None)])).decode(), "no letters"),
        ("1." + base64.b64encode(record.pack_array([(2**63, b"a", None)])).decode(), "no letters"),
        ("1." + base64.b64encode(record.pack_array([(-1, b"a", None)])).decode(), "no letters"),
        ("1." + base64.b64encode(record.pack_array([(1, 2, None)])).decode(), "no letters"),
        ("1." + base64.b64encode(record.pack_array([(1, b"a", 3)])).decode(), "no letters"),
        ("1." + base64.b64encode(record.pack_array([(1, b"a", b"\xff")])).decode(), "no letters"),
        ("1." + base64.b64encode(record.pack_array([(1, b"a", None, "7")])).decode(), "no letters"),
        ("1." + base64.b64encode(b"\x91" * 5000).decode(), "no letters"),
    ],
)
def test_what_is_no_message_of_ours_is_unreadable_and_says_why(body: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as raised:
        unpack(body)
    assert len(str(raised.value)) < 200


@given(st.binary(max_size=200))
def test_no_bytes_at_all_break_the_reader(packed: bytes) -> None:
    try:
        read = unpack(f"{letters.FORMAT}.{base64.b64encode(packed).decode()}")
    except Unreadable:
        return
    assert all(isinstance(letter.id, int) and isinstance(letter.payload, bytes) for letter in read)


def message(size: int) -> Message:
    return Message("x" * size, ())


def test_a_call_takes_ten_messages_and_no_more_bytes_than_it_may() -> None:
    assert [len(group) for group in calls([message(10)] * 25)] == [CALL, CALL, 5]
    quarter = CALL_BYTES // 4
    assert [len(group) for group in calls([message(quarter)] * 9)] == [4, 4, 1]
    assert [len(group) for group in calls([message(quarter), message(quarter * 3 + 1), message(5)])] == [1, 2]
