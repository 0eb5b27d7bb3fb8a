from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from realtime.core import record, sortkey
from realtime.core.announcement import Move, Moved, TopChanged
from realtime.core.errors import BoardChanged, RankingRefused
from realtime.core.model import INT64_MAX, INT64_MIN, BoardKey, Column, Direction
from tests.changes import COLUMNS, WIDTH, gone, packed, renamed
from tests.changes import ranked as entry
from tests.contract.adapters import whole
from tests.contract.one_board import EPOCH, KEY, apply, crowd, last_moves, last_top, players

if TYPE_CHECKING:
    from tests.contract.adapters import Ranked

# -- taking ---------------------------------------------------------------------------------------------------------


async def test_a_board_begins_empty_at_version_one_of_its_epoch(board: Ranked) -> None:
    window = await board.ranking.top(KEY, COLUMNS)
    assert (window.epoch, window.version, window.total, window.rows) == (EPOCH, 1, 0, ())
    assert await board.ranking.position(KEY) == (EPOCH, 1)
    assert await last_top(board) == TopChanged(EPOCH, 1, 0, reset=True)
    assert await last_moves(board) == Moved(EPOCH, 1, 0, reset=True)


async def test_a_batch_raises_the_version_by_one_and_stands_in_order(board: Ranked) -> None:
    version = await apply(board, entry("bob", 3, 50, seq=2), entry("ada", 3, 20, seq=1), entry("cid", 4, 99, seq=3))
    assert version == 2
    window = await board.ranking.top(KEY, COLUMNS)
    assert (window.version, window.total) == (2, 3)
    assert [(row.player, row.score, row.seq) for row in window.rows] == [
        ("cid", (4, 99), 3),
        ("ada", (3, 20), 1),
        ("bob", (3, 50), 2),
    ]


async def test_equal_scores_stand_by_who_got_there_first_whatever_their_names(board: Ranked) -> None:
    await apply(board, entry("ada", 1, seq=30), entry("zoe", 1, seq=10), entry("Bob", 1, seq=20))
    assert await players(board) == ["zoe", "Bob", "ada"]


async def test_a_duplicate_delivery_changes_nothing(board: Ranked) -> None:
    await apply(board, entry("ada", 3, seq=1))
    before = await board.ranking.top(KEY, COLUMNS), await board.announced(KEY)
    assert await apply(board, entry("ada", 3, seq=1)) == 2
    assert (await board.ranking.top(KEY, COLUMNS), await board.announced(KEY)) == before


async def test_a_duplicate_within_a_batch_counts_once(board: Ranked) -> None:
    await apply(board, entry("ada", 3, seq=1), entry("ada", 3, seq=1))
    assert (await last_moves(board)).moves == (Move("ada", b"", entry("ada", 3, seq=1).key, 0, 1),)


async def test_only_what_is_newer_is_taken(board: Ranked) -> None:
    await apply(board, entry("ada", 3, seq=2))
    assert await apply(board, entry("ada", 9, seq=1)) == 2
    assert (await board.ranking.top(KEY, COLUMNS)).rows[0].score == (3, 0)
    assert await apply(board, entry("ada", 1, seq=3)) == 3
    assert (await board.ranking.top(KEY, COLUMNS)).rows[0].score == (1, 0)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (9, 10),
        (2**31 - 1, 2**31),
        (2**32 - 1, 2**32),
        (2**32 + 5, 2**33),
        (2**53, 2**53 + 1),
        (2**62 + 1, 2**62 + 2),
        (int.from_bytes(b"AAAAAAAB"), int.from_bytes(b"AAAAAAAa")),
        (int.from_bytes(b"AAAAAAAB"), int.from_bytes(b"AAAAAAab")),
        (int.from_bytes(b"ABAAAAAA"), int.from_bytes(b"AaAAAAAA")),
    ],
)
async def test_seqs_are_compared_as_numbers_of_64_bits(board: Ranked, older: int, newer: int) -> None:
    await apply(board, entry("ada", 1, seq=newer), entry("bob", 1, seq=older))
    await apply(board, entry("ada", 9, seq=older), entry("bob", 5, seq=newer))
    window = await board.ranking.top(KEY, COLUMNS)
    assert [(row.player, row.score, row.seq) for row in window.rows] == [("bob", (5, 0), newer), ("ada", (1, 0), newer)]


