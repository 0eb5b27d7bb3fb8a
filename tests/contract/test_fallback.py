from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from infra.fallback_postgres import PostgresFallback
from infra.postgres import open_pool
from realtime.core.errors import BoardChanged, StoreUnavailable
from tests.changes import packed
from tests.contract.adapters import InMemory, whole
from tests.contract.sending import board as new_board
from tests.contract.sending import submission, take

if TYPE_CHECKING:
    from pathlib import Path

    from realtime.core.model import Board
    from realtime.core.ports import Page
    from tests.contract.adapters import Stored


@pytest.fixture
async def board(stored: Stored) -> Board:
    """Shared ranks 1 2 2 2 5 6, and one who was removed."""
    board = await new_board(stored)
    await take(
        stored,
        *(submission(board, player, score, 0) for player, score in zip("abcdef", (9, 7, 7, 7, 5, 1), strict=True)),
    )
    await take(stored, submission(board, "gone", 99, 0), submission(board, "b", 7, 0, name="Bea"))
    await take(stored, submission(board, "f", 1, -1, metadata=b'{"x":1}'))
    await stored.players.remove(board, "gone")
    return board


@pytest.mark.parametrize(
    ("offset", "limit", "names", "rank"),
    [
        (0, 3, "abc", 1),
        (1, 1, "b", 2),
        (2, 2, "cd", 2),
        (3, 3, "def", 2),
        (5, 9, "f", 6),
        (6, 2, "", 0),
        (2000, 5, "", 0),
    ],
)
async def test_a_page_has_the_rows_and_the_rank_of_the_first(
    stored: Stored, board: Board, offset: int, limit: int, names: str, rank: int
) -> None:
    page = await stored.fallback.page(board, offset, limit)
    assert "".join(row.player for row in page.rows) == names
    assert (page.total, page.position, page.rank) == (6, offset, rank)
    assert (page.epoch, page.version, page.stale) == (0, 0, True)


async def test_an_age_is_counted_from_when_the_entry_got_its_seq(stored: Stored) -> None:
    board = await new_board(stored)
    clock = asyncio.get_running_loop().time
    began = clock()
    await take(stored, submission(board, "a", 5, 0))
    first = await stored.fallback.age(board, "a")
    await take(stored, submission(board, "a", 4, 0))
    again = await stored.fallback.age(board, "a")
    assert first is not None
    assert again is not None
    assert again[0] == first[0]
    assert first[1] <= again[1] <= clock() - began
    began = clock()
    await take(stored, submission(board, "a", 6, 0))
    better = await stored.fallback.age(board, "a")
    assert better is not None
    assert better[0] > again[0]
    assert 0 <= better[1] <= clock() - began


async def test_who_is_not_ranked_has_no_age(stored: Stored, board: Board) -> None:
    assert await stored.fallback.age(board, "gone") is None
    assert await stored.fallback.age(board, "nobody") is None


@pytest.mark.parametrize(
    ("beginning", "limit", "found"),
    [
        ("b", 9, ["b", "x1"]),
        ("B", 9, ["B2", "b", "x1"]),
        ("be", 9, ["b"]),
        ("BEA ", 9, ["b"]),
        ("x", 9, ["x1", "x2"]),
        ("x", 1, ["x1"]),
        ("ÄR", 9, ["x2"]),
        ("%", 9, []),
        ("_", 9, []),
        ("gone", 9, []),
        ("elsewhere", 9, []),
        ("\U0010fffe", 9, []),
    ],
)
async def test_players_are_found_by_how_an_id_or_a_name_begins(
    stored: Stored, beginning: str, limit: int, found: list[str]
) -> None:
    board, other = await new_board(stored), await new_board(stored, name="other")
    names = {"b": "Bea Bell", "B2": "Zed", "x1": "barbara", "x2": "Ärmel", "gone": "Gone"}
    await take(stored, *(submission(board, player, 1, 0, name=name) for player, name in names.items()))
    await take(stored, submission(other, "elsewhere", 1, 0, name="Elsewhere"))
    await stored.players.remove(board, "gone")
    assert sorted(await stored.fallback.find(board, beginning, limit)) == sorted(found)


