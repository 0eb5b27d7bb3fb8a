from __future__ import annotations

import asyncio

import pytest

from realtime.core import announcement
from realtime.core.errors import RankingUnavailable
from realtime.core.model import BoardKey
from tests.changes import COLUMNS, packed
from tests.changes import ranked as entry
from tests.contract.adapters import Ear, InRedis, Ranked, whole

KEY = BoardKey(7, 1)
OTHER = BoardKey(7, 2)


async def test_what_is_announced_after_a_subscription_is_heard_in_order(ranked: Ranked) -> None:
    ear = Ear()
    await ranked.bus.subscribe(KEY, "top", ear.hear, ear.lose)
    for word in (b"one", b"two", b"three"):
        await ranked.publish(KEY, word)
    assert [await ear.next() for _ in range(3)] == [b"one", b"two", b"three"]


async def test_a_fresh_subscription_has_missed_nothing(ranked: Ranked) -> None:
    ear = Ear()
    await ranked.bus.subscribe(KEY, "top", ear.hear, ear.lose)
    await ranked.publish(KEY, b"one")
    await ear.next()
    assert ear.losses == 0


async def test_each_listener_hears_its_own_board(ranked: Ranked) -> None:
    one, two = Ear(), Ear()
    await ranked.bus.subscribe(KEY, "top", one.hear, one.lose)
    await ranked.bus.subscribe(OTHER, "top", two.hear, two.lose)
    await ranked.publish(KEY, b"for one")
    await ranked.publish(OTHER, b"for two")
    assert (await one.next(), await two.next()) == (b"for one", b"for two")
    assert one.heard.empty()


async def test_the_channels_of_a_board_have_each_their_own_listener(ranked: Ranked) -> None:
    top, moves = Ear(), Ear()
    await ranked.bus.subscribe(KEY, "top", top.hear, top.lose)
    await ranked.bus.subscribe(KEY, "moves", moves.hear, moves.lose)
    await ranked.publish(KEY, b"moves", "moves")
    await ranked.publish(KEY, b"top", "top")
    assert (await top.next(), await moves.next()) == (b"top", b"moves")
    await ranked.bus.unsubscribe(KEY, "moves", moves.hear)
    await ranked.publish(KEY, b"nobody listens", "moves")
    await ranked.publish(KEY, b"again", "top")
    assert await top.next() == b"again"
    assert moves.heard.empty()


async def test_leaving_one_channel_with_the_listener_of_another_leaves_nothing(ranked: Ranked) -> None:
    ear, other = Ear(), Ear()
    await ranked.bus.subscribe(KEY, "top", ear.hear, ear.lose)
    await ranked.bus.unsubscribe(KEY, "moves", ear.hear)
    await ranked.bus.unsubscribe(KEY, "top", other.hear)
    await ranked.publish(KEY, b"one")
    assert await ear.next() == b"one"


async def test_who_has_unsubscribed_hears_nothing_more(ranked: Ranked) -> None:
    one, two = Ear(), Ear()
    await ranked.bus.subscribe(KEY, "top", one.hear, one.lose)
    await ranked.bus.subscribe(OTHER, "top", two.hear, two.lose)
    await ranked.bus.unsubscribe(KEY, "top", one.hear)
    await ranked.publish(KEY, b"too late")
    await ranked.publish(OTHER, b"after it")
    await two.next()
    assert one.heard.empty()


async def test_unsubscribing_leaves_alone_who_listens_by_now(ranked: Ranked) -> None:
    old, new = Ear(), Ear()
    await ranked.bus.subscribe(KEY, "top", old.hear, old.lose)
    await ranked.bus.subscribe(KEY, "top", new.hear, new.lose)
    await ranked.bus.unsubscribe(KEY, "top", old.hear)
    await ranked.publish(KEY, b"one")
    assert await new.next() == b"one"
    assert old.heard.empty()


async def test_who_leaves_while_another_comes_does_not_deafen_it(ranked: Ranked) -> None:
    old, new = Ear(), Ear()
    await ranked.bus.subscribe(KEY, "top", old.hear, old.lose)
    await asyncio.gather(
        ranked.bus.unsubscribe(KEY, "top", old.hear), ranked.bus.subscribe(KEY, "top", new.hear, new.lose)
    )
    await ranked.publish(KEY, b"one")
    assert await new.next() == b"one"


async def test_unsubscribing_what_was_never_subscribed_does_nothing(ranked: Ranked) -> None:
    await ranked.bus.unsubscribe(KEY, "top", Ear().hear)


