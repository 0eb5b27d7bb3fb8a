from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.changes import ranked
from tests.turned import TurnedLoop
from tests.unit.realtime.gateway.world import Viewer, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from realtime.core.model import Board


def pytest_asyncio_loop_factories() -> dict[str, type[TurnedLoop]]:
    """No test here sleeps: time is turned on to the next timer as soon as everything waits."""
    return {"turned": TurnedLoop}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.close()


@pytest.fixture
async def board(world: World) -> Board:
    """A board of twelve: two more than the smallest top shows."""
    board = await world.board()
    await world.apply(board, *(ranked(f"p{n}", 100 - n, seq=n + 1) for n in range(12)))
    return board


@pytest.fixture
async def viewer(world: World, board: Board) -> Viewer:
    return await world.watching(board)
