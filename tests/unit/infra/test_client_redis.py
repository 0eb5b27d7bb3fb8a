from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from infra.client_redis import BoundedRedis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from infra.local.valkey import EmbeddedValkey


@pytest.fixture
async def redis(valkey: EmbeddedValkey) -> AsyncIterator[BoundedRedis]:
    redis = BoundedRedis(valkey.url, seconds=5.0)
    await redis.ping()
    yield redis
    await redis.aclose()


async def test_a_cancellation_is_never_lost_whenever_it_comes(redis: BoundedRedis) -> None:
    async def ask_on() -> None:
        while True:
            await redis.ping()

    for turns in range(40):
        task = asyncio.create_task(ask_on())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=20)
        assert done, f"cancelled after {turns} turns of the loop, it goes on"


async def test_a_server_that_does_not_answer_is_given_up_in_time_and_its_answer_goes_to_nobody() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        redis = BoundedRedis(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", seconds=0.1)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await redis.get("key")
        connection = redis.connection_pool.get_available_connection()
        assert not connection.is_connected
        await redis.aclose()


async def test_a_command_that_was_given_up_leaves_the_next_one_its_own_answer(redis: BoundedRedis) -> None:
    await redis.set("key", "right")
    for turns in range(20):
        task = asyncio.create_task(redis.echo("wrong"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await redis.get("key") == b"right"


async def test_more_callers_than_connections_wait_their_turn(redis: BoundedRedis) -> None:
    answers = await asyncio.gather(*(redis.echo(str(n)) for n in range(200)))
    assert answers == [str(n).encode() for n in range(200)]
    assert len(await redis.client_list()) == 32
