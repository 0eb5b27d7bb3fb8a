from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import structlog

from tests.turned import TurnedLoop
from tests.unit.workers.plant import Plant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


def pytest_asyncio_loop_factories() -> dict[str, type[TurnedLoop]]:
    """No test here sleeps: time is turned on to the next timer as soon as everything waits."""
    return {"turned": TurnedLoop}


@pytest.fixture(autouse=True)
def said() -> Iterator[list[structlog.typing.EventDict]]:
    """What was logged."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
async def plant() -> AsyncIterator[Plant]:
    plant = Plant()
    yield plant
    await plant.refresh.close()
