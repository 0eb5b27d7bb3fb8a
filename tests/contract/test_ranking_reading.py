from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.changes import COLUMNS, gone
from tests.changes import ranked as entry
from tests.contract.one_board import EPOCH, KEY, apply, crowd

if TYPE_CHECKING:
    from tests.contract.adapters import Ranked


async def ties(board: Ranked) -> None:
    """Shared ranks 1 2 2 2 5 6."""
    scores = zip("abcdef", (9, 7, 7, 7, 5, 1), strict=True)
    await apply(board, *(entry(player, score, seq=seq) for seq, (player, score) in enumerate(scores, 1)))


@pytest.mark.parametrize(
    ("offset", "limit", "names", "rank"),
    [
        (0, 3, "abc", 1),
        (1, 2, "bc", 2),
        (2, 2, "cd", 2),
        (3, 2, "de", 2),
        (4, 10, "ef", 5),
        (5, 1, "f", 6),
        (6, 5, "", 0),
        (900, 5, "", 0),
    ],
)
async def test_a_page_knows_its_position_and_the_rank_of_its_first_row(
    board: Ranked, offset: int, limit: int, names: str, rank: int
) -> None:
    await ties(board)
    page = await board.ranking.page(KEY, COLUMNS, offset, limit)
    assert (page.epoch, page.version, page.total, page.position, page.rank) == (EPOCH, 2, 6, offset, rank)
    assert "".join(row.player for row in page.rows) == names
    assert not page.stale


@pytest.mark.parametrize(
    ("player", "radius", "names", "position", "rank"),
    [
        ("a", 1, "ab", 0, 1),
        ("c", 1, "bcd", 1, 2),
        ("d", 1, "cde", 2, 2),
        ("f", 2, "def", 3, 2),
        ("c", 10, "abcdef", 0, 1),
    ],
)
async def test_around_a_player_is_cut_at_the_boards_ends(
    board: Ranked, player: str, radius: int, names: str, position: int, rank: int
) -> None:
    await ties(board)
    page = await board.ranking.around(KEY, COLUMNS, player, radius)
    assert page is not None
    assert "".join(row.player for row in page.rows) == names
    assert (page.position, page.rank, page.total) == (position, rank, 6)


async def test_around_who_is_not_ranked_there_is_nothing(board: Ranked) -> None:
    await apply(board, entry("ada", 1, seq=1), gone("bob", seq=2))
    assert await board.ranking.around(KEY, COLUMNS, "bob", 2) is None
    assert await board.ranking.around(KEY, COLUMNS, "nobody", 2) is None


async def test_standings_come_in_the_order_asked_with_metadata(board: Ranked) -> None:
    await ties(board)
    await apply(
        board, gone("b", seq=20), entry("c", 7, seq=3, metadata=b""), entry("f", 2, seq=21, metadata=b'{"x":1}')
    )
    found = await board.ranking.standings(KEY, COLUMNS, ["f", "nobody", "b", "d", "f"])
    assert (found.epoch, found.version, found.total) == (EPOCH, 3, 5)
    shown = [one and (one.row.player, one.position, one.rank, one.metadata) for one in found.standings]
    assert shown == [("f", 4, 5, b'{"x":1}'), None, None, ("d", 2, 2, b""), ("f", 4, 5, b'{"x":1}')]


async def test_the_standings_of_nobody_are_none(board: Ranked) -> None:
    found = await board.ranking.standings(KEY, COLUMNS, [])
    assert (found.epoch, found.version, found.standings) == (EPOCH, 1, ())


async def test_a_thousand_standings_are_one_call(board: Ranked) -> None:
    everyone = crowd(1000)
    for start in range(0, 1000, 250):
        await apply(board, *everyone[start : start + 250])
    found = await board.ranking.standings(KEY, COLUMNS, [change.player for change in everyone])
    assert [one and one.position for one in found.standings] == list(range(1000))


async def test_the_seq_of_a_player_is_that_of_the_newest_change(board: Ranked) -> None:
    await apply(board, entry("ada", 1, seq=2**60))
    assert await board.ranking.seq(KEY, "ada") == 2**60
    assert await board.ranking.seq(KEY, "bob") == 0


async def test_a_ranking_that_is_there_answers(ranked: Ranked) -> None:
    await ranked.ranking.ping()
