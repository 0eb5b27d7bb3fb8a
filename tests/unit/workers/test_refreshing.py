from __future__ import annotations

import asyncio
import dataclasses
import random
from typing import TYPE_CHECKING

import pytest

from infra.readings import Reading
from infra.store_memory import Waiting
from infra.tracing import written
from realtime.core import outbox as payloads
from realtime.core.announcement import Origin, decode_top
from realtime.core.errors import RankingUnavailable
from realtime.core.model import Change, Column, Operator
from tests.changes import ranked
from tests.contract.sending import send, spec, submission, take
from tests.unit.infra.test_tracing import HEADER, PARENT, Process
from tests.unit.workers.plant import LEASE
from workers.refreshing import BATCH, CLAIM

if TYPE_CHECKING:
    import structlog

    from realtime.core.model import Board
    from tests.unit.workers.plant import Plant


@pytest.fixture
async def board(plant: Plant) -> Board:
    return await plant.board()


async def test_a_new_board_is_brought_into_being(plant: Plant, board: Board) -> None:
    assert await plant.is_ranked_as_stored(board)
    assert plant.store.outbox == {}


async def test_what_was_committed_is_ranked_and_settled(plant: Plant, board: Board) -> None:
    await take(plant, submission(board, "ada", 3, 1, name="Ada"), submission(board, "bob", 2, 1))
    assert await plant.refresh.step()
    assert await plant.is_ranked_as_stored(board)
    assert plant.store.outbox == {}
    assert Reading.of(plant.refresh.metrics.collect(), 0.0).values["rankcast_applied_total"] == 2


async def test_versions_say_when_the_oldest_change_in_them_was_committed_and_by_whom(
    plant: Plant, board: Board
) -> None:
    other = await plant.board("other")
    for made, player, trace in ((board, "ada", None), (other, "ada", None), (board, "bob", "Root=1-b")):
        await take(plant, dataclasses.replace(submission(made, player, 1, 1), trace=trace))
    letters = list(plant.store.outbox.values())
    letters[0].at, letters[1].at, letters[2].at = 30.0, 10.0, 20.000007
    await plant.refresh.step()
    top, others = (decode_top(one.spec.columns, plant.ranking.announced(one.key)[-1].top) for one in (board, other))
    assert (top.origin, others.origin) == (Origin(20_000_007, "Root=1-b"), Origin(10_000_000))


async def test_an_empty_outbox_is_no_step(plant: Plant) -> None:
    assert not await plant.refresh.step()


async def test_what_is_delivered_again_changes_nothing(plant: Plant, board: Board) -> None:
    """A worker that died between applying and settling."""
    await take(plant, submission(board, "ada", 3, 1))
    rows = await plant.outbox.claim(10)
    ((key, changes),) = payloads.decode(rows[0].payload)
    await plant.ranking.apply(key, plant.store.epochs[key], changes)
    before = plant.ranking.announced(key)
    await plant.expire()
    await plant.refresh.step()
    assert plant.ranking.announced(key) == before
    assert plant.store.outbox == {}


async def test_no_script_call_has_more_than_250_changes(plant: Plant, board: Board) -> None:
    for start in (0, 400):
        await take(plant, *(submission(board, f"p{n}", n, 0) for n in range(start, start + 400)))
    plant.ranking.applied.clear()
    await plant.refresh.step()
    assert plant.ranking.applied == [BATCH, BATCH, BATCH, 50]
    assert await plant.is_ranked_as_stored(board)


async def test_a_step_takes_only_so_many_rows(plant: Plant, board: Board) -> None:
    for n in range(CLAIM + 3):
        await take(plant, submission(board, f"p{n}", n, 0))
    await plant.refresh.step()
    assert len(plant.store.outbox) == 3


async def test_a_board_that_redis_lost_is_rebuilt_and_nothing_is_missing(plant: Plant, board: Board) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    await plant.work()
    epoch = plant.store.epochs[board.key]
    await plant.ranking.drop(board.key)
    await take(plant, submission(board, "bob", 4, 1))
    await plant.refresh.step()
    assert plant.store.outbox
    await plant.work()
    assert await plant.is_ranked_as_stored(board)
    assert plant.store.epochs[board.key] > epoch


