from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from infra.batcher import Batcher
from realtime.core.errors import Overloaded, RankcastError, StoreUnavailable
from realtime.core.fold import Outcome, Submission
from realtime.core.model import Board, BoardKey, BoardSpec, Column

if TYPE_CHECKING:
    from collections.abc import Sequence

BOARD = Board(BoardKey(1, 1), "arcade", BoardSpec(title="", columns=(Column("score"),)), 1)


def submission(score: int) -> Submission:
    return Submission(board=BOARD, player="ada", score=(score,))


class Store:
    """Holds each batch until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Semaphore(0)
        self.error: Exception | None = None

    async def submit(self, batch: Sequence[Submission]) -> list[Outcome]:
        self.batches.append([one.score[0] for one in batch])
        await self.gate.acquire()
        if self.error:
            raise self.error
        return [Outcome(one.player, one.score, one.score, improved=True, seq=one.score[0]) for one in batch]


def batcher(store: Store, **changes: int) -> Batcher:
    told = {"size": 10, "in_flight": 2, "limit": 100} | changes
    return Batcher(store, committed=lambda _: None, **told)


async def sent(batcher: Batcher, *requests: list[int]) -> list[asyncio.Task[list[Outcome]]]:
    tasks = [asyncio.create_task(batcher.submit([submission(score) for score in request])) for request in requests]
    for _ in range(4):
        await asyncio.sleep(0)
    return tasks


async def test_what_arrives_together_goes_in_one_batch_and_what_comes_meanwhile_in_the_next() -> None:
    store = Store()
    one = batcher(store, in_flight=1)
    first = await sent(one, [1], [2], [3])
    then = await sent(one, [4], [5])
    assert store.batches == [[1, 2, 3]]
    store.gate.release()
    assert [(await task)[0].seq for task in first] == [1, 2, 3]
    store.gate.release()
    assert [(await task)[0].seq for task in then] == [4, 5]
    assert store.batches == [[1, 2, 3], [4, 5]]


async def test_a_request_is_never_split_however_many_batches_are_in_flight() -> None:
    store = Store()
    tasks = await sent(batcher(store, size=4), [1, 2, 3, 4, 5, 6, 7], [8], [9])
    assert store.batches == [[1, 2, 3, 4, 5, 6, 7], [8, 9]]
    store.gate.release()
    store.gate.release()
    assert [outcome.seq for outcome in await tasks[0]] == [1, 2, 3, 4, 5, 6, 7]
    assert [outcome.seq for task in tasks[1:] for outcome in await task] == [8, 9]


async def test_past_the_limit_a_request_is_refused_and_those_before_it_are_not() -> None:
    store = Store()
    bounded = batcher(store, limit=3, in_flight=1)
    taken = await sent(bounded, [1])
    waiting = await sent(bounded, [2, 3, 4])
    with pytest.raises(Overloaded):
        await bounded.submit([submission(5)])
    assert (bounded.waiting, bounded.refused) == (3, 1)
    store.gate.release()
    store.gate.release()
    assert len(await taken[0]) == 1
    assert len(await waiting[0]) == 3


async def test_a_store_that_is_away_fails_all_of_its_batch_and_the_next_is_tried() -> None:
    store = Store()
    store.error = StoreUnavailable("away")
    one = batcher(store, in_flight=1)
    failed = await sent(one, [1], [2])
    store.gate.release()
    for task in failed:
        with pytest.raises(StoreUnavailable):
            await task
    store.error = None
    later = await sent(one, [3])
    store.gate.release()
    assert (await later[0])[0].seq == 3
    await one.close()


async def test_a_defect_fails_its_batch_alone_and_nobody_is_left_waiting() -> None:
    reported: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
    store = Store()
    one = batcher(store, size=1, in_flight=1)
    failed = await sent(one, [1])
    waiting = await sent(one, [2])
    store.error = defect = ZeroDivisionError()
    store.gate.release()
    with pytest.raises(RankcastError):
        await failed[0]
    store.error = None
    store.gate.release()
    assert (await waiting[0])[0].seq == 2
    assert reported == [defect]
    await one.close()
