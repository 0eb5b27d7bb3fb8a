from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from realtime.core import sortkey
from realtime.core.board import BoardState
from realtime.core.errors import BoardChanged
from tests.changes import COLUMNS, gone, random_batches
from tests.changes import ranked as entry
from tests.contract.one_board import EPOCH, KEY, apply, crowd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realtime.core.ports import Stretch
    from tests.contract.adapters import Ranked


async def ties(board: Ranked) -> None:
    """Shared ranks 1 2 2 2 5 6."""
    scores = zip("abcdef", (9, 7, 7, 7, 5, 1), strict=True)
    await apply(board, *(entry(player, score, seq=seq) for seq, (player, score) in enumerate(scores, 1)))


def shown(stretches: Sequence[Stretch | None]) -> list[tuple[int, int, str] | None]:
    return [one and (one.position, one.rank, "".join(row.player for row in one.rows)) for one in stretches]


# -- stretches --------------------------------------------------------------------------------------------------------


async def test_stretches_come_in_the_order_asked_whether_they_overlap_or_not(board: Ranked) -> None:
    await ties(board)
    found = await board.ranking.stretches(KEY, COLUMNS, [("f", 1), ("a", 1), ("c", 1), ("c", 10), ("d", 1), ("f", 1)])
    assert (found.epoch, found.version, found.total) == (EPOCH, 2, 6)
    assert shown(found.stretches) == [
        (4, 5, "ef"),
        (0, 1, "ab"),
        (1, 2, "bcd"),
        (0, 1, "abcdef"),
        (2, 2, "cde"),
        (4, 5, "ef"),
    ]


async def test_around_who_is_not_ranked_there_is_no_stretch(board: Ranked) -> None:
    await apply(board, entry("ann", 1, seq=1), gone("bob", seq=2))
    found = await board.ranking.stretches(KEY, COLUMNS, [("bob", 2), ("ann", 2), ("nobody", 2)])
    assert shown(found.stretches) == [None, (0, 1, "ann"), None]


async def test_no_stretches_are_asked_of_an_empty_board(board: Ranked) -> None:
    found = await board.ranking.stretches(KEY, COLUMNS, [])
    assert (found.version, found.total, found.stretches) == (1, 0, ())


async def test_stretches_are_those_that_are_read_one_by_one(board: Ranked) -> None:
    dice = random.Random(8)
    for batch in random_batches(dice, batches=30, players=150, largest=60):
        await apply(board, *batch)
    asked = [(f"p{dice.randrange(160)}", dice.randint(1, 10)) for _ in range(60)]
    found = await board.ranking.stretches(KEY, COLUMNS, asked)
    for (player, radius), stretch in zip(asked, found.stretches, strict=True):
        page = await board.ranking.around(KEY, COLUMNS, player, radius)
        assert (stretch is None) == (page is None)
        if stretch is not None and page is not None:
            assert (stretch.position, stretch.rank, stretch.rows) == (page.position, page.rank, page.rows)


async def test_thousands_of_stretches_are_one_call(board: Ranked) -> None:
    everyone = crowd(2500)
    for start in range(0, 2500, 250):
        await apply(board, *everyone[start : start + 250])
    found = await board.ranking.stretches(KEY, COLUMNS, [(change.player, 1) for change in everyone])
    assert [one and one.position for one in found.stretches] == [max(0, n - 1) for n in range(2500)]
    assert {len(one.rows) for one in found.stretches if one} == {2, 3}


# -- places -----------------------------------------------------------------------------------------------------------


async def test_a_key_stands_where_its_player_does_and_another_where_it_would(board: Ranked) -> None:
    await ties(board)
    best, tied, later, worst = (
        sortkey.encode(COLUMNS, (score, 0), seq) for score, seq in ((10, 99), (7, 3), (7, 99), (0, 99))
    )
    found = await board.ranking.places(KEY, [best, tied, later, worst])
    assert (found.epoch, found.version, found.total) == (EPOCH, 2, 6)
    assert found.places == ((0, 1), (2, 2), (4, 2), (6, 7))


async def test_places_are_those_of_the_model(board: Ranked) -> None:
    dice = random.Random(9)
    model = BoardState(COLUMNS, EPOCH)
    for batch in random_batches(dice, batches=30, players=80, largest=40):
        model.apply(batch)
        await apply(board, *batch)
    keys = [
        sortkey.encode(COLUMNS, (dice.randint(-1, 6), dice.randint(0, 3)), dice.randrange(2000)) for _ in range(300)
    ]
    ahead = [
        (
            sum(member[: len(key)] < key for member in model.members),
            sum(sortkey.columns_of(member[: len(key)]) < sortkey.columns_of(key) for member in model.members) + 1,
        )
        for key in keys
    ]
    assert list((await board.ranking.places(KEY, keys)).places) == ahead


async def test_the_places_of_no_keys_are_none(board: Ranked) -> None:
    found = await board.ranking.places(KEY, [])
    assert (found.version, found.places) == (1, ())


@pytest.mark.parametrize("key", [b"", bytes(16), bytes(25)])
async def test_keys_of_other_columns_have_no_place(board: Ranked, key: bytes) -> None:
    with pytest.raises(BoardChanged):
        await board.ranking.places(KEY, [bytes(24), key])
