from __future__ import annotations

import random
from typing import TYPE_CHECKING

from realtime.core import announcement
from realtime.core.announcement import Move, Origin, TopChanged
from realtime.core.model import WINDOW
from tests.changes import COLUMNS, gone, later, packed, random_batches, renamed
from tests.changes import ranked as entry
from tests.contract.one_board import EPOCH, KEY, apply, crowd, last_moves, last_top

if TYPE_CHECKING:
    from tests.contract.adapters import Ranked


async def test_where_nothing_was_taken_there_is_no_version_and_no_announcement(board: Ranked) -> None:
    await apply(board, entry("ada", 3, seq=2, name="Ada", profile_seq=3))
    before = await board.announced(KEY)
    for idle in (
        [],
        [entry("ada", 3, seq=2)],
        [entry("ada", 9, seq=1)],
        [gone("nobody", seq=5)],
        [renamed("nobody", profile_seq=6, name="N")],
        [renamed("ada", profile_seq=4, name="Ada")],
    ):
        assert await apply(board, *idle) == 2
    assert await board.announced(KEY) == before


async def test_every_version_has_one_entry_in_the_stream_named_by_epoch_and_version(board: Ranked) -> None:
    for seq in range(1, 6):
        await apply(board, entry("ada", seq, seq=seq))
    announced = await board.announced(KEY)
    assert [one.id for one in announced] == [f"{EPOCH}-{version}" for version in range(1, 7)]
    for version, one in enumerate(announced, 1):
        top, moved = announcement.decode_top(COLUMNS, one.top), announcement.decode_moves(one.moves)
        assert (top.epoch, top.version) == (moved.epoch, moved.version) == (EPOCH, version)


async def test_the_stream_keeps_the_last_512_versions(board: Ranked) -> None:
    for seq in range(1, 701):
        await apply(board, entry("ada", seq, seq=seq))
    ids = [one.id for one in await board.announced(KEY)]
    assert ids == [f"{EPOCH}-{version}" for version in range(701 - 511, 702)]


async def test_a_newcomer_pushes_the_last_one_out_of_the_window(board: Ranked) -> None:
    await apply(board, *crowd(WINDOW + 1))
    await apply(board, entry("new", 20_000, seq=900))
    top = await last_top(board)
    assert [row.player for row in top.rows] == ["new"]
    assert top.gone == (f"p{WINDOW - 1}",)
    assert top.total == WINDOW + 2


async def test_who_leaves_the_window_makes_room_for_the_next(board: Ranked) -> None:
    await apply(board, *crowd(WINDOW + 1))
    await apply(board, gone("p3", seq=900))
    top = await last_top(board)
    assert [row.player for row in top.rows] == [f"p{WINDOW}"]
    assert top.gone == ("p3",)
    assert top.total == WINDOW


async def test_who_falls_out_of_the_window_is_gone_and_the_next_one_comes_in(board: Ranked) -> None:
    await apply(board, *crowd(WINDOW + 2))
    await apply(board, entry("p3", -1, seq=900))
    top = await last_top(board)
    assert [row.player for row in top.rows] == [f"p{WINDOW}"]
    assert top.gone == ("p3",)


async def test_who_moves_within_the_window_is_a_row_and_not_gone(board: Ranked) -> None:
    await apply(board, *crowd(5))
    await apply(board, entry("p4", 20_000, seq=900))
    top = await last_top(board)
    assert [(row.player, row.score) for row in top.rows] == [("p4", (20_000, 0))]
    assert top.gone == ()


async def test_a_new_name_in_the_window_is_a_row(board: Ranked) -> None:
    await apply(board, *crowd(3))
    assert await apply(board, renamed("p1", profile_seq=50, name="Pi")) == 3
    assert [(row.player, row.name) for row in (await last_top(board)).rows] == [("p1", "Pi")]


async def test_who_is_only_shown_otherwise_is_named_among_the_moves_where_it_stands(board: Ranked) -> None:
    await apply(board, entry("ann", 9, seq=1), entry("bob", 9, seq=2), entry("cid", 1, seq=3))
    kept = entry("bob", 9, seq=2).key
    await apply(board, renamed("bob", profile_seq=50, name="Bo"))
    assert (await last_moves(board)).moves == (Move("bob", kept, kept, 1, 1),)


async def test_a_move_and_a_new_name_of_one_player_are_named_once(board: Ranked) -> None:
    await apply(board, *crowd(3))
    climbed = entry("p2", 20_000, seq=60)
    await apply(board, renamed("p2", profile_seq=50, name="Pi"), climbed, renamed("p0", profile_seq=51, name="Po"))
    best = entry("p0", 10_000, seq=1).key
    assert (await last_moves(board)).moves == (
        Move("p2", entry("p2", 9_998, seq=3).key, climbed.key, 0, 1),
        Move("p0", best, best, 1, 2),
    )


