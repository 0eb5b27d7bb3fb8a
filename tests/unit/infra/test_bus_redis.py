"""The bus over connections that the test plays: when what is confirmed, and what comes before it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from infra.bus_redis import RedisBus
from infra.client_redis import BoundedRedis
from infra.ranking_redis import name
from realtime.core.errors import RankingUnavailable
from realtime.core.model import BoardKey
from tests.contract.adapters import Ear
from tests.unit.infra.played_redis import Played, PlayedRedis, playing, turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = BoardKey(7, 1)
OTHER = BoardKey(8, 1)
CHANNEL = name(KEY, "top").encode()
SUBSCRIBE = "SUBSCRIBE", CHANNEL.decode()
UNSUBSCRIBE = "UNSUBSCRIBE", CHANNEL.decode()


@pytest.fixture
async def redis() -> AsyncIterator[PlayedRedis]:
    async with playing() as played:
        yield played


@pytest.fixture
async def client(redis: PlayedRedis) -> AsyncIterator[BoundedRedis]:
    made = BoundedRedis(redis.url, seconds=5.0)
    yield made
    await made.aclose()


@pytest.fixture
async def bus(redis: PlayedRedis, client: BoundedRedis) -> AsyncIterator[RedisBus]:
    bus = RedisBus(client, timeout=5.0)
    running = asyncio.create_task(bus.run())
    yield bus
    await stop(running)
    async with asyncio.timeout(5):
        for played in redis.connections:
            await played.gone.wait()


async def stop(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()


async def subscribing(bus: RedisBus, played: Played, ear: Ear, times: int = 1) -> asyncio.Task[None]:
    """A subscription that the server has been asked for."""
    task = asyncio.create_task(bus.subscribe(KEY, "top", ear.hear, ear.lose))
    await played.until(*SUBSCRIBE, times=times)
    return task


async def subscribed(bus: RedisBus, played: Played, ear: Ear) -> None:
    task = await subscribing(bus, played, ear)
    played.say("subscribe", CHANNEL)
    async with asyncio.timeout(5):
        await task


async def heard_all(played: Played, bus: RedisBus) -> None:
    """Return when everything that was said before has been heard."""
    marker = Ear()
    task = asyncio.create_task(bus.subscribe(OTHER, "moves", marker.hear, marker.lose))
    channel = name(OTHER, "moves")
    await played.until("SUBSCRIBE", channel, times=played.asked.count(("SUBSCRIBE", channel)) + 1)
    played.say("subscribe", channel.encode())
    async with asyncio.timeout(5):
        await task


async def test_a_subscription_holds_only_when_the_server_has_confirmed_it(bus: RedisBus, redis: PlayedRedis) -> None:
    ear = Ear()
    task = await subscribing(bus, await redis.next(), ear)
    await turns()
    assert not task.done()
    redis.connections[0].say("subscribe", CHANNEL)
    async with asyncio.timeout(5):
        await task
    assert ear.losses == 0


async def test_a_subscription_that_is_not_confirmed_in_time_is_given_up(
    redis: PlayedRedis, client: BoundedRedis
) -> None:
    bus = RedisBus(client, timeout=5.0)
    running = asyncio.create_task(bus.run())
    played = await redis.next()
    ear = Ear()
    # Connected: what is given up here is this subscription alone.
    await heard_all(played, bus)
    bus._timeout = 0.05
    with pytest.raises(RankingUnavailable):
        await bus.subscribe(KEY, "top", ear.hear, ear.lose)
    bus._timeout = 5.0
    await played.until(*UNSUBSCRIBE)
    played.say("subscribe", CHANNEL)
    played.say("message", CHANNEL, b"late")
    await heard_all(played, bus)
    assert ear.heard.empty()
    assert len(redis.connections) == 1
    await stop(running)


async def test_who_gives_up_subscribing_hears_nothing_of_it(bus: RedisBus, redis: PlayedRedis) -> None:
    played = await redis.next()
    ear = Ear()
    task = await subscribing(bus, played, ear)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await played.until(*UNSUBSCRIBE)
    played.say("subscribe", CHANNEL)
    played.say("message", CHANNEL, b"late")
    await heard_all(played, bus)
    assert ear.heard.empty()


async def test_who_comes_after_another_has_left_waits_for_a_confirmation_of_its_own(
    bus: RedisBus, redis: PlayedRedis
) -> None:
    """The first confirmation is of a subscription that the server has ended by then."""
    played = await redis.next()
    old, new = Ear(), Ear()
    first = await subscribing(bus, played, old)
    await bus.unsubscribe(KEY, "top", old.hear)
    second = await subscribing(bus, played, new, times=2)
    assert played.asked[-3:] == [SUBSCRIBE, UNSUBSCRIBE, SUBSCRIBE]
    played.say("subscribe", CHANNEL)
    played.say("message", CHANNEL, b"between")
    await heard_all_later(played)
    assert not second.done()
    played.say("unsubscribe", CHANNEL, 0)
    played.say("subscribe", CHANNEL)
    async with asyncio.timeout(5):
        await second
    played.say("message", CHANNEL, b"after")
    assert await new.next() == b"after"
    assert (new.losses, new.heard.empty(), old.heard.empty()) == (0, True, True)
    first.cancel()
    await asyncio.wait([first])


async def heard_all_later(played: Played) -> None:
    """What was said is on its way: give the loop time to read it."""
    await played._writer.drain()
    await turns()


async def test_the_two_channels_of_a_board_are_heard_apart(bus: RedisBus, redis: PlayedRedis) -> None:
    played = await redis.next()
    top, moves = Ear(), Ear()
    await subscribed(bus, played, top)
    task = asyncio.create_task(bus.subscribe(KEY, "moves", moves.hear, moves.lose))
    channel = name(KEY, "moves")
    await played.until("SUBSCRIBE", channel)
    played.say("subscribe", channel.encode())
    async with asyncio.timeout(5):
        await task
    played.say("message", channel.encode(), b"move")
    played.say("message", CHANNEL, b"row")
    assert (await top.next(), await moves.next()) == (b"row", b"move")
    await bus.unsubscribe(KEY, "moves", moves.hear)
    await played.until("UNSUBSCRIBE", channel)
    played.say("message", CHANNEL, b"another")
    assert await top.next() == b"another"


@pytest.mark.parametrize("asked", [False, True], ids=["nothing was asked", "another was asked"])
async def test_a_confirmation_that_nobody_asked_for_is_a_break(bus: RedisBus, redis: PlayedRedis, asked: bool) -> None:
    """We do not know what this connection is subscribed to, and since when."""
    ear = Ear()
    played = await redis.next()
    await subscribed(bus, played, ear)
    other = asyncio.create_task(bus.subscribe(OTHER, "top", ear.hear, ear.lose)) if asked else None
    if asked:
        await played.until("SUBSCRIBE", name(OTHER, "top"))
    played.say("subscribe", CHANNEL)
    async with asyncio.timeout(5):
        await ear.lost.wait()
        await played.gone.wait()
    again = await redis.next()
    await again.until("SUBSCRIBE", CHANNEL.decode(), *([name(OTHER, "top")] if asked else []))
    if other is not None:
        other.cancel()
        await asyncio.wait([other])


async def test_who_was_replaced_hears_nothing_more_even_before_the_other_is_confirmed(
    bus: RedisBus, redis: PlayedRedis
) -> None:
    old, new = Ear(), Ear()
    played = await redis.next()
    await subscribed(bus, played, old)
    task = await subscribing(bus, played, new, times=2)
    played.say("message", CHANNEL, b"between")
    played.say("subscribe", CHANNEL)
    async with asyncio.timeout(5):
        await task
    played.say("message", CHANNEL, b"after")
    assert await new.next() == b"after"
    assert old.heard.empty()


async def test_after_a_break_listeners_are_told_and_subscribed_on_the_new_connection(
    bus: RedisBus, redis: PlayedRedis
) -> None:
    ear = Ear()
    played = await redis.next()
    await subscribed(bus, played, ear)
    played.hang_up()
    second = await redis.next()
    assert ear.losses == 1
    ear.lost.clear()
    await second.until(*SUBSCRIBE)
    assert ear.losses == 1
    second.say("subscribe", CHANNEL)
    async with asyncio.timeout(5):
        await ear.lost.wait()
    assert ear.losses == 2
    second.say("message", CHANNEL, b"word")
    assert await ear.next() == b"word"


async def test_a_subscription_asked_for_in_a_break_is_confirmed_on_the_next_connection(
    bus: RedisBus, redis: PlayedRedis
) -> None:
    ear = Ear()
    played = await redis.next()
    task = await subscribing(bus, played, ear)
    played.hang_up()
    second = await redis.next()
    await second.until(*SUBSCRIBE)
    second.say("subscribe", CHANNEL)
    async with asyncio.timeout(5):
        await task
    assert ear.losses == 0
    await heard_all(second, bus)
    assert len(redis.connections) == 2, "what the first connection owed is not expected of the second"


async def test_a_server_that_refuses_is_asked_again_until_it_does_not(bus: RedisBus, redis: PlayedRedis) -> None:
    first = await redis.next()
    redis.answers["PING"] = b"-LOADING the dataset\r\n"
    first.hang_up()
    await redis.next()
    await redis.next()
    redis.answers["PING"] = b"+PONG\r\n"
    ear = Ear()
    task = asyncio.create_task(bus.subscribe(KEY, "top", ear.hear, ear.lose))
    while True:
        played = await redis.next()
        if played.answers["PING"] == b"+PONG\r\n":
            break
    await played.until(*SUBSCRIBE)
    played.say("subscribe", CHANNEL)
    async with asyncio.timeout(5):
        await task


async def test_what_a_listener_raises_ends_the_bus_and_is_raised(redis: PlayedRedis, client: BoundedRedis) -> None:
    """A fault of ours is no break of the connection: it must not be mended in silence."""

    def fail(_announcement: bytes) -> None:
        raise ZeroDivisionError

    bus = RedisBus(client, timeout=5.0)
    running = asyncio.create_task(bus.run())
    played = await redis.next()
    task = asyncio.create_task(bus.subscribe(KEY, "top", fail, lambda: None))
    await played.until(*SUBSCRIBE)
    played.say("subscribe", CHANNEL)
    await task
    played.say("message", CHANNEL, b"word")
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(5):
            await running


async def test_what_nobody_listens_to_any_more_is_passed_over(bus: RedisBus, redis: PlayedRedis) -> None:
    ear, other = Ear(), Ear()
    played = await redis.next()
    await subscribed(bus, played, ear)
    await bus.unsubscribe(KEY, "top", other.hear)
    await heard_all(played, bus)
    assert UNSUBSCRIBE not in played.asked
    await bus.unsubscribe(KEY, "top", ear.hear)
    await played.until(*UNSUBSCRIBE)
    played.say("message", CHANNEL, b"late")
    played.say("unsubscribe", CHANNEL, 0)
    await heard_all(played, bus)
    assert ear.heard.empty()


async def test_a_bus_that_is_stopped_hangs_up(redis: PlayedRedis, client: BoundedRedis) -> None:
    bus = RedisBus(client, timeout=5.0)
    running = asyncio.create_task(bus.run())
    played = await redis.next()
    await played.until("PING")
    await turns()
    await stop(running)
    async with asyncio.timeout(5):
        await played.gone.wait()
