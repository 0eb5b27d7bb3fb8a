from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from realtime.core.errors import RankingUnavailable
from realtime.gateway.firsts import Firsts

pytestmark = pytest.mark.asyncio


@pytest.fixture
def topic() -> Any:
    return SimpleNamespace(point=None)


async def test_what_is_there_is_not_waited_for(topic: Any) -> None:
    topic.point = object()
    await asyncio.wait_for(Firsts().of(topic, "ann"), 1)


async def test_all_who_wait_are_told_and_one_who_went_is_no_harm(topic: Any) -> None:
    firsts = Firsts()
    gone, *waiting = (asyncio.create_task(firsts.of(topic, "ann")) for _ in range(3))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    topic.point = object()
    firsts.came("ann")
    await asyncio.wait_for(asyncio.gather(*waiting), 1)
    assert gone.cancelled()


async def test_what_came_without_a_point_is_waited_for_on(topic: Any) -> None:
    firsts = Firsts()
    waiting = asyncio.create_task(firsts.of(topic, "ann"))
    await asyncio.sleep(0)
    firsts.came("ann")
    firsts.came("bob")
    await asyncio.sleep(0)
    assert not waiting.done()
    topic.point = object()
    await asyncio.sleep(0)
    firsts.came("ann")
    await asyncio.wait_for(waiting, 1)


async def test_once_it_is_closed_nobody_waits(topic: Any) -> None:
    firsts = Firsts()
    waiting = asyncio.create_task(firsts.of(topic, "ann"))
    await asyncio.sleep(0)
    firsts.close()
    for one in (waiting, firsts.of(topic, "ann")):
        with pytest.raises(RankingUnavailable):
            await asyncio.wait_for(one, 1)
