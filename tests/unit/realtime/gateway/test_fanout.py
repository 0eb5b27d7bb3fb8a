from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from realtime.gateway.fanout import SHORT, SLICE, Fanout
from tests.turned import settle
from tests.unit.realtime.gateway.world import climb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realtime.core.model import Board
    from tests.unit.realtime.gateway.world import World


def work(done: list[str], name: str, slices: int) -> Iterator[None]:
    for number in range(slices):
        if number:
            yield
        done.append(f"{name}{number}")


def fanout() -> Fanout:
    return Fanout(lambda fds, start, stop, frame: [], turn=0.0)  # noqa: ARG005


async def test_the_first_slice_is_done_at_once_and_the_others_one_a_turn() -> None:
    done: list[str] = []
    fanout().run(work(done, "a", 3))
    seen = [list(done)]
    for _ in range(2):
        asyncio.get_running_loop().call_soon(lambda: seen.append(list(done)))
        await asyncio.sleep(0)
    assert seen == [["a0"], ["a0", "a1"], ["a0", "a1", "a2"]]


async def test_a_turn_takes_as_many_slices_as_fit_into_its_time() -> None:
    done: list[str] = []
    Fanout(lambda fds, start, stop, frame: [], turn=60.0).run(work(done, "a", 100))  # noqa: ARG005
    assert len(done) == 100


async def test_works_take_turns() -> None:
    done: list[str] = []
    one = fanout()
    one.run(work(done, "a", 3))
    one.run(work(done, "b", 2))
    await settle()
    assert done == ["a0", "b0", "a1", "b1", "a2"]


async def test_work_of_one_slice_is_done_when_run_returns() -> None:
    done: list[str] = []
    one = fanout()
    one.run(work(done, "a", 1))
    assert done == ["a0"]
    assert one._turn is None


async def test_work_that_another_work_brings_is_done_too() -> None:
    done: list[str] = []
    one = fanout()

    def bringing() -> Iterator[None]:
        yield
        one.run(work(done, "b", 2))
        yield
        done.append("a")

    one.run(bringing())
    await settle()
    assert sorted(done) == ["a", "b0", "b1"]


async def test_after_all_was_done_new_work_is_taken_up() -> None:
    done: list[str] = []
    one = fanout()
    for _ in range(2):
        one.run(work(done, "a", 2))
        await settle()
    assert done == ["a0", "a1"] * 2


async def test_between_slices_the_loop_is_free_for_everybody_else(world: World, board: Board) -> None:
    viewers = [await world.watching(board) for _ in range(SLICE + 1)]
    served: list[int] = []
    await world.apply(board, climb(50))
    served.append(world.fanout.deliveries)
    await asyncio.sleep(0)
    served.append(world.fanout.deliveries)
    assert served == [SLICE, SLICE + 1]
    for viewer in viewers:
        assert await viewer.types() == ["delta"]


async def test_while_requests_are_answered_a_turn_takes_one_short_slice() -> None:
    served: list[int] = []
    one = Fanout(lambda fds, start, stop, frame: [], turn=60.0)  # noqa: ARG005

    def passing() -> Iterator[None]:
        for part in one.parts(range(2 * SHORT + SLICE)):
            if part is None:
                yield
            else:
                served.append(len(part))

    one.requests = 1
    one.run(passing())
    assert served == [SHORT]
    await asyncio.sleep(0)
    assert served == [SHORT, SHORT]
    one.requests = 0
    await settle()
    assert served == [SHORT, SHORT, SLICE]


def test_parts_are_the_whole_with_a_step_between_two() -> None:
    assert list(fanout().parts("")) == []
    assert list(fanout().parts("a" * SLICE)) == ["a" * SLICE]
    assert list(fanout().parts("a" * SLICE + "b")) == ["a" * SLICE, None, "b"]
