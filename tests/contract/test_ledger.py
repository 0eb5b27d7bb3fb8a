from __future__ import annotations

from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING

import pytest

from realtime.core import record
from realtime.core.model import BoardKey
from tests.contract.adapters import take as apply
from tests.contract.sending import board as new_board
from tests.contract.sending import submission, take

if TYPE_CHECKING:
    from realtime.core.model import Board
    from tests.contract.adapters import Stored


@pytest.fixture
async def board(stored: Stored) -> Board:
    return await new_board(stored)


async def test_every_living_board_has_an_epoch_of_its_own(stored: Stored, board: Board) -> None:
    other, dead = await new_board(stored, name="other"), await new_board(stored, name="dead")
    await stored.boards.delete("dead")
    epochs = await stored.ledger.epochs()
    assert set(epochs) == {board.key, other.key}
    assert 0 < epochs[board.key] < epochs[other.key]
    asked = [other.key, dead.key, BoardKey(10**6, 1), BoardKey(board.key.board, 2)]
    assert await stored.ledger.epochs(asked) == {other.key: epochs[other.key]}
    assert await stored.ledger.epochs([]) == {}


async def test_a_new_epoch_is_higher_than_any_before_and_is_expected_from_then_on(stored: Stored, board: Board) -> None:
    other = await new_board(stored, name="other")
    before = await stored.ledger.epochs()
    epoch = await stored.ledger.new_epoch(board.key)
    assert epoch > max(before.values())
    assert await stored.ledger.epochs() == {board.key: epoch, other.key: before[other.key]}


async def test_all_epochs_can_be_raised_at_once(stored: Stored, board: Board) -> None:
    await new_board(stored, name="other")
    before = await stored.ledger.epochs()
    assert board.key in before
    await stored.ledger.raise_epochs()
    after = await stored.ledger.epochs()
    assert set(after) == set(before)
    assert min(after.values()) > max(before.values())


async def test_who_notices_a_failover_first_raises_every_epoch_and_says_so_in_the_outbox(
    stored: Stored, board: Board
) -> None:
    other = await new_board(stored, name="other")
    await new_board(stored, name="dead")
    await stored.boards.delete("dead")
    await stored.sent()
    before = await stored.ledger.epochs()
    assert not await stored.ledger.follow_timeline()
    assert (await stored.sent(), await stored.ledger.epochs()) == ([], before)
    await stored.fail_over()
    assert await stored.ledger.follow_timeline()
    after = await stored.ledger.epochs()
    assert min(after.values()) > max(before.values())
    assert sorted(await stored.sent()) == [(board.key, []), (other.key, [])]
    assert not await stored.ledger.follow_timeline()
    assert (await stored.sent(), await stored.ledger.epochs()) == ([], after)


async def test_one_at_a_time_rebuilds_a_board(stored: Stored, board: Board) -> None:
    other = await new_board(stored, name="other")
    async with AsyncExitStack() as held:
        assert await held.enter_async_context(stored.ledger.rebuilding(board.key))
        async with stored.ledger.rebuilding(board.key) as second:
            assert not second
        async with stored.ledger.rebuilding(board.key) as third:
            assert not third
        async with stored.ledger.rebuilding(other.key) as mine:
            assert mine
    async with stored.ledger.rebuilding(board.key) as mine:
        assert mine


async def test_a_rebuild_that_fails_lets_others_try(stored: Stored, board: Board) -> None:
    async def fail() -> None:
        async with stored.ledger.rebuilding(board.key):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with stored.ledger.rebuilding(board.key) as mine:
        assert mine


async def test_a_snapshot_holds_every_record_with_profiles_metadata_and_tombstones(
    stored: Stored, board: Board
) -> None:
    other = await new_board(stored, name="other")
    await take(
        stored,
        submission(board, "ada", 3, 1, name="Ada", metadata=b'{"x":1}'),
        submission(board, "bob", 2, 1),
        submission(board, "cid", 1, 1),
        submission(other, "eve", 1, 1),
    )
    await stored.players.put("bob", {"country": "GB", "picture": "b.png"})
    await stored.players.remove(board, "cid")
    state = await stored.state(board)
    assert [(row.player, row.name, row.country, row.picture) for row in state.window().rows] == [
        ("ada", "Ada", None, None),
        ("bob", "bob", "GB", "b.png"),
    ]
    assert set(state.records) == {"ada", "bob", "cid"}
    assert state.records["ada"].metadata == b'{"x":1}'
    assert state.records["bob"].profile_seq == (await stored.players.get("bob")).seq


async def test_a_snapshot_is_of_one_moment(stored: Stored, board: Board) -> None:
    for start in range(0, 2500, 500):
        await take(stored, *(submission(board, f"p{n:04}", 1, 1) for n in range(start, start + 500)))
    rows = []
    async for chunk in stored.ledger.snapshot(board.key):
        if not rows:
            await take(stored, *(submission(board, f"p{n:04}", 9, 9) for n in range(0, 2500, 50)))
        assert 0 < len(chunk) <= 1000
        rows.extend(chunk)
    assert len({player for player, _ in rows}) == len(rows) == 2500
    assert {record.unpack("", packed).metadata for _, packed in rows} == {b""}
    assert {record.row(board.spec.columns, "x", record.unpack("x", one).key, b"{}").score for _, one in rows} == {
        (1, 1)
    }
    assert (await stored.state(board)).window().rows[0].score == (9, 9)


async def test_a_snapshot_may_be_left_half_way(stored: Stored, board: Board) -> None:
    for start in range(0, 1500, 500):
        await take(stored, *(submission(board, f"p{n:04}", 1, 1) for n in range(start, start + 500)))
    for _ in range(12):
        async with aclosing(stored.ledger.snapshot(board.key)) as snapshot:
            async for _rows in snapshot:
                break
    assert (await stored.state(board)).total == 1500


async def test_the_snapshot_of_an_empty_or_unknown_board_is_empty(stored: Stored, board: Board) -> None:
    assert (await stored.state(board)).records == {}
    assert [rows async for rows in stored.ledger.snapshot(BoardKey(10**6, 1))] == []


async def test_snapshot_and_outbox_together_lose_nothing(stored: Stored, board: Board) -> None:
    """The order of a rebuild: what was committed before the snapshot is in it, the rest still in the outbox."""
    await take(stored, submission(board, "ada", 1, 1))
    await stored.sent()
    state = await stored.state(board)
    await take(stored, submission(board, "bob", 2, 2), submission(board, "ada", 3, 3))
    for key, rows in await stored.sent():
        assert key == board.key
        apply(state, rows)
    assert state.records == (await stored.state(board)).records


async def test_touching_boards_is_noted_without_a_word(stored: Stored, board: Board) -> None:
    await stored.ledger.touch([board.key])
    await stored.ledger.touch([])
    assert await stored.sent() == []
