from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from realtime.core import announcement
from realtime.core.errors import BoardChanged, HistoryGone
from realtime.core.model import WINDOW
from tests.changes import COLUMNS, gone, packed, random_batches, renamed
from tests.changes import ranked as entry
from tests.contract.adapters import whole
from tests.contract.one_board import EPOCH, KEY, apply, crowd

if TYPE_CHECKING:
    from realtime.core.announcement import Past
    from realtime.core.window import Window
    from tests.contract.adapters import Ranked

STREAM = 512


async def history(board: Ranked, since: int, epoch: int = EPOCH) -> list[Past]:
    return await board.ranking.history(KEY, COLUMNS, epoch, since)


async def newest(board: Ranked) -> Past:
    _, version = await board.ranking.position(KEY)
    (past,) = await history(board, version - 1)
    return past


def before(past: Past) -> list[tuple[str, str]]:
    return sorted((row.player, row.name) for row in past.before)


# -- stepping back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("players", "largest"), [(6, 4), (WINDOW - 1, 40), (WINDOW + 1, 8), (WINDOW + 3, 60), (WINDOW + 150, 250)]
)
async def test_stepping_back_leads_through_every_window_that_stood(board: Ranked, players: int, largest: int) -> None:
    stood: list[Window] = [await board.ranking.top(KEY, COLUMNS)]
    for batch in random_batches(random.Random(players), batches=250, players=players, largest=largest):
        await apply(board, *batch)
        window = await board.ranking.top(KEY, COLUMNS)
        if window.version != stood[-1].version:
            stood.append(window)
    assert len(stood) > 200
    past = await history(board, 1)
    assert [one.top.version for one in past] == [window.version for window in stood[1:]]
    window = stood[-1]
    for one, wanted in zip(reversed(past), reversed(stood[:-1]), strict=True):
        window = window.back(one)
        assert window == wanted


async def test_history_says_what_was_announced(board: Ranked) -> None:
    for batch in random_batches(random.Random(5), batches=30, players=WINDOW + 20, largest=30):
        await apply(board, *batch)
    announced = (await board.announced(KEY))[3:]
    past = await history(board, 3)
    assert [one.top for one in past] == [announcement.decode_top(COLUMNS, one.top) for one in announced]
    assert [one.moved for one in past] == [announcement.decode_moves(one.moves) for one in announced]


async def test_a_newcomer_takes_no_more_to_step_back_over_than_who_it_pushed_out(board: Ranked) -> None:
    await apply(board, *crowd(WINDOW + 5))
    await apply(board, entry("new", 20_000, seq=900))
    assert before(await newest(board)) == [(f"p{WINDOW - 1}", f"p{WINDOW - 1}")]


async def test_who_leaves_is_all_it_takes_to_step_back_over_its_leaving(board: Ranked) -> None:
    await apply(board, *crowd(WINDOW + 5))
    await apply(board, gone("p3", seq=900))
    assert before(await newest(board)) == [("p3", "p3")]


async def test_what_happens_below_the_window_takes_nothing_to_step_back_over(board: Ranked) -> None:
    await apply(board, *crowd(WINDOW + 5))
    await apply(board, entry("low", -5, seq=901), renamed(f"p{WINDOW + 1}", profile_seq=902, name="Deep"))
    past = await newest(board)
    assert (past.before, past.total) == ((), WINDOW + 5)


async def test_who_is_shown_otherwise_is_told_as_it_was_shown(board: Ranked) -> None:
    await apply(board, entry("ann", 1, seq=1, name="Ann", profile_seq=1), entry("bob", 2, seq=2))
    await apply(board, renamed("ann", profile_seq=3, name="Anna"), renamed("ann", profile_seq=4, name="Annabel"))
    assert before(await newest(board)) == [("ann", "Ann")]


async def test_who_is_pushed_out_under_a_new_name_is_told_under_the_old_one(board: Ranked) -> None:
    await apply(board, *crowd(WINDOW + 5))
    last = f"p{WINDOW - 1}"
    await apply(board, renamed(last, profile_seq=900, name="New"), entry("new", 20_000, seq=901))
    past = await newest(board)
    assert before(past) == [(last, last)]
    assert past.top.gone == (last,)


