from __future__ import annotations

import asyncio

import pytest

from api import app
from api.app import Tasks


async def test_a_task_that_dies_is_told_of() -> None:
    died = asyncio.Event()

    async def fail() -> None:
        raise ZeroDivisionError

    tasks = Tasks(died.set)
    tasks.spawn(fail())
    await asyncio.wait_for(died.wait(), 5)
    await tasks.close()


async def test_a_task_that_ends_or_is_cancelled_is_no_death() -> None:
    dead: list[bool] = []
    tasks = Tasks(lambda: dead.append(True))
    ended = tasks.spawn(asyncio.sleep(0))
    await ended
    endless = tasks.spawn(_endless())
    await tasks.close()
    assert endless.cancelled()
    assert dead == []


async def test_closing_waits_until_every_task_has_cleaned_up() -> None:
    cleaned: list[int] = []

    async def work(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(number)

    tasks = Tasks(lambda: None)
    for number in range(3):
        tasks.spawn(work(number))
    await asyncio.sleep(0)
    await tasks.close()
    assert sorted(cleaned) == [0, 1, 2]


async def test_a_cancellation_that_gets_lost_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_CANCEL_AGAIN", 0.01)
    lost: list[bool] = []

    async def deaf() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            lost.append(True)
        await asyncio.Event().wait()

    tasks = Tasks(lambda: None)
    task = tasks.spawn(deaf())
    await asyncio.sleep(0)
    await asyncio.wait_for(tasks.close(), 5)
    assert task.cancelled()
    assert lost == [True]


async def _endless() -> None:
    await asyncio.Event().wait()