async def test_all_level_share_the_first_rank_from_wherever_one_looks(stored: Stored) -> None:
    board = await new_board(stored, name="level")
    await take(stored, *(submission(board, player, 1, 1) for player in "abc"))
    assert [(await stored.fallback.page(board, offset, 1)).rank for offset in range(3)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("player", "radius", "names", "position", "rank"),
    [
        ("a", 1, "ab", 0, 1),
        ("c", 1, "bcd", 1, 2),
        ("d", 1, "cde", 2, 2),
        ("f", 2, "def", 3, 2),
        ("c", 9, "abcdef", 0, 1),
    ],
)
async def test_around_a_player_is_cut_at_the_boards_ends(
    stored: Stored, board: Board, player: str, radius: int, names: str, position: int, rank: int
) -> None:
    page = await stored.fallback.around(board, player, radius)
    assert page is not None
    assert "".join(row.player for row in page.rows) == names
    assert (page.position, page.rank, page.total) == (position, rank, 6)


async def test_who_is_not_ranked_has_no_place(stored: Stored, board: Board) -> None:
    assert await stored.fallback.around(board, "gone", 1) is None
    assert await stored.fallback.around(board, "nobody", 1) is None
    assert (await stored.fallback.standings(board, ["gone", "nobody"])).standings == (None, None)


async def test_standings_come_in_the_order_asked(stored: Stored, board: Board) -> None:
    found = await stored.fallback.standings(board, ["f", "nobody", "d", "b", "f"])
    assert (found.epoch, found.version, found.total, found.stale) == (0, 0, 6, True)
    shown = [one and (one.row.player, one.row.name, one.position, one.rank, one.metadata) for one in found.standings]
    last = ("f", "f", 5, 6, b'{"x":1}')
    assert shown == [last, None, ("d", "d", 3, 2, b""), ("b", "Bea", 1, 2, b""), last]


async def test_it_answers_as_the_ranking_would(stored: Stored, board: Board) -> None:
    ranked = InMemory()
    records = (await stored.state(board)).records
    await whole(ranked, board.key, 1, packed(records.values()))
    columns = board.spec.columns

    def shown(page: Page | None) -> object:
        assert page is not None
        return page.total, page.position, page.rank, page.rows

    for offset in range(7):
        expected = await ranked.ranking.page(board.key, columns, offset, 2)
        assert shown(await stored.fallback.page(board, offset, 2)) == shown(expected)
    for player in "abcdef":
        expected_around = await ranked.ranking.around(board.key, columns, player, 1)
        assert shown(await stored.fallback.around(board, player, 1)) == shown(expected_around)
    expected_all = await ranked.ranking.standings(board.key, columns, "abcdefg")
    assert (await stored.fallback.standings(board, list("abcdefg"))).standings == expected_all.standings


async def test_nobody_is_nowhere(stored: Stored, board: Board) -> None:
    assert (await stored.fallback.standings(board, [])).standings == ()


# -- what only the replica's view can do ---------------------------------------------------------------------------------


async def test_the_top_comes_from_the_view_as_of_its_last_refresh(in_postgres: Stored) -> None:
    board = await new_board(in_postgres)
    await take(in_postgres, submission(board, "a", 2, 0), submission(board, "b", 1, 0))
    assert await in_postgres.ledger.refresh_view(0)
    await take(in_postgres, submission(board, "c", 3, 0))
    assert [row.player for row in (await in_postgres.fallback.page(board, 0, 10)).rows] == ["a", "b"]
    assert [row.player for row in (await in_postgres.fallback.page(board, 0, 1001)).rows] == ["c", "a", "b"]