async def test_a_tombstone_survives_a_late_duplicate(board: Ranked) -> None:
    await apply(board, entry("ada", 3, seq=1))
    await apply(board, gone("ada", seq=2))
    assert await apply(board, entry("ada", 3, seq=1)) == 3
    assert await players(board) == []
    assert await board.ranking.seq(KEY, "ada") == 2


async def test_a_tombstone_that_comes_first_keeps_its_player_out(board: Ranked) -> None:
    assert await apply(board, gone("ada", seq=2)) == 1
    assert await apply(board, entry("ada", 3, seq=1)) == 1
    assert await players(board) == []


async def test_who_was_removed_may_come_back_with_a_newer_score(board: Ranked) -> None:
    await apply(board, entry("ada", 3, seq=1), gone("ada", seq=2))
    await apply(board, entry("ada", 1, seq=3))
    assert await players(board) == ["ada"]


async def test_entry_and_profile_are_each_taken_where_their_own_seq_is_newer(board: Ranked) -> None:
    await apply(board, entry("ada", 3, seq=5, name="Ada", profile_seq=4))
    await apply(board, entry("ada", 9, seq=1, name="Countess", profile_seq=6))
    await apply(board, entry("ada", 4, seq=7, name="Old", profile_seq=2))
    (row,) = (await board.ranking.top(KEY, COLUMNS)).rows
    assert (row.score, row.name) == ((4, 0), "Countess")


async def test_a_profile_that_comes_before_its_entry_is_kept_for_it(board: Ranked) -> None:
    assert await apply(board, renamed("ada", profile_seq=2, name="Ada", country="GB")) == 1
    await apply(board, entry("ada", 1, seq=1))
    (row,) = (await board.ranking.top(KEY, COLUMNS)).rows
    assert (row.name, row.country, row.picture) == ("Ada", "GB", None)


async def test_who_has_no_name_is_shown_by_id(board: Ranked) -> None:
    await apply(board, entry("ada", 1, seq=1))
    assert (await board.ranking.top(KEY, COLUMNS)).rows[0].name == "ada"


async def test_the_whole_int64_range_is_exact_in_both_directions(ranked: Ranked) -> None:
    columns = (Column("up", Direction.ASC), Column("down", Direction.DESC))
    scores = [
        (up, down) for up in (INT64_MIN, -1, 0, 2**53 + 1, INT64_MAX) for down in (INT64_MAX, 1, 0, -1, INT64_MIN)
    ]
    mixed = random.Random(3).sample(list(enumerate(scores, 1)), len(scores))
    await whole(ranked, KEY, EPOCH)
    rows = [
        (f"p{seq}".encode(), record.header(seq, 0, sortkey.encode(columns, score, seq), record.NO_DISPLAY))
        for seq, score in mixed
    ]
    await ranked.ranking.apply(KEY, EPOCH, rows)
    assert [row.score for row in (await ranked.ranking.top(KEY, columns)).rows] == scores


async def test_boards_and_seasons_do_not_touch_each_other(board: Ranked) -> None:
    others = [BoardKey(7, 2), BoardKey(71, 1)]
    for key in others:
        await whole(board, key, EPOCH)
    await apply(board, entry("ada", 1, seq=1))
    for key in others:
        assert (await board.ranking.top(key, COLUMNS)).rows == ()
        assert await board.ranking.seq(key, "ada") == 0


async def test_a_batch_of_250_is_one_version(board: Ranked) -> None:
    assert await apply(board, *crowd(250)) == 2
    assert (await board.ranking.top(KEY, COLUMNS)).total == 250


# -- refusing -------------------------------------------------------------------------------------------------------


async def refusals(ranked: Ranked, epoch: int) -> set[str]:
    """Why each call that needs a whole board refuses it."""
    ranking = ranked.ranking
    reasons = set()
    for call in (
        ranking.apply(KEY, epoch, packed([entry("new", 1, seq=99)])),
        ranking.top(KEY, COLUMNS),
        ranking.page(KEY, COLUMNS, 0, 10),
        ranking.around(KEY, COLUMNS, "p0", 2),
        ranking.standings(KEY, COLUMNS, ["p0"]),
        ranking.stretches(KEY, COLUMNS, [("p0", 1)]),
        ranking.places(KEY, [bytes(WIDTH)]),
        ranking.position(KEY),
    ):
        with pytest.raises(RankingRefused) as refusal:
            await call
        reasons.add(refusal.value.reason)
    return reasons


