"""The bus over a connection that the test plays: when what is confirmed, and what comes before it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from infra.bus_redis import RedisBus
from infra.ranking_redis import name
from realtime.core.errors import RankingUnavailable
from realtime.core.model import BoardKey
from tests.contract.adapters import Ear

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = BoardKey(7, 1)
CHANNEL = name(KEY, "top").encode()


class Played:
    """A connection: what was asked of it, and what it says when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.says: asyncio.Queue[dict[str, Any] | Exception] = asyncio.Queue()
        self.closed = False

    async def ping(self) -> None:
        self.asked.append(("ping", b""))

    async def subscribe(self, *channels: bytes) -> None:
        self.asked.extend(("subscribe", channel) for channel in channels)

    async def unsubscribe(self, *channels: bytes) -> None:
        self.asked.extend(("unsubscribe", channel) for channel in channels)

    async def get_message(self, timeout: float) -> dict[str, Any] | None:  # noqa: ASYNC109 - as redis-py has it
        try:
            async with asyncio.timeout(timeout):
                said = await self.says.get()
        except TimeoutError:
            return None
        if isinstance(said, Exception):
            raise said
        return said

    async def aclose(self) -> None:
        self.closed = True

    def say(self, kind: str, data: object = 1, channel: bytes | None = CHANNEL) -> None:
        self.says.put_nowait({"type": kind, "channel": channel, "data": data})


class PlayedRedis:
    def __init__(self) -> None:
        self.connections: list[Played] = []
        self.opened = asyncio.Semaphore(0)

    def pubsub(self) -> Played:
        self.connections.append(Played())
        self.opened.release()
        return self.connections[-1]


@pytest.fixture
def redis() -> PlayedRedis:
    return PlayedRedis()


@pytest.fixture
async def bus(redis: PlayedRedis) -> AsyncIterator[RedisBus]:
    bus = RedisBus(redis, timeout=5.0)
    running = asyncio.create_task(bus.run())
    await redis.opened.acquire()
    yield bus
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert redis.connections[-1].closed


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def subscribed(bus: RedisBus, played: Played, ear: Ear) -> None:
    played.say("subscribe")
    await bus.subscribe(KEY, ear.hear, ear.lose)


async def test_a_subscription_holds_only_when_the_server_has_confirmed_it(bus: RedisBus, redis: PlayedRedis) -> None:
    ear = Ear()
    subscribing = asyncio.create_task(bus.subscribe(KEY, ear.hear, ear.lose))
    await turns()
    (played,) = redis.connections
    assert ("subscribe", CHANNEL) in played.asked
    assert not subscribing.done()
    played.say("subscribe")
    await subscribing
    assert ear.losses == 0


async def test_a_subscription_that_is_not_confirmed_in_time_is_given_up(redis: PlayedRedis) -> None:
    bus = RedisBus(redis, timeout=0.05)
    running = asyncio.create_task(bus.run())
    ear = Ear()
    with pytest.raises(RankingUnavailable):
        await bus.subscribe(KEY, ear.hear, ear.lose)
    redis.connections[0].say("message", b"late")
    await turns()
    assert ear.heard.empty()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_confirmation_that_comes_again_means_that_something_may_be_lost(
    bus: RedisBus, redis: PlayedRedis
) -> None:
    """redis-py has reconnected on its own and subscribed again."""
    ear = Ear()
    played = redis.connections[0]
    await subscribed(bus, played, ear)
    played.say("subscribe")
    await ear.lost.wait()
    assert ear.losses == 1


async def test_after_a_break_listeners_are_told_and_subscribed_on_the_new_connection(
    bus: RedisBus, redis: PlayedRedis
) -> None:
    ear = Ear()
    await subscribed(bus, redis.connections[0], ear)
    redis.connections[0].says.put_nowait(RedisConnectionError("cut"))
    await redis.opened.acquire()
    assert ear.losses == 1
    ear.lost.clear()
    await turns()
    second = redis.connections[1]
    assert second.asked == [("ping", b""), ("subscribe", CHANNEL)]
    second.say("subscribe")
    await ear.lost.wait()
    second.say("message", b"word")
    assert await ear.next() == b"word"


async def test_a_silent_connection_is_asked_and_then_given_up(
    bus: RedisBus, redis: PlayedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = Ear()
    played = redis.connections[0]
    await subscribed(bus, played, ear)
    monkeypatch.setattr("infra.bus_redis._PING", 0.01)
    played.say("message", b"word")
    await redis.opened.acquire()
    assert played.asked[-1] == ("ping", b"")
    assert played.closed
    assert ear.losses >= 1


async def test_a_connection_that_answers_is_kept(
    bus: RedisBus, redis: PlayedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = Ear()
    played = redis.connections[0]
    await subscribed(bus, played, ear)
    monkeypatch.setattr("infra.bus_redis._PING", 0.01)
    answered = asyncio.Event()
    pings = 0

    async def ping() -> None:
        nonlocal pings
        pings += 1
        played.say("pong", channel=None)
        if pings == 5:
            answered.set()

    monkeypatch.setattr(played, "ping", ping)
    played.say("message", b"word")
    async with asyncio.timeout(5):
        await answered.wait()
    assert (len(redis.connections), ear.losses) == (1, 0)


async def test_what_nobody_listens_to_any_more_is_passed_over(bus: RedisBus, redis: PlayedRedis) -> None:
    ear, other = Ear(), Ear()
    played = redis.connections[0]
    await subscribed(bus, played, ear)
    await bus.unsubscribe(KEY, other.hear)
    assert played.asked[-1] != ("unsubscribe", CHANNEL)
    await bus.unsubscribe(KEY, ear.hear)
    assert played.asked[-1] == ("unsubscribe", CHANNEL)
    played.say("message", b"late")
    played.say("unsubscribe", 0)
    await turns()
    assert ear.heard.empty()
