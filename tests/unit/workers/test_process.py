from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from realtime.core.errors import RankingUnavailable, StoreUnavailable
from tests.contract.sending import submission, take
from workers import process

if TYPE_CHECKING:
    import structlog

    from tests.unit.workers.plant import Plant

POLL = 0.5


class Bell:
    """Rings when told to."""

    def __init__(self) -> None:
        self.rung = asyncio.Event()
        self.waits: list[float] = []

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        try:
            async with asyncio.timeout(seconds):
                await self.rung.wait()
        except TimeoutError:
            return
        self.rung.clear()


class Looks:
    """A watch that counts, and fails where told."""

    def __init__(self) -> None:
        self.looks = 0

    async def look(self) -> None:
        self.looks += 1


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
async def applying(plant: Plant, bell: Bell) -> Any:
    """The loop that applies, and its watch."""
    watch = Looks()
    resources = SimpleNamespace(listener=bell)
    task = asyncio.create_task(process._apply(plant.refresh, watch, resources, POLL))
    yield SimpleNamespace(task=task, watch=watch)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_bell_starts_work_at_once(plant: Plant, bell: Bell, applying: Any) -> None:
    board = await plant.board()
    await asyncio.sleep(POLL * 3)
    await take(plant, submission(board, "ada", 3, 1))
    bell.rung.set()
    await asyncio.sleep(0.001)
    assert await plant.is_ranked_as_stored(board)
    assert applying.watch.looks == 1


async def test_without_the_bell_the_outbox_is_looked_into_all_the_same(plant: Plant, bell: Bell, applying: Any) -> None:
    board = await plant.board()
    await take(plant, submission(board, "ada", 3, 1))
    await asyncio.sleep(POLL * 2)
    assert await plant.is_ranked_as_stored(board)
    assert set(bell.waits) == {POLL}
    assert not applying.task.done()


@pytest.mark.parametrize("error", [RankingUnavailable("away"), StoreUnavailable("away")])
async def test_after_a_failure_it_waits_and_makes_sure_of_the_server_again(
    plant: Plant, applying: Any, said: list[structlog.typing.EventDict], error: Exception
) -> None:
    board = await plant.board()
    await asyncio.sleep(POLL)
    step = plant.refresh.outbox.claim

    async def fail(_: int) -> Any:
        raise error

    plant.refresh.outbox.claim = fail
    await asyncio.sleep(2)
    # Paced, not spinning.
    assert 2 <= applying.watch.looks <= 6
    plant.refresh.outbox.claim = step
    await take(plant, submission(board, "ada", 3, 1))
    await asyncio.sleep(2)
    assert await plant.is_ranked_as_stored(board)
    assert "refresh waits" in {line["event"] for line in said}


async def test_a_defect_ends_the_worker_instead_of_being_passed_over(plant: Plant, applying: Any) -> None:
    async def fail(_: int) -> Any:
        raise ZeroDivisionError

    plant.refresh.outbox.claim = fail
    with pytest.raises(ZeroDivisionError):
        await applying.task


async def test_what_is_done_every_so_often_goes_on_after_it_failed() -> None:
    calls = []

    async def act() -> None:
        calls.append(asyncio.get_running_loop().time())
        if len(calls) == 2:
            raise StoreUnavailable("away")

    task = asyncio.create_task(process._every(10, act))
    await asyncio.sleep(35)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert calls == [0, 10, 20, 30]


async def test_keeping_house_sweeps_until_there_is_nothing_left() -> None:
    swept = [process._SWEEP, process._SWEEP, 7]
    forgotten = []

    async def sweep(limit: int) -> int:
        assert limit == process._SWEEP
        return swept.pop(0)

    async def forget() -> None:
        forgotten.append(1)

    await process.keep_house(SimpleNamespace(sweep_deleted=sweep, forget_idempotency=forget))
    assert (swept, forgotten) == ([], [1])
