from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.realtime.client.node import Node


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with Node.running() as node:
        yield node