async def test_who_is_let_in_under_a_new_name_was_not_there(board: Ranked) -> None:
    await apply(board, *crowd(WINDOW + 5))
    next_one = f"p{WINDOW}"
    await apply(board, renamed(next_one, profile_seq=900, name="New"), gone("p3", seq=901))
    past = await newest(board)
    assert before(past) == [("p3", "p3")]
    assert [(row.player, row.name) for row in past.top.rows] == [(next_one, "New")]


async def test_many_who_leave_at_once_let_in_those_who_stood_next_between_movers(board: Ranked) -> None:
    await apply(board, *crowd(2 * WINDOW))
    stood = await board.ranking.top(KEY, COLUMNS)
    leaving = [gone(f"p{n}", seq=1000 + n) for n in range(0, WINDOW, 2)]
    moving = [entry(f"p{n}", 10_000 - n, 1, seq=2000 + n) for n in range(WINDOW, 2 * WINDOW, 3)]
    await apply(board, *leaving, *moving)
    fresh = await board.ranking.top(KEY, COLUMNS)
    past = await newest(board)
    assert stood.follow(past.top) == fresh
    assert fresh.back(past) == stood


async def test_a_board_that_shrinks_below_its_window_and_grows_again_is_stepped_through(board: Ranked) -> None:
    await apply(board, *crowd(WINDOW + 2))
    stood = [await board.ranking.top(KEY, COLUMNS)]
    for step in range(4):
        await apply(board, *(gone(f"p{30 * step + n}", seq=1000 + 30 * step + n) for n in range(30)))
        stood.append(await board.ranking.top(KEY, COLUMNS))
    await apply(board, *(entry(f"p{n}", n, seq=2000 + n) for n in range(WINDOW + 2)))
    window = await board.ranking.top(KEY, COLUMNS)
    for one in reversed(await history(board, 2)):
        window = window.back(one)
        assert window == stood.pop()
    assert stood == []


# -- how far it goes --------------------------------------------------------------------------------------------------


async def versions(board: Ranked, upto: int) -> None:
    _, version = await board.ranking.position(KEY)
    for seq in range(version, upto):
        await apply(board, entry("ada", seq, seq=seq))


async def test_history_goes_back_as_far_as_the_stream_and_no_further(board: Ranked) -> None:
    await versions(board, STREAM + 10)
    past = await history(board, 10)
    assert [one.top.version for one in past] == list(range(11, STREAM + 11))
    for since in (9, 1):
        with pytest.raises(HistoryGone):
            await history(board, since)


async def test_who_holds_the_newest_version_has_missed_nothing(board: Ranked) -> None:
    assert await history(board, 1) == []
    await versions(board, 4)
    assert await history(board, 4) == []
    assert [one.top.version for one in await history(board, 2)] == [3, 4]


@pytest.mark.parametrize(("epoch", "since"), [(EPOCH, 5), (EPOCH, 0), (EPOCH, -1), (EPOCH - 1, 2), (EPOCH + 1, 2)])
async def test_a_version_that_is_not_of_this_epoch_has_no_history(board: Ranked, epoch: int, since: int) -> None:
    await versions(board, 4)
    with pytest.raises(HistoryGone):
        await history(board, since, epoch)


async def test_a_rebuilt_board_has_no_history_under_its_old_epoch(board: Ranked) -> None:
    await versions(board, 4)
    await whole(board, KEY, EPOCH + 1, packed(crowd(3)))
    for since in (1, 3, 4):
        with pytest.raises(HistoryGone):
            await history(board, since)
    assert await history(board, 1, EPOCH + 1) == []


async def test_a_board_that_is_not_there_has_no_history(ranked: Ranked) -> None:
    with pytest.raises(HistoryGone):
        await history(ranked, 1)


@pytest.mark.parametrize("lost", [3, 4, 5])
async def test_history_with_a_hole_is_none(board: Ranked, lost: int) -> None:
    await versions(board, 6)
    await board.lose_version(KEY, f"{EPOCH}-{lost}")
    with pytest.raises(HistoryGone):
        await history(board, 2)
    assert [one.top.version for one in await history(board, lost)] == list(range(lost + 1, 7))


async def test_history_of_other_columns_is_told_from_the_boards(board: Ranked) -> None:
    await versions(board, 3)
    with pytest.raises(BoardChanged):
        await board.ranking.history(KEY, COLUMNS[:1], EPOCH, 1)