async def test_a_board_that_is_not_there_is_refused(ranked: Ranked) -> None:
    assert await refusals(ranked, EPOCH) == {"missing"}
    assert not await ranked.ranking.holds(KEY, EPOCH)
    assert await ranked.ranking.seq(KEY, "p0") == 0


async def test_a_dropped_board_is_refused(board: Ranked) -> None:
    await apply(board, *crowd(3))
    await board.ranking.drop(KEY)
    assert await refusals(board, EPOCH) == {"missing"}
    assert await board.announced(KEY) == []


@pytest.mark.parametrize("epoch", [EPOCH - 1, EPOCH + 1])
async def test_a_batch_under_another_epoch_is_refused_and_nothing_is_written(board: Ranked, epoch: int) -> None:
    with pytest.raises(RankingRefused) as refusal:
        await apply(board, entry("ada", 1, seq=1), epoch=epoch)
    assert refusal.value.reason == "epoch"
    assert await players(board) == []
    assert await board.ranking.seq(KEY, "ada") == 0


async def test_a_board_that_lost_a_member_is_refused(board: Ranked) -> None:
    await apply(board, *crowd(3))
    assert await board.ranking.holds(KEY, EPOCH)
    await board.lose_member(KEY)
    assert await refusals(board, EPOCH) == {"count"}
    assert not await board.ranking.holds(KEY, EPOCH)
    assert await board.ranking.seq(KEY, "new") == 0


@pytest.mark.parametrize("player", ["p1", "gone"])
async def test_a_board_that_lost_a_record_is_refused(board: Ranked, player: str) -> None:
    """A tombstone, too: without it a late duplicate would bring its player back."""
    await apply(board, *crowd(3), gone("gone", seq=50))
    await board.lose_record(KEY, player)
    assert await refusals(board, EPOCH) == {"count"}
    assert not await board.ranking.holds(KEY, EPOCH)


async def test_a_board_is_held_under_its_own_epoch_alone(board: Ranked) -> None:
    assert await board.ranking.holds(KEY, EPOCH)
    assert not await board.ranking.holds(KEY, EPOCH + 1)


GOOD = entry("ada", 1, seq=1)
_KEY, _SHOWN = GOOD.key, GOOD.display


@pytest.mark.parametrize(
    ("player", "bad"),
    [
        (b"", record.pack(GOOD)),
        (b"eve", b""),
        (b"eve", record.pack(GOOD)[:18]),
        (b"eve", record.pack(GOOD)[:-1]),
        (b"eve", record.header(1, 0, _KEY[:-8], _SHOWN)),
        (b"eve", record.header(1, 0, _KEY + bytes(8), _SHOWN)),
        (b"eve", record.header(1, 0, _KEY, b"x" * 300)[:-1]),
    ],
)
async def test_one_invalid_record_in_a_batch_writes_nothing(board: Ranked, player: bytes, bad: bytes) -> None:
    before = await board.announced(KEY)
    assert await board.ranking.mark(KEY, EPOCH + 1)
    for batch in ([*packed([GOOD]), (player, bad)], [(player, bad), *packed([GOOD])]):
        with pytest.raises(RankingRefused) as refusal:
            await board.ranking.apply(KEY, EPOCH, batch)
        assert refusal.value.reason == "invalid"
    assert await players(board) == []
    assert await board.ranking.seq(KEY, "ada") == 0
    assert await board.announced(KEY) == before
    assert await board.ranking.swap(KEY, EPOCH + 1, WIDTH)
    assert await players(board) == []


async def test_rows_of_other_columns_are_told_from_the_boards(board: Ranked) -> None:
    await apply(board, *crowd(2))
    other = COLUMNS[:1]
    for read in (
        board.ranking.top(KEY, other),
        board.ranking.page(KEY, other, 0, 1),
        board.ranking.around(KEY, other, "p0", 1),
        board.ranking.standings(KEY, other, ["p0"]),
        board.ranking.stretches(KEY, other, [("p0", 1)]),
    ):
        with pytest.raises(BoardChanged):
            await read
