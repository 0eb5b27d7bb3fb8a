from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from realtime.core import record, sortkey
from realtime.core.announcement import Moved, TopChanged
from realtime.core.board import BoardState
from realtime.core.errors import RankingRefused
from realtime.core.model import WINDOW, Column
from tests.changes import COLUMNS, WIDTH, gone, packed, random_batches
from tests.changes import ranked as entry
from tests.contract.adapters import whole
from tests.contract.one_board import EPOCH, KEY, apply, crowd, last_moves, last_top, players

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from realtime.core.model import Change
    from tests.contract.adapters import Ranked

# -- rebuilding -----------------------------------------------------------------------------------------------------

NEXT = EPOCH + 1


async def load(ranked: Ranked, changes: Iterable[Change], epoch: int = NEXT) -> bool:
    return await ranked.ranking.load(KEY, epoch, WIDTH, packed(changes))


async def test_changes_reach_the_live_board_and_the_shadow_while_it_is_rebuilt(board: Ranked) -> None:
    await apply(board, *crowd(3))
    assert await board.ranking.mark(KEY, NEXT)
    assert await apply(board, entry("new", 5, seq=50)) == 3
    assert await load(board, crowd(3))
    assert await apply(board, entry("p0", 7, seq=51)) == 4
    assert await players(board) == ["p1", "p2", "p0", "new"]
    assert await board.ranking.position(KEY) == (EPOCH, 4)
    assert await board.ranking.swap(KEY, NEXT, WIDTH)
    assert await board.ranking.position(KEY) == (NEXT, 1)
    assert await players(board) == ["p1", "p2", "p0", "new"]
    assert (await last_top(board), await last_moves(board)) == (
        TopChanged(NEXT, 1, 4, reset=True),
        Moved(NEXT, 1, 4, reset=True),
    )


async def test_the_snapshot_does_not_overwrite_what_came_later(board: Ranked) -> None:
    assert await board.ranking.mark(KEY, NEXT)
    await apply(board, entry("ada", 9, seq=7))
    assert await load(board, [entry("ada", 3, seq=2)])
    assert await board.ranking.swap(KEY, NEXT, WIDTH)
    assert (await board.ranking.top(KEY, COLUMNS)).rows[0].score == (9, 0)


async def test_what_the_store_does_not_hold_is_gone_after_a_rebuild(board: Ranked) -> None:
    await apply(board, *crowd(3))
    await whole(board, KEY, NEXT, packed(crowd(2)))
    assert await players(board) == ["p0", "p1"]
    assert await board.ranking.seq(KEY, "p2") == 0


async def test_tombstones_are_loaded_too(board: Ranked) -> None:
    await whole(board, KEY, NEXT, packed([gone("ada", seq=5), entry("bob", 1, seq=6)]))
    assert await apply(board, entry("ada", 3, seq=4), epoch=NEXT) == 1
    assert await players(board) == ["bob"]


async def test_after_a_swap_the_old_epoch_is_refused(board: Ranked) -> None:
    await whole(board, KEY, NEXT)
    with pytest.raises(RankingRefused) as refusal:
        await apply(board, entry("ada", 1, seq=1))
    assert refusal.value.reason == "epoch"
    assert await apply(board, entry("ada", 1, seq=1), epoch=NEXT) == 2


async def test_a_swap_begins_a_new_stream(board: Ranked) -> None:
    await apply(board, *crowd(3))
    await whole(board, KEY, NEXT)
    assert [one.id for one in await board.announced(KEY)] == [f"{NEXT}-1"]


async def test_after_a_swap_changes_no_longer_go_twice(board: Ranked) -> None:
    await whole(board, KEY, NEXT)
    await apply(board, *crowd(2), epoch=NEXT)
    assert await board.ranking.mark(KEY, NEXT + 1)
    assert await board.ranking.swap(KEY, NEXT + 1, WIDTH)
    assert await players(board) == []


async def test_without_its_mark_a_rebuild_cannot_go_on(board: Ranked) -> None:
    assert not await load(board, crowd(1))
    assert not await board.ranking.swap(KEY, NEXT, WIDTH)
    assert await board.ranking.mark(KEY, NEXT)
    await board.lose_mark(KEY)
    assert not await load(board, crowd(1))
    assert not await board.ranking.swap(KEY, NEXT, WIDTH)
    assert await board.ranking.position(KEY) == (EPOCH, 1)