async def test_one_refused_board_does_not_hold_up_the_others(plant: Plant, board: Board) -> None:
    other = await plant.board("other")
    await plant.ranking.drop(other.key)
    await take(plant, submission(board, "ada", 3, 1))
    await take(plant, submission(other, "ada", 3, 1))
    await take(plant, submission(board, "bob", 3, 1), submission(other, "bob", 3, 1))
    await plant.refresh.step()
    assert await plant.is_ranked_as_stored(board)
    # The second and the third row wait: both have changes of the board that was refused.
    assert len(plant.store.outbox) == 2
    await plant.work()
    assert await plant.is_ranked_as_stored(other)


async def test_changes_of_a_board_that_is_being_rebuilt_wait(plant: Plant, board: Board) -> None:
    await plant.ranking.drop(board.key)
    await take(plant, submission(board, "ada", 3, 1))
    await plant.refresh.step()
    await take(plant, submission(board, "bob", 3, 1))
    plant.ranking.applied.clear()
    await plant.refresh.step()
    assert plant.ranking.applied == []
    await plant.work()
    assert await plant.is_ranked_as_stored(board)


async def test_an_edit_brings_the_board_to_its_new_epoch(plant: Plant, board: Board) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    await plant.work()
    before = await plant.ranking.position(board.key)
    edited, _ = await plant.boards.put("contest", spec(public=False))
    await plant.work()
    assert (await plant.ranking.position(board.key))[0] == plant.store.epochs[board.key] > before[0]
    assert await plant.is_ranked_as_stored(edited)


async def test_an_edit_counts_even_if_changes_come_in_the_same_claim(plant: Plant, board: Board) -> None:
    """The notice and the first scores after it are one batch of rows for the worker."""
    await take(plant, submission(board, "ada", 3, 1))
    await plant.work()
    edited, _ = await plant.boards.put("contest", spec(public=False))
    await take(plant, submission(edited, "bob", 3, 1))
    await plant.work()
    assert await plant.is_ranked_as_stored(edited)


async def test_other_columns_count_even_if_scores_come_in_the_same_claim(plant: Plant, board: Board) -> None:
    await plant.work()
    edited, _ = await plant.boards.put("contest", spec(columns=(Column("points"),)))
    await take(plant, submission(edited, "ada", 3))
    await plant.work()
    assert board.key == edited.key
    assert await plant.is_ranked_as_stored(edited)


async def test_a_worker_that_missed_an_edit_rebuilds_instead_of_failing(plant: Plant, board: Board) -> None:
    """Another worker took the notice; this one still knows the old epoch and is given scores of other columns."""
    late = plant.worker()
    await plant.work()
    late._epochs[board.key] = plant.store.epochs[board.key]
    edited, _ = await plant.boards.put("contest", spec(columns=(Column("points"),)))
    await plant.sent()
    await take(plant, submission(edited, "ada", 3))
    await plant.work(late)
    assert await plant.is_ranked_as_stored(edited)


async def test_a_deleted_board_is_dropped_and_its_late_changes_with_it(plant: Plant, board: Board) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    await plant.work()
    await take(plant, submission(board, "bob", 3, 1))
    await plant.boards.delete("contest")
    await plant.work()
    assert not await plant.ranking.holds(board.key, 1)
    assert plant.ranking.announced(board.key) == []


async def test_while_the_ranking_is_away_rows_are_not_left_to_their_lease(plant: Plant, board: Board) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    plant.ranking.away = True
    with pytest.raises(RankingUnavailable):
        await plant.refresh.step()
    plant.ranking.away = False
    await asyncio.sleep(0.2)
    assert await plant.refresh.step()
    assert await plant.is_ranked_as_stored(board)


async def test_what_was_applied_before_the_ranking_went_away_is_settled(plant: Plant, board: Board) -> None:
    other = await plant.board("other")
    await take(plant, submission(board, "ada", 3, 1))
    await take(plant, submission(other, "ada", 3, 1))
    plant.ranking.away_for = other.key
    with pytest.raises(RankingUnavailable):
        await plant.refresh.step()
    assert len(plant.store.outbox) == 1
    assert await plant.is_ranked_as_stored(board)