async def test_around_a_player_is_where_the_player_stands_now(in_postgres: Stored) -> None:
    board = await new_board(in_postgres)
    await take(
        in_postgres, *(submission(board, player, score, 0) for player, score in zip("abcd", (9, 7, 5, 3), strict=True))
    )
    assert await in_postgres.ledger.refresh_view(0)
    await take(in_postgres, submission(board, "new", 1, 0), submission(board, "d", 10, 0))
    for player, names, position in (("new", ["c", "new"], 3), ("d", ["d", "a"], 0)):
        page = await in_postgres.fallback.around(board, player, 1)
        assert page is not None
        assert ([row.player for row in page.rows], page.position, page.rank) == (names, position, position + 1)


async def test_the_view_is_refreshed_at_most_once_in_its_interval(in_postgres: Stored) -> None:
    ledger = in_postgres.ledger
    assert await ledger.refresh_view(0)
    assert not await ledger.refresh_view(30)
    assert await ledger.refresh_view(0)


async def test_the_view_leaves_out_deleted_boards_and_tombstones(in_postgres: Stored, shared_database: str) -> None:
    board, dead = await new_board(in_postgres), await new_board(in_postgres, name="dead")
    for one in (board, dead):
        await take(in_postgres, submission(one, "a", 2, 0), submission(one, "b", 1, 0))
    await in_postgres.players.remove(board, "a")
    await in_postgres.boards.delete("dead")
    assert await in_postgres.ledger.refresh_view(0)
    pool = await open_pool(shared_database, size=1, seconds=5, writer=False)
    try:
        rows = await pool.fetch("SELECT board_id, player FROM leaderboard_ranking")
    finally:
        await pool.close()
    assert [(row["board_id"], row["player"]) for row in rows] == [(board.key.board, "b")]


async def test_what_takes_too_long_to_count_is_left_out(in_postgres: Stored, shared_database: str) -> None:
    board = await new_board(in_postgres)
    await take(in_postgres, submission(board, "a", 2, 0))
    pool = await open_pool(shared_database, size=1, seconds=5, writer=False)

    class Slow:
        """A pool whose counts take too long."""

        async def fetch(self, query: str, *args: object) -> object:
            if "count(" in query:
                raise TimeoutError
            return await pool.fetch(query, *args)

        async def fetchval(self, *_: object) -> object:
            raise TimeoutError

    fallback = PostgresFallback(Slow())
    try:
        page = await fallback.page(board, 0, 10)
        assert ([row.player for row in page.rows], page.total, page.rank) == (["a"], 1, 1)
        (standing,) = (await fallback.standings(board, ["a"])).standings
        assert standing is not None
        assert (standing.row.player, standing.position, standing.rank) == ("a", -1, 0)
        with pytest.raises(StoreUnavailable):
            await fallback.around(board, "a", 1)
    finally:
        await pool.close()


async def test_a_replica_that_is_away_is_unavailable(in_postgres: Stored, tmp_path: Path) -> None:
    board = await new_board(in_postgres)
    pool = await open_pool(f"postgresql://nobody@/none?host={tmp_path}", size=1, seconds=1, writer=False, lazy=True)
    fallback = PostgresFallback(pool)
    for call in (fallback.page(board, 0, 1), fallback.around(board, "a", 1), fallback.standings(board, ["a"])):
        with pytest.raises(StoreUnavailable):
            await call
    pool.terminate()


async def test_rows_of_other_columns_are_told_from_the_boards(in_postgres: Stored) -> None:
    board = await new_board(in_postgres)
    await take(in_postgres, submission(board, "a", 2, 0))
    other = await new_board(in_postgres, name="narrow", columns=board.spec.columns[:1])
    mixed = type(board)(board.key, board.name, other.spec, board.revision)
    with pytest.raises(BoardChanged):
        await in_postgres.fallback.page(mixed, 0, 1)
