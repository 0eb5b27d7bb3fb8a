from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from tests.turned import TurnedLoop
from tests.unit.workers.plant import Plant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], Any]]:
    """No test here sleeps: time is turned on to the next timer as soon as everything waits."""
    if item.path.stem == "test_studio":
        # Pictures are decoded in processes, and lie in files.
        return {"asyncio": asyncio.new_event_loop}
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
