from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from realtime.core.errors import BoardHasEntries, BoardUnknown
from realtime.core.model import INT64_MAX, BoardKey, BoardSpec, Column, Direction, Operator, RankMode, Writes
from tests.contract.sending import board as new_board
from tests.contract.sending import spec, submission, take

if TYPE_CHECKING:
    from tests.contract.adapters import Stored

FULL = BoardSpec(
    title="Ünïcode ⚑",
    columns=(Column("solved", Direction.DESC), Column("time", Direction.ASC, 3), Column("a.b-c_d")),
    operator=Operator.LATEST,
    ranks=RankMode.ORDINAL,
    writes=Writes.PLAYER,
    public=False,
    minimum=(0, None, -5),
    maximum=(None, INT64_MAX, None),
)


async def test_a_board_is_created_and_found_as_it_was_described(stored: Stored) -> None:
    made, created = await stored.boards.put("full", FULL)
    assert created
    assert (made.name, made.spec, made.revision, made.key.season) == ("full", FULL, 1, 1)
    assert await stored.boards.get("full") == made


async def test_boards_are_listed_by_name(stored: Stored) -> None:
    for name in ("zeta", "Alpha", "beta", "a.1"):
        await stored.boards.put(name, spec())
    assert [board.name for board in await stored.boards.all()] == ["Alpha", "a.1", "beta", "zeta"]


async def test_a_board_that_is_not_there_is_unknown(stored: Stored) -> None:
    with pytest.raises(BoardUnknown):
        await stored.boards.get("nothing")
    with pytest.raises(BoardUnknown):
        await stored.boards.delete("nothing")


async def test_a_new_board_and_each_edit_and_a_delete_send_word(stored: Stored) -> None:
    board, _ = await stored.boards.put("contest", spec())
    assert await stored.sent() == [(board.key, [])]
    await stored.boards.put("contest", spec(public=False))
    assert await stored.sent() == [(board.key, [])]
    await stored.boards.delete("contest")
    assert await stored.sent() == [(board.key, [])]


async def test_an_edit_raises_revision_and_epoch(stored: Stored) -> None:
    board = await new_board(stored)
    before = await stored.ledger.epochs([board.key])
    edited, created = await stored.boards.put("contest", spec(public=False))
    assert not created
    assert (edited.key, edited.revision, edited.spec.public) == (board.key, board.revision + 1, False)
    assert (await stored.ledger.epochs([board.key]))[board.key] > before[board.key]
    assert await stored.boards.get("contest") == edited


async def test_the_same_document_again_is_no_edit(stored: Stored) -> None:
    board, _ = await stored.boards.put("contest", FULL)
    await stored.sent()
    epochs = await stored.ledger.epochs()
    assert await stored.boards.put("contest", FULL) == (board, False)
    assert await stored.ledger.epochs() == epochs
    assert await stored.sent() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"columns": (Column("solved"),)},
        {"columns": (Column("solved", Direction.ASC), Column("penalty", Direction.ASC))},
        {"columns": (Column("solved"), Column("penalty", Direction.ASC, 3))},
        {"operator": Operator.SUM},
    ],
)
async def test_columns_and_operator_are_fixed_once_there_are_entries(stored: Stored, fields: dict[str, object]) -> None:
    board = await new_board(stored)
    edited, _ = await stored.boards.put("contest", spec(**fields))
    board, _ = await stored.boards.put("contest", spec())
    assert board.revision == edited.revision + 1
    await take(stored, submission(board, "ada", 1, 1))
    with pytest.raises(BoardHasEntries):
        await stored.boards.put("contest", spec(**fields))
    assert await stored.boards.get("contest") == board


async def test_a_removed_entry_still_fixes_the_columns(stored: Stored) -> None:
    """Its tombstone has to outlive late copies of what stood before."""
    board = await new_board(stored)
    await take(stored, submission(board, "ada", 1, 1))
    await stored.players.remove(board, "ada")
    with pytest.raises(BoardHasEntries):
        await stored.boards.put("contest", spec(Operator.SUM))


async def test_everything_else_may_be_edited_under_entries(stored: Stored) -> None:
    board = await new_board(stored)
    await take(stored, submission(board, "ada", 1, 1))
    wanted = spec(title="T", ranks=RankMode.ORDINAL, writes=Writes.PLAYER, public=False, maximum=(9, None))
    edited, _ = await stored.boards.put("contest", wanted)
    assert edited.spec == wanted


async def test_a_deleted_board_is_gone_and_its_id_is_never_used_again(stored: Stored) -> None:
    board = await new_board(stored)
    await take(stored, submission(board, "ada", 1, 1))
    assert (await stored.boards.delete("contest")).key == board.key
    with pytest.raises(BoardUnknown):
        await stored.boards.get("contest")
    assert await stored.boards.all() == []
    assert await stored.ledger.epochs([board.key]) == {}
    again, created = await stored.boards.put("contest", spec(Operator.SUM))
    assert created
    assert again.key != board.key
    assert (await stored.state(again)).records == {}


async def test_by_keys_leaves_out_what_is_no_boards_current_season(stored: Stored) -> None:
    board, other = await new_board(stored), await new_board(stored, name="other")
    asked = [board.key, BoardKey(board.key.board, 2), BoardKey(10**6, 1)]
    assert await stored.boards.by_keys(asked) == {board.key: board}
    assert await stored.boards.by_keys([BoardKey(other.key.board, 2)]) == {}
    assert await stored.boards.by_keys([]) == {}


async def test_one_of_many_who_create_a_board_at_once_creates_it(stored: Stored) -> None:
    made = await asyncio.gather(*(stored.boards.put("contest", spec()) for _ in range(6)))
    assert sorted(created for _, created in made) == [False] * 5 + [True]
    assert len({board.key for board, _ in made}) == 1


async def test_batches_and_edits_at_once_leave_only_what_the_document_allows(stored: Stored) -> None:
    board = await new_board(stored)

    async def submit(n: int) -> None:
        current = await stored.boards.get("contest")
        await stored.submissions.submit([submission(current, f"p{n}", 1, n)])

    async def edit(n: int) -> None:
        await stored.boards.put("contest", spec(title=str(n)))

    await asyncio.gather(*(step(n) for n in range(10) for step in (submit, edit)))
    last = await stored.boards.get("contest")
    assert last.revision == board.revision + 10
    assert set((await stored.state(last)).records) <= {f"p{n}" for n in range(10)}
