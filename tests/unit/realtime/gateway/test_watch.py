"""Hearts, tokens and the way out. Time is the turned loop's; the tokens' clock goes with it."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import orjson
import pytest

from realtime.core import closing
from realtime.core.identity import Principal, Role
from realtime.gateway.connection import Connection
from realtime.gateway.frame import Encoding
from realtime.gateway.watch import ANNOUNCED, Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from realtime.core.closing import Close

HEARTBEAT = 25
WINDOW = 10.0


def now() -> float:
    return asyncio.get_running_loop().time()


class Peer(Connection):
    """Remembers what happens to it, and when; one that is stuck does not go when it is closed."""

    def __init__(self, watch: Watch, *, stuck: bool = False) -> None:
        super().__init__(Encoding.PLAIN)
        self.watch = watch
        self.stuck = stuck
        self.beats: list[float] = []
        self.told: list[tuple[float, dict[str, object]]] = []
        self.closed: list[tuple[float, Close]] = []
        watch.add(self)

    @property
    def gone(self) -> bool:
        return bool(self.closed)

    def write(self, data: bytes) -> None:
        raise NotImplementedError

    def reply(self, message: bytes) -> None:
        self.told.append((now(), orjson.loads(message)))

    def close(self, why: Close) -> None:
        if not self.closed:
            self.closed.append((now(), why))
            if not self.stuck:
                self.watch.discard(self)

    def beat(self) -> None:
        self.beats.append(now())

    def token(self, seconds: int) -> None:
        """Present a token that holds so long."""
        self.watch.expires(self, Principal("ada", "c", Role.PLAYER, round(now()) + seconds))


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    made = Watch(heartbeat=HEARTBEAT, drain_window=WINDOW, clock=lambda: round(now()), chance=random.Random(3).random)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()


# -- hearts ---------------------------------------------------------------------------------------------------------


async def test_each_connection_is_looked_after_once_in_each_interval(watch: Watch) -> None:
    peers = [Peer(watch) for _ in range(200)]
    assert len(watch) == len(list(watch)) == 200
    await asyncio.sleep(HEARTBEAT * 3 + 0.5)
    for peer in peers:
        assert [later - sooner for sooner, later in zip(peer.beats, peer.beats[1:], strict=False)] == [HEARTBEAT] * 2


async def test_their_times_are_spread_over_the_interval(watch: Watch) -> None:
    peers = [Peer(watch) for _ in range(500)]
    await asyncio.sleep(HEARTBEAT + 0.5)
    times = [peer.beats[0] for peer in peers]
    assert max(times.count(time) for time in times) < 100


async def test_who_has_gone_is_not_looked_after(watch: Watch) -> None:
    peer, other = Peer(watch), Peer(watch)
    watch.discard(peer)
    watch.discard(peer)
    await asyncio.sleep(HEARTBEAT + 0.5)
    assert (peer.beats, len(other.beats), list(watch)) == ([], 1, [other])


async def test_one_who_is_closed_by_its_own_heartbeat_trips_nobody(watch: Watch) -> None:
    peers = [Peer(watch) for _ in range(100)]
    for peer in peers[:50]:
        peer.beat = lambda peer=peer: peer.close(closing.SILENT)  # type: ignore[misc, method-assign]
    await asyncio.sleep(HEARTBEAT + 0.5)
    assert [len(peer.closed) for peer in peers] == [1] * 50 + [0] * 50
    assert [len(peer.beats) for peer in peers[50:]] == [1] * 50


# -- tokens ---------------------------------------------------------------------------------------------------------


async def test_the_end_of_a_token_is_announced_and_then_closes(watch: Watch) -> None:
    peer = Peer(watch)
    peer.token(100)
    await asyncio.sleep(150)
    ((announced, message),) = peer.told
    assert (announced, message["type"], message["code"]) == (100 - ANNOUNCED, "error", "token_expiring")
    assert "30 s" in str(message["message"])
    assert peer.closed == [(100, closing.TOKEN_EXPIRED)]


async def test_a_renewed_token_goes_on_and_the_old_end_is_forgotten(watch: Watch) -> None:
    peer = Peer(watch)
    peer.token(60)
    await asyncio.sleep(45)
    assert len(peer.told) == 1
    peer.token(100)
    await asyncio.sleep(60)
    assert (len(peer.told), peer.closed) == (1, [])
    await asyncio.sleep(60)
    assert [at for at, _ in peer.told] == [30, 115]
    assert peer.closed == [(145, closing.TOKEN_EXPIRED)]


async def test_a_token_that_ends_sooner_than_it_would_be_announced_is_announced_at_once(watch: Watch) -> None:
    peer = Peer(watch)
    peer.token(10)
    await asyncio.sleep(20)
    assert [at for at, _ in peer.told] == [1]
    assert peer.closed == [(10, closing.TOKEN_EXPIRED)]


async def test_of_who_has_gone_no_token_is_kept(watch: Watch) -> None:
    for seconds in (5, 100):
        peer = Peer(watch)
        peer.token(seconds)
        watch.discard(peer)
    assert watch._ends == {}
    await asyncio.sleep(150)
    assert (peer.told, peer.closed) == ([], [])


async def test_seconds_that_a_busy_loop_missed_are_made_up_for(watch: Watch) -> None:
    peers = [Peer(watch) for _ in range(3)]
    for index, peer in enumerate(peers):
        peer.token(50 + index)
    # One turn of the loop that takes a minute.
    asyncio.get_running_loop()._turned += 60  # type: ignore[attr-defined]
    await asyncio.sleep(1.5)
    assert [why for peer in peers for _, why in peer.closed] == [closing.TOKEN_EXPIRED] * 3


# -- leaving --------------------------------------------------------------------------------------------------------


async def drained(watch: Watch) -> float:
    """Drain; when it was over."""
    done = asyncio.get_running_loop().create_future()
    watch.drain(lambda: done.set_result(now()))
    over: float = await done
    return over


async def test_a_node_with_nobody_on_it_is_drained_at_once(watch: Watch) -> None:
    assert await drained(watch) == 0


async def test_each_is_told_a_time_of_its_own_spread_evenly_and_then_closed(watch: Watch) -> None:
    peers = [Peer(watch) for _ in range(100)]
    over = await drained(watch)
    times = sorted(message["reconnect_in_ms"] / 1000 for peer in peers for _, message in peer.told)  # type: ignore[operator]
    # One in each hundredth of the window.
    assert [int(time / WINDOW * 100) for time in times] == list(range(100))
    for peer in peers:
        ((_, message),), ((at, why),) = peer.told, peer.closed
        assert (message["type"], why) == ("drain", closing.GOING_AWAY)
        assert at == pytest.approx(message["reconnect_in_ms"] / 1000, abs=0.06)  # type: ignore[operator]
    assert over == max(at for peer in peers for at, _ in peer.closed)


async def test_the_order_of_leaving_is_not_that_of_coming(watch: Watch) -> None:
    peers = [Peer(watch) for _ in range(50)]
    await drained(watch)
    left = [peer.closed[0][0] for peer in peers]
    assert left != sorted(left)


async def test_it_is_over_when_the_last_has_gone_by_itself(watch: Watch) -> None:
    peers = [Peer(watch) for _ in range(5)]
    asyncio.get_running_loop().call_later(0.5, lambda: [watch.discard(peer) for peer in peers])
    assert await drained(watch) == 0.5
    await asyncio.sleep(WINDOW * 2)


async def test_it_is_over_with_the_window_though_somebody_stays(watch: Watch) -> None:
    peer = Peer(watch, stuck=True)
    assert await drained(watch) == pytest.approx(WINDOW + 1, abs=0.1)
    assert len(watch) == 1
    # Who goes at last does not end it a second time.
    watch.discard(peer)