async def test_who_was_shown_otherwise_and_left_within_the_batch_has_only_left(board: Ranked) -> None:
    await apply(board, *crowd(2))
    await apply(board, renamed("p1", profile_seq=50, name="Pi"), gone("p1", seq=60))
    assert [(move.player, move.new) for move in (await last_moves(board)).moves] == [("p1", b"")]


async def test_who_came_was_shown_otherwise_and_left_within_the_batch_is_not_named(board: Ranked) -> None:
    await apply(board, *crowd(2))
    there_and_gone = entry("eve", 5, seq=50), renamed("eve", profile_seq=51, name="Eve"), gone("eve", seq=52)
    await apply(board, *there_and_gone, entry("p1", 20_000, seq=53))
    assert [move.player for move in (await last_moves(board)).moves] == ["p1"]


async def test_what_happens_below_the_window_names_a_version_all_the_same(board: Ranked) -> None:
    await apply(board, *crowd(WINDOW + 3))
    assert await apply(board, renamed(f"p{WINDOW + 1}", profile_seq=900, name="Deep")) == 3
    assert await last_top(board) == TopChanged(EPOCH, 3, WINDOW + 3)
    assert await apply(board, entry("low", -5, seq=901)) == 4
    assert await last_top(board) == TopChanged(EPOCH, 4, WINDOW + 4)
    (move,) = (await last_moves(board)).moves
    assert (move.player, move.old, move.position, move.rank) == ("low", b"", WINDOW + 3, WINDOW + 4)


async def test_moves_are_net_and_placed_after_the_whole_batch(board: Ranked) -> None:
    await apply(board, *crowd(4))
    first, last = entry("p3", 10_002, seq=100), entry("p3", 10_001, seq=102)
    other = entry("p2", 10_001, 0, seq=101)
    await apply(board, first, other, last)
    moved = await last_moves(board)
    assert moved.moves == (
        Move("p3", entry("p3", 9_997, seq=4).key, last.key, 1, 1),
        Move("p2", entry("p2", 9_998, seq=3).key, other.key, 0, 1),
    )


async def test_who_comes_and_goes_within_a_batch_has_not_moved(board: Ranked) -> None:
    await apply(board, *crowd(2))
    await apply(board, entry("eve", 99_999, seq=50), gone("eve", seq=51), entry("p1", 10_000, seq=52))
    assert [(move.player, move.position, move.rank) for move in (await last_moves(board)).moves] == [("p1", 1, 1)]


async def test_who_left_the_board_has_no_place(board: Ranked) -> None:
    await apply(board, *crowd(2))
    await apply(board, gone("p0", seq=50))
    assert (await last_moves(board)).moves == (Move("p0", entry("p0", 10_000, seq=1).key, b"", -1, 0),)
    assert (await last_moves(board)).total == 1


async def test_shared_ranks_of_movers_are_those_of_competition(board: Ranked) -> None:
    await apply(board, *(entry(f"p{n}", score, seq=n + 1) for n, score in enumerate((9, 7, 7, 7, 5))))
    assert [(move.position, move.rank) for move in (await last_moves(board)).moves] == [
        (0, 1),
        (1, 2),
        (2, 2),
        (3, 2),
        (4, 5),
    ]


async def test_windows_followed_from_announcements_equal_those_read(board: Ranked) -> None:
    await apply(board, *crowd(WINDOW + 20))
    window = await board.ranking.top(KEY, COLUMNS)
    seen = len(await board.announced(KEY))
    for batch in random_batches(random.Random(11), batches=40, players=WINDOW + 30):
        await apply(board, *[later(change) for change in batch])
    for one in (await board.announced(KEY))[seen:]:
        window = window.follow(announcement.decode_top(COLUMNS, one.top))
    assert window == await board.ranking.top(KEY, COLUMNS)


async def test_where_a_version_comes_from_is_announced_and_kept(board: Ranked) -> None:
    """When it was committed, in microseconds: more than fits into 32 bits, and whole."""
    for seq, origin in enumerate((Origin(1_760_000_000_123_457, "Root=1-a;Sampled=1"), Origin(2**53 - 1), None), 1):
        await board.ranking.apply(KEY, EPOCH, packed([entry("ada", seq, seq=seq)]), origin)
        assert (await last_top(board)).origin == (await last_moves(board)).origin == origin
    past = await board.ranking.history(KEY, COLUMNS, EPOCH, 1)
    assert [one.top.origin and one.top.origin.at for one in past] == [1_760_000_000_123_457, 2**53 - 1, None]
