from __future__ import annotations

from realtime.core import announcement
from realtime.core.announcement import Move, Moved, TopChanged
from realtime.core.board import BoardState
from tests.changes import COLUMNS, gone, ranked


def test_what_changed_in_the_top_is_read_back_as_it_was_written() -> None:
    state = BoardState(COLUMNS, 7)
    state.apply([ranked("ada", 3, seq=1, name="Ada", profile_seq=1), ranked("bob", 2, seq=2)])
    announced = state.apply([gone("bob", seq=3), ranked("cid", 9, seq=4, name="Ünï", profile_seq=4)])
    assert announced is not None
    top, moved, left = announced
    assert (top.version, [row.name for row in top.rows], top.gone) == (3, ["Ünï"], ("bob",))
    displays = [state.records[row.player].display for row in top.rows]
    assert announcement.decode_top(COLUMNS, announcement.encode_top(top, displays)) == top
    assert announcement.decode_moves(announcement.encode_moves(moved)) == moved


def test_a_reset_is_read_back_as_it_was_written() -> None:
    top, moved = TopChanged(8, 1, 5, reset=True), Moved(8, 1, 5, reset=True)
    assert announcement.decode_top(COLUMNS, announcement.encode_top(top, [])) == top
    assert announcement.decode_moves(announcement.encode_moves(moved)) == moved


def test_numbers_of_64_bits_are_exact() -> None:
    moved = Moved(2**62, 2**62 + 1, 2**62 + 2, (Move("ada", b"\xff" * 24, b"", -1, 0),))
    assert announcement.decode_moves(announcement.encode_moves(moved)) == moved
