from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core import outbox, record
from realtime.core.errors import Unreadable
from realtime.core.model import BoardKey
from tests.changes import gone, ranked


def test_what_is_sent_is_read_back_by_board_with_its_records_packed() -> None:
    changes = {
        BoardKey(1, 1): [
            ranked("ada", 2**40, seq=2**60, name="Äda", profile_seq=3, metadata=b"{}"),
            gone("bob", seq=4),
        ],
        BoardKey(2**31 - 1, 7): [ranked("ada", 1, seq=5)],
    }
    expected = [
        (key, [(change.player.encode(), record.pack(change)) for change in group]) for key, group in changes.items()
    ]
    assert outbox.decode(outbox.encode(changes)) == expected


def test_a_board_may_only_be_named() -> None:
    assert outbox.decode(outbox.encode({BoardKey(3, 1): []})) == [(BoardKey(3, 1), [])]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"nonsense",
        record.pack_array([7]),
        record.pack_array([(1, 1)]),
        record.pack_array([("1", 1, [])]),
        # PostgreSQL would not take these, and every letter beside them would wait for it.
        record.pack_array([(2**31, 1, [])]),
        record.pack_array([(1, 2**40, [])]),
        record.pack_array([(0, 1, [])]),
        record.pack_array([(1, -1, [])]),
        # A node would stumble over these.
        record.pack_array([(1, 1, [(b"", b"x")])]),
        record.pack_array([(1, 1, [(b"p" * 65, b"x")])]),
        record.pack_array([(1, 1, [(b"\xff", b"x")])]),
        record.pack_array([(1, None, [])]),
        record.pack_array([(1, 1, 5)]),
        record.pack_array([(1, 1, [(b"ada",)])]),
        record.pack_array([(1, 1, [(b"ada", 5)])]),
        record.pack_array([(1, 1, [])]) + b"\x00",
        b"\x91" * 5000,
    ],
)
def test_what_nobody_encoded_is_unreadable(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        outbox.decode(payload)


@given(st.binary(max_size=200))
def test_no_bytes_at_all_break_the_reader(payload: bytes) -> None:
    try:
        read = outbox.decode(payload)
    except Unreadable:
        return
    for key, changes in read:
        assert isinstance(key.board, int)
        assert all(isinstance(part, bytes) for change in changes for part in change)