async def test_a_later_rebuild_takes_the_mark_from_an_earlier_one(board: Ranked) -> None:
    assert await board.ranking.mark(KEY, NEXT)
    assert await load(board, crowd(2))
    assert await board.ranking.mark(KEY, NEXT + 1)
    assert not await load(board, crowd(3))
    assert not await board.ranking.swap(KEY, NEXT, WIDTH)
    assert not await board.ranking.mark(KEY, NEXT)
    assert await board.ranking.swap(KEY, NEXT + 1, WIDTH)
    assert await players(board) == []


async def test_a_mark_set_again_begins_with_an_empty_shadow(board: Ranked) -> None:
    assert await board.ranking.mark(KEY, NEXT)
    assert await load(board, crowd(2))
    assert await board.ranking.mark(KEY, NEXT)
    assert await board.ranking.swap(KEY, NEXT, WIDTH)
    assert await players(board) == []


async def test_a_board_is_swapped_once_and_never_back(board: Ranked) -> None:
    assert await board.ranking.mark(KEY, NEXT)
    assert await board.ranking.swap(KEY, NEXT, WIDTH)
    assert not await board.ranking.swap(KEY, NEXT, WIDTH)
    assert await board.ranking.mark(KEY, EPOCH)
    assert not await board.ranking.swap(KEY, EPOCH, WIDTH)
    assert await board.ranking.position(KEY) == (NEXT, 1)


async def test_a_board_that_lost_a_member_is_whole_again_after_a_rebuild(board: Ranked) -> None:
    await apply(board, *crowd(3))
    await board.lose_member(KEY)
    await whole(board, KEY, NEXT, packed(crowd(3)))
    assert await players(board) == ["p0", "p1", "p2"]
    assert await board.ranking.holds(KEY, NEXT)


async def test_dropping_a_board_ends_its_rebuild(board: Ranked) -> None:
    assert await board.ranking.mark(KEY, NEXT)
    await board.ranking.drop(KEY)
    assert not await board.ranking.swap(KEY, NEXT, WIDTH)
    assert not await board.ranking.holds(KEY, NEXT)


async def test_a_rebuild_may_change_how_long_keys_are(board: Ranked) -> None:
    columns = (*COLUMNS, Column("third"))
    await whole(board, KEY, NEXT, width=sortkey.width(columns))
    key = sortkey.encode(columns, (1, 2, 3), 4)
    await board.ranking.apply(KEY, NEXT, [(b"ada", record.header(4, 0, key, record.NO_DISPLAY))])
    assert [row.score for row in (await board.ranking.top(KEY, columns)).rows] == [(1, 2, 3)]


# -- the model ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
async def test_any_batches_do_what_they_do_to_the_model(board: Ranked, seed: int) -> None:
    dice = random.Random(seed)
    model = BoardState(COLUMNS, EPOCH)
    # Few players meet in every way; many fill more than the window.
    few_or_many, largest = ((6, 8), (WINDOW + 40, 60))[seed % 2]
    for batch in random_batches(dice, batches=50, players=few_or_many, largest=largest):
        expected = model.apply(batch)
        heard = len(await board.announced(KEY))
        assert await apply(board, *batch) == model.version
        if expected is None:
            assert len(await board.announced(KEY)) == heard
        else:
            top, moved, _ = expected
            # Who is gone comes in no order.
            heard_top = await last_top(board)
            assert sorted(heard_top.gone) == sorted(top.gone)
            assert (replace(heard_top, gone=top.gone), await last_moves(board)) == (top, moved)
        assert await board.ranking.top(KEY, COLUMNS) == model.window()
    everyone = sorted(model.records)
    found = await board.ranking.standings(KEY, COLUMNS, everyone)
    assert list(found.standings) == [model.standing(player) for player in everyone]
    page = await board.ranking.page(KEY, COLUMNS, 0, 1000)
    assert page.rows == model.stretch(0, 1000)
    await _reload(board, model, dice)


async def _reload(board: Ranked, model: BoardState, dice: random.Random) -> None:
    """Whatever order a rebuild loads the same records in, the same board comes of it."""
    records: Sequence[Change] = dice.sample(list(model.records.values()), len(model.records))
    await whole(board, KEY, NEXT, packed(records))
    assert (await board.ranking.page(KEY, COLUMNS, 0, 1000)).rows == model.stretch(0, 1000)
