from __future__ import annotations

import pytest

from realtime.core import announcement, record
from realtime.core.announcement import Move, Moved, Origin, TopChanged
from realtime.core.board import BoardState
from realtime.core.errors import HistoryGone
from tests.changes import COLUMNS, gone, ranked


def test_what_changed_in_the_top_is_read_back_as_it_was_written() -> None:
    state = BoardState(COLUMNS, 7)
    state.apply([ranked("ada", 3, seq=1, name="Ada", profile_seq=1), ranked("bob", 2, seq=2)])
    announced = state.apply([gone("bob", seq=3), ranked("cid", 9, seq=4, name="Ünï", profile_seq=4)])
    assert announced is not None
    top, moved, _ = announced
    assert (top.version, [row.name for row in top.rows], top.gone) == (3, ["Ünï"], ("bob",))
    displays = [state.records[row.player].display for row in top.rows]
    assert announcement.decode_top(COLUMNS, announcement.encode_top(top, displays)) == top
    assert announcement.decode_moves(announcement.encode_moves(moved)) == moved


def test_a_reset_is_read_back_as_it_was_written() -> None:
    top, moved = TopChanged(8, 1, 5, reset=True), Moved(8, 1, 5, reset=True)
    assert announcement.decode_top(COLUMNS, announcement.encode_top(top, [])) == top
    assert announcement.decode_moves(announcement.encode_moves(moved)) == moved


@pytest.mark.parametrize("origin", [Origin(1_760_000_000_123_456), Origin(1_760_000_000_123_456, "Root=1-a;Sampled=1")])
def test_where_a_version_comes_from_is_read_back(origin: Origin) -> None:
    top, moved = TopChanged(8, 2, 5, origin=origin), Moved(8, 2, 5, origin=origin)
    assert announcement.decode_top(COLUMNS, announcement.encode_top(top, [])) == top
    assert announcement.decode_moves(announcement.encode_moves(moved)) == moved
    assert announcement.encode_origin(None) == b""


def test_versions_told_as_one_are_as_old_as_the_oldest_and_have_the_first_trace() -> None:
    assert Origin(5).joined(None) == Origin(5)
    assert Origin(5).joined(Origin(3, "b")) == Origin(3, "b")
    assert Origin(5, "a").joined(Origin(9, "b")) == Origin(5, "a")


def test_what_a_later_node_says_besides_is_passed_over() -> None:
    said = record.pack_array([8, 2, 5, [], [], 0, [7, "t"], "more"])
    assert announcement.decode_top(COLUMNS, said) == TopChanged(8, 2, 5, origin=Origin(7, "t"))


def test_numbers_of_64_bits_are_exact() -> None:
    moved = Moved(2**62, 2**62 + 1, 2**62 + 2, (Move("ada", b"\xff" * 24, b"", -1, 0),))
    assert announcement.decode_moves(announcement.encode_moves(moved)) == moved


def entries(*versions: int, epoch: int = 7) -> list[tuple[str, dict[bytes, bytes]]]:
    return [
        (
            f"{epoch}-{version}",
            {
                b"t": announcement.encode_top(TopChanged(epoch, version, 2, gone=("bob",)), []),
                b"m": announcement.encode_moves(Moved(epoch, version, 2, (Move("bob", b"old", b"", -1, 0),))),
                b"b": announcement.encode_before(3, [ranked("bob", 2, seq=version, name="Bob")]),
            },
        )
        for version in versions
    ]


def test_history_is_read_back_as_it_was_written() -> None:
    one, two = announcement.decode_history(COLUMNS, 7, 4, entries(5, 6))
    assert (one.top, one.moved) == (
        TopChanged(7, 5, 2, gone=("bob",)),
        Moved(7, 5, 2, (Move("bob", b"old", b"", -1, 0),)),
    )
    assert one.total == 3
    assert [(row.player, row.name, row.seq) for row in one.before] == [("bob", "Bob", 5)]
    assert [row.seq for row in two.before] == [6]


def test_the_version_held_may_still_be_there_and_is_no_news() -> None:
    assert announcement.decode_history(COLUMNS, 7, 4, entries(4)) == []
    assert [one.top.version for one in announcement.decode_history(COLUMNS, 7, 4, entries(4, 5))] == [5]


@pytest.mark.parametrize(
    "found",
    [[], entries(6), entries(4, 6), entries(5, 7), entries(5, epoch=8), [*entries(5), *entries(1, epoch=8)]],
    ids=["nothing", "cut", "cut after", "hole", "other epoch", "new epoch"],
)
def test_what_does_not_follow_without_a_hole_is_no_history(found: list[tuple[str, dict[bytes, bytes]]]) -> None:
    with pytest.raises(HistoryGone):
        announcement.decode_history(COLUMNS, 7, 4, found)


def test_nothing_leads_to_the_first_version_of_an_epoch() -> None:
    with pytest.raises(HistoryGone):
        announcement.decode_history(COLUMNS, 7, 0, entries(1, 2))