async def test_the_ranking_announces_on_the_bus_what_it_puts_into_the_stream(ranked: Ranked) -> None:
    await whole(ranked, KEY, 5)
    ear = Ear()
    await ranked.bus.subscribe(KEY, "top", ear.hear, ear.lose)
    await ranked.ranking.apply(KEY, 5, packed([entry("ada", 1, seq=1, name="Ada", profile_seq=1)]))
    await whole(ranked, KEY, 6)
    heard = [await ear.next(), await ear.next()]
    changed, reset = (announcement.decode_top(COLUMNS, one) for one in heard)
    assert (changed.version, [(row.player, row.name) for row in changed.rows]) == (2, [("ada", "Ada")])
    assert (reset.epoch, reset.version, reset.reset) == (6, 1, True)
    assert heard[1] == (await ranked.announced(KEY))[-1].top


async def test_every_version_is_announced_on_both_channels_the_top_first(ranked: Ranked) -> None:
    await whole(ranked, KEY, 5)
    both = Ear()
    await ranked.bus.subscribe(KEY, "top", both.hear, both.lose)
    await ranked.bus.subscribe(KEY, "moves", both.hear, both.lose)
    await ranked.ranking.apply(KEY, 5, packed([entry("ada", 1, seq=1)]))
    await whole(ranked, KEY, 6)
    heard = [await both.next() for _ in range(4)]
    begun = announcement.decode_moves(heard[3])
    assert announcement.decode_top(COLUMNS, heard[0]).version == announcement.decode_moves(heard[1]).version == 2
    swapped = (await ranked.announced(KEY))[-1]
    assert [heard[2], heard[3]] == [swapped.top, swapped.moves]
    assert (begun.epoch, begun.reset) == (6, True)


# -- what only a connection can do -------------------------------------------------------------------------------------


async def cut(redis_ranked: InRedis) -> None:
    assert await redis_ranked.redis.execute_command("CLIENT", "KILL", "TYPE", "PUBSUB") >= 1


async def test_a_broken_connection_is_mended_and_every_listener_told(redis_ranked: InRedis) -> None:
    one, two = Ear(), Ear()
    await redis_ranked.bus.subscribe(KEY, "top", one.hear, one.lose)
    await redis_ranked.bus.subscribe(OTHER, "top", two.hear, two.lose)
    await cut(redis_ranked)
    async with asyncio.timeout(10):
        await asyncio.gather(one.lost.wait(), two.lost.wait())
    third = Ear()
    # It is confirmed on the connection on which the others are subscribed again.
    await redis_ranked.bus.subscribe(BoardKey(9, 1), "top", third.hear, third.lose)
    await redis_ranked.publish(KEY, b"again")
    await redis_ranked.publish(OTHER, b"again")
    assert (await one.next(), await two.next()) == (b"again", b"again")


async def test_a_listener_is_told_once_more_when_it_is_subscribed_again(redis_ranked: InRedis) -> None:
    """What was announced between the break and the new subscription was missed, even if the snapshot was read at once."""
    ear = Ear()
    await redis_ranked.bus.subscribe(KEY, "top", ear.hear, ear.lose)
    await cut(redis_ranked)
    async with asyncio.timeout(10):
        while ear.losses < 2:
            await ear.lost.wait()
            ear.lost.clear()


async def test_a_bus_that_is_not_connected_says_so_in_time(redis_ranked: InRedis) -> None:
    bus = type(redis_ranked.bus)(redis_ranked.redis, timeout=0.01)
    ear = Ear()
    with pytest.raises(RankingUnavailable):
        await bus.subscribe(KEY, "top", ear.hear, ear.lose)
    assert bus._listeners == {}


async def test_subscribing_in_the_middle_of_a_break_waits_for_the_new_connection(redis_ranked: InRedis) -> None:
    ear = Ear()
    await redis_ranked.bus.subscribe(OTHER, "top", ear.hear, ear.lose)
    for _ in range(5):
        ear.lost.clear()
        await cut(redis_ranked)
        async with asyncio.timeout(10):
            await ear.lost.wait()
        late = Ear()
        await redis_ranked.bus.subscribe(KEY, "top", late.hear, late.lose)
        await redis_ranked.publish(KEY, b"heard")
        assert await late.next() == b"heard"
        await redis_ranked.bus.unsubscribe(KEY, "top", late.hear)