async def test_verify_rebuilds_what_is_not_whole_and_says_whether_all_was(plant: Plant, board: Board) -> None:
    other = await plant.board("other")
    await take(plant, submission(board, "ada", 3, 1), submission(other, "ada", 3, 1))
    await plant.work()
    assert await plant.refresh.verify()
    await plant.ranking.drop(other.key)
    assert not await plant.refresh.verify()
    await plant.refresh.settle_rebuilds()
    assert await plant.refresh.verify()
    assert await plant.is_ranked_as_stored(other)


async def test_a_rebuild_that_fails_leaves_the_worker_able_to_try_again(plant: Plant, board: Board) -> None:
    await plant.ranking.drop(board.key)
    plant.ranking.away = True
    plant.refresh.start_rebuild(board.key)
    await plant.refresh.settle_rebuilds()
    plant.ranking.away = False
    assert not await plant.refresh.verify()
    await plant.refresh.settle_rebuilds()
    assert await plant.is_ranked_as_stored(board)


async def test_a_rebuild_that_is_stopped_leaves_the_board_as_it_was(plant: Plant, board: Board) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    await plant.work()
    before = await plant.ranking.position(board.key)
    plant.store.raise_epoch(board.key)
    reached, never = asyncio.Event(), asyncio.Event()

    async def stop() -> None:
        reached.set()
        await never.wait()

    plant.ranking.before_load = stop
    assert not await plant.refresh.verify()
    await reached.wait()
    await plant.refresh.close()
    assert await plant.ranking.position(board.key) == before
    again = plant.worker()
    assert not await again.verify()
    await again.settle_rebuilds()
    assert await plant.is_ranked_as_stored(board)


async def test_a_rebuild_that_is_stopped_before_its_first_step_is_forgotten(plant: Plant, board: Board) -> None:
    await plant.ranking.drop(board.key)
    plant.refresh.start_rebuild(board.key)
    await plant.refresh.close()
    await plant.refresh.settle_rebuilds()
    assert not await plant.refresh.verify()
    await plant.refresh.settle_rebuilds()
    assert await plant.is_ranked_as_stored(board)


async def test_boards_that_changed_are_noted_once_a_minute(plant: Plant, board: Board) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    await plant.work()
    first = plant.store.touched[board.key]
    for n in range(5):
        await take(plant, submission(board, "ada", 4 + n, 1))
        await plant.work()
    assert plant.store.touched[board.key] == first
    await asyncio.sleep(60)
    await take(plant, submission(board, "ada", 99, 1))
    await plant.work()
    assert plant.store.touched[board.key] > first


async def test_a_notice_alone_is_no_change_of_the_board(plant: Plant, board: Board) -> None:
    assert board.key not in plant.store.touched


def put(plant: Plant, payload: bytes) -> int:
    """A row of the outbox that nobody here has written."""
    row = next(plant.store._rows)
    plant.store.outbox[row] = Waiting(payload, float("-inf"), 0.0)
    return row


@pytest.mark.parametrize("payload", [b"", b"\xc1", payloads.encode({})[:-1] + b"\x91\x07"])
async def test_a_row_that_cannot_be_read_is_held_and_its_neighbours_go_on(
    plant: Plant, board: Board, payload: bytes, said: list[structlog.typing.EventDict]
) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    row = put(plant, payload)
    await take(plant, submission(board, "bob", 3, 1))
    await plant.refresh.step()
    assert await plant.is_ranked_as_stored(board)
    assert list(plant.store.outbox) == [row]
    assert "no changes" in str(plant.store.outbox[row].reason)
    assert [(line["log_level"], line["row"]) for line in said if line["event"] == "put aside"] == [("error", row)]
    await plant.expire()
    assert not await plant.refresh.step()


async def test_a_record_that_is_none_of_the_board_holds_its_row_alone(plant: Plant, board: Board) -> None:
    """Its board is the one that it names, under the epoch that the store says: it never will fit."""
    await take(plant, submission(board, "ada", 3, 1))
    row = put(plant, payloads.encode({board.key: [Change("eve", 99, b"short", 0, b"{}")]}))
    await take(plant, submission(board, "bob", 4, 1))
    await plant.work_but(row)
    assert await plant.is_ranked_as_stored(board)
    assert plant.store.outbox[row].reason == "no record of this board"
    assert await plant.ranking.seq(board.key, "bob") > 0


