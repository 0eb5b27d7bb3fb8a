from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from infra.queue_memory import MemoryQueue
from infra.relay import Relay
from realtime.core.errors import RankingUnavailable, StoreUnavailable
from tests.contract.sending import submission, take
from tests.unit.workers.test_watch import Sentinel
from workers.schedule import keep
from workers.watch import Watch

if TYPE_CHECKING:
    import structlog

    from realtime.core.model import Board
    from tests.unit.workers.plant import Plant


class Minute:
    """The parts of the schedule over a plant. `fail` names a duty and how it fails."""

    def __init__(self, plant: Plant) -> None:
        self.queue = MemoryQueue(asyncio.get_running_loop().time)
        self.relay = Relay(plant.outbox, self.queue, claim=10, in_flight=2, pause=0.01, sweep_every=5)
        self.done: list[str] = []
        self.fail: dict[str, Exception] = {}
        self.refresh = plant.refresh
        self.watch = Watch(Sentinel(), plant.ledger, plant.refresh)
        self.view_interval = 30.0
        self.resources = SimpleNamespace(relay=self.relay, ledger=self)

    def _do(self, duty: str) -> None:
        if duty in self.fail:
            raise self.fail[duty]
        self.done.append(duty)

    async def refresh_view(self, interval: float) -> bool:
        assert interval == self.view_interval
        self._do("view")
        return True

    async def forget_idempotency(self) -> None:
        self._do("forget")

    async def sweep_deleted(self, _: int) -> int:
        self._do("sweep")
        return 0


@pytest.fixture
async def minute(plant: Plant) -> Minute:
    return Minute(plant)


@pytest.fixture
async def board(plant: Plant) -> Board:
    return await plant.board()


async def test_a_minute_sends_what_was_left_and_does_all_that_is_due(
    plant: Plant, minute: Minute, board: Board
) -> None:
    for n in range(25):
        await take(plant, submission(board, "ada", n, 1))
    done = await keep(minute, 60)
    assert done == {"relayed": 25, "whole": True, "view": True, "house": None}
    assert sorted(minute.done) == ["forget", "sweep", "view"]
    assert minute.queue.messages


async def test_a_board_that_was_lost_is_rebuilt_within_the_minute(plant: Plant, minute: Minute, board: Board) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    await plant.work()
    await plant.ranking.drop(board.key)
    assert (await keep(minute, 60))["whole"] is False
    assert await plant.is_ranked_as_stored(board)
    assert (await keep(minute, 60))["whole"] is True


async def test_a_duty_that_fails_is_told_and_the_others_are_done(
    plant: Plant, minute: Minute, board: Board, said: list[structlog.typing.EventDict]
) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    minute.fail["view"] = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await keep(minute, 60)
    assert minute.done == ["forget", "sweep"]
    assert len(minute.queue.messages) == 1
    assert [line["duty"] for line in said if line["event"] == "put off"] == ["view"]


async def test_a_defect_is_told_before_an_outage(plant: Plant, minute: Minute, board: Board) -> None:
    plant.ranking.away = True
    minute.fail["forget"] = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await keep(minute, 60)
    del minute.fail["forget"]
    with pytest.raises(RankingUnavailable):
        await keep(minute, 60)
    assert board


async def test_a_minute_ends_in_its_time_and_leaves_nothing_under_way(
    plant: Plant, minute: Minute, board: Board
) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    await plant.ranking.drop(board.key)
    never: Any = asyncio.Event()
    plant.ranking.before_load = never.wait
    with pytest.raises(TimeoutError):
        await keep(minute, 30)
    assert asyncio.get_running_loop().time() == pytest.approx(30, abs=1)
    assert len(asyncio.all_tasks()) == 1
