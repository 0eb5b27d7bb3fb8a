from __future__ import annotations

from realtime.core import outbox, record
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