async def test_the_bad_half_of_a_row_does_not_keep_the_good_half(plant: Plant, board: Board) -> None:
    other = await plant.board("other")
    bad = Change("eve", 99, b"short", 0, b"{}")
    row = put(plant, payloads.encode({board.key: [bad], other.key: [ranked("ada", 3, seq=50)]}))
    await plant.work_but(row)
    assert await plant.ranking.seq(other.key, "ada") == 50
    assert plant.store.outbox[row].reason is not None


async def test_a_round_says_what_became_of_each_letter(plant: Plant, board: Board) -> None:
    other = await plant.board("other")
    await take(plant, submission(board, "ada", 3, 1))
    await take(plant, submission(other, "ada", 3, 1))
    letters = await plant.outbox.claim(10)
    bad = put(plant, b"bad")
    letters += await plant.outbox.claim(10)
    plant.ranking.away_for = other.key
    taken = await plant.refresh.take(letters, 5.0)
    assert (taken.done, taken.waiting, list(taken.unreadable)) == ([letters[0].id], [letters[1].id], [bad])
    assert isinstance(taken.trouble, RankingUnavailable)
    assert plant.store.outbox[letters[1].id].free_at == asyncio.get_running_loop().time() + 5.0


async def test_the_same_letter_twice_in_a_round_is_applied_and_settled(plant: Plant, board: Board) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    letters = await plant.outbox.claim(10)
    assert (await plant.refresh.take([*letters, *letters], 1.0)).done == [letters[0].id]
    assert await plant.is_ranked_as_stored(board)
    assert plant.store.outbox == {}


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_the_ranking_ends_as_the_store(plant: Plant, seed: int) -> None:
    """Two workers, losses of Redis, edits, late and lost settlements."""
    dice = random.Random(seed)
    boards = [
        await plant.board(name, operator=operator) for name, operator in (("b", Operator.BEST), ("s", Operator.SUM))
    ]
    workers = [plant.refresh, plant.worker()]
    for _ in range(150):
        match dice.randrange(12):
            case 0:
                await plant.ranking.drop(dice.choice(boards).key)
            case 1:
                index = dice.randrange(2)
                edited = dataclasses.replace(boards[index].spec, title=str(dice.random()))
                boards[index], _ = await plant.boards.put(boards[index].name, edited)
            case 2:
                # A worker that stops after it claimed.
                await plant.outbox.claim(dice.randint(1, 3))
            case 3:
                await plant.players.put(f"p{dice.randrange(9)}", {"name": f"n{dice.randrange(99)}"})
            case 4:
                await asyncio.sleep(dice.choice((0.2, 11)))
            case 5 | 6 | 7:
                await dice.choice(workers).step()
            case _:
                board = dice.choice(boards)
                await send(plant, *(submission(board, f"p{dice.randrange(9)}", dice.randrange(5), 0) for _ in range(3)))
    await asyncio.sleep(LEASE + 1)
    for worker in workers:
        await worker.settle_rebuilds()
    await plant.work(workers[1])
    # What was dropped with nothing left to say about it is found by the watch.
    await workers[0].verify()
    await workers[0].settle_rebuilds()
    for board in boards:
        assert await plant.is_ranked_as_stored(board)
    await workers[1].close()


async def test_what_is_traced_is_applied_in_a_span_of_each_trace_and_the_first_one_goes_on(
    plant: Plant, board: Board
) -> None:
    process = Process()
    plant.refresh.tracing = process.tracing
    other = HEADER.replace("Parent=5", "Parent=6")
    for player, trace in (("ada", None), ("bob", HEADER), ("cid", other), ("dan", HEADER)):
        await take(plant, dataclasses.replace(submission(board, player, 1, 1), trace=trace))
    await plant.refresh.step()
    first, second = process.ended()
    process.tracing.close()
    assert [span.parent and f"{span.parent.span_id:016x}" for span in (first, second)] == [PARENT, f"6{PARENT[1:]}"]
    assert dict(first.attributes or {}) == {"board": board.key.board, "changes": 4}
    top = decode_top(board.spec.columns, plant.ranking.announced(board.key)[-1].top)
    assert top.origin is not None
    assert top.origin.trace == written(first.context)
