from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from infra.queue_memory import MemoryQueue
from infra.relay import Relay
from infra.store_memory import MemoryOutbox, MemoryStore, Waiting
from infra.tracing import written
from realtime.core.errors import StoreUnavailable
from realtime.core.letters import Letter, unpack
from realtime.core.model import BoardKey
from tests.unit.infra.test_tracing import HEADER, PARENT, Process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

LEASE = 60.0
SWEEP = 5.0
MOST = 5.0


class WatchedOutbox(MemoryOutbox):
    """Counts claims, and can be away."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store, LEASE, doublings=2)
        self.claims: list[int] = []
        """After which id each looked."""
        self.waded: list[int] = []
        """How many rows each had before it."""
        self.away = False

    async def claim(self, limit: int, after: int = 0) -> list[Letter]:
        self.claims.append(after)
        self.waded.append(max(self._store.outbox, default=0) - after)
        if self.away:
            raise StoreUnavailable("away")
        return await super().claim(limit, after)


class SlowQueue(MemoryQueue):
    """Takes its time, and notes how much is sent at once."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.seconds = 0.0
        self.now = 0
        self.most = 0
        self.sizes: list[int] = []

    async def send(self, letters: Sequence[Letter]) -> list[int]:
        self.now += 1
        self.most = max(self.most, self.now)
        self.sizes.append(len(letters))
        await asyncio.sleep(self.seconds)
        self.now -= 1
        return await super().send(letters)


class Way:
    """An outbox, a queue, and the relay between them."""

    def __init__(self) -> None:
        self.clock = asyncio.get_running_loop().time
        self.store = MemoryStore(self.clock)
        self.outbox = WatchedOutbox(self.store)
        self.queue = SlowQueue(self.clock)
        self.relay = Relay(self.outbox, self.queue, claim=10, in_flight=2, pause=0.01, sweep_every=SWEEP)
        self.running: asyncio.Task[None] | None = None

    def commit(self, count: int = 1) -> None:
        for _ in range(count):
            self.store.announce({BoardKey(1, 1): []})
        self.relay.ring()

    def start(self) -> None:
        self.running = asyncio.create_task(self.relay.run())

    def sent(self) -> list[int]:
        return [letter.id for held in self.queue.messages.values() for letter in unpack(held.body)]


@pytest.fixture(autouse=True)
def said() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
async def way() -> AsyncIterator[Way]:
    random.seed(1)
    way = Way()
    yield way
    if way.running is not None:
        way.running.cancel()
        await asyncio.gather(way.running, return_exceptions=True)


async def test_a_ring_sends_at_once_and_the_rows_stay(way: Way) -> None:
    way.start()
    await asyncio.sleep(1)
    way.commit(3)
    await asyncio.sleep(0.001)
    assert way.sent() == [1, 2, 3]
    assert list(way.store.outbox) == [1, 2, 3]
    assert way.relay.relayed == 3


async def test_rings_that_come_together_are_one_claim_and_few_messages(way: Way) -> None:
    way.start()
    await asyncio.sleep(1)
    way.commit()
    await asyncio.sleep(0.001)
    before = len(way.outbox.claims)
    for _ in range(8):
        way.commit()
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.1)
    assert sorted(way.sent()) == list(range(1, 10))
    assert len(way.outbox.claims) - before <= 2
    assert len(way.queue.messages) == 2


async def test_what_nobody_rang_for_is_found_by_the_sweep(way: Way) -> None:
    way.start()
    await asyncio.sleep(1)
    way.store.announce({BoardKey(1, 1): []})
    await asyncio.sleep(SWEEP * 1.5)
    assert way.sent() == [1]


async def test_more_than_one_claim_goes_on_without_another_ring(way: Way) -> None:
    way.commit(95)
    way.start()
    await asyncio.sleep(0.001)
    assert way.sent() == list(range(1, 96))


async def test_who_is_rung_passes_over_what_was_sent_and_waits_to_be_applied(way: Way) -> None:
    """Else each sending would wade through all of it, for as long as nobody applies."""
    way.start()
    await asyncio.sleep(1)
    for _ in range(300):
        way.commit(9)
        await asyncio.sleep(0.1)
    assert sorted(way.sent()) == list(range(1, 2701))
    # 90 a second, those of the last ten seconds and a little more.
    late = way.outbox.waded[-150:]
    assert sum(waded > 90 * 12 for waded in late) <= 7, "but for the sweeps"
    assert way.outbox.claims[-150:].count(0) >= 1


async def test_a_row_whose_commit_took_long_is_found_below_newer_ones(way: Way) -> None:
    way.start()
    await asyncio.sleep(1)
    for seconds, sweeps in ((3.0, 0), (30.0, 1)):
        (row,) = [next(way.store._rows)]
        for _ in range(int(seconds * 10)):
            way.commit()
            await asyncio.sleep(0.1)
        way.store.outbox[row] = Waiting(b"late", float("-inf"), 0.0)
        way.commit()
        await asyncio.sleep(SWEEP * 1.5 * sweeps + 0.05)
        assert row in way.sent()


async def test_what_was_sent_and_not_applied_is_sent_again_ever_more_slowly(way: Way) -> None:
    way.commit()
    way.start()
    times = []
    for seconds in range(800):
        await asyncio.sleep(1)
        if len(way.queue.messages) > len(times):
            times.append(seconds)
    # The lease doubles twice; a sweep comes a few seconds after it at the latest.
    gaps = [late - soon for soon, late in pairwise(times)]
    assert len(times) == 5
    for gap, lease in zip(gaps, [60, 120, 240, 240], strict=True):
        assert lease <= gap <= lease + SWEEP * 1.5 + 1


async def test_what_was_applied_is_not_sent_again(way: Way) -> None:
    way.commit(2)
    way.start()
    await asyncio.sleep(1)
    await way.outbox.settle([1])
    await asyncio.sleep(LEASE + SWEEP * 2)
    assert sorted(way.sent()) == [1, 2, 2]


async def test_sendings_overlap_up_to_a_bound_and_the_rest_waits_in_the_outbox(way: Way) -> None:
    way.queue.seconds = 1.0
    way.commit(95)
    way.start()
    await asyncio.sleep(0.5)
    assert way.queue.now == 2
    assert sum(row.claims for row in way.store.outbox.values()) == 20
    await asyncio.sleep(10)
    assert way.queue.most == 2
    assert sorted(way.sent()) == list(range(1, 96))


async def test_an_outage_of_any_length_loses_nothing_and_is_asked_about_only_now_and_then(way: Way) -> None:
    way.queue.away = True
    way.start()
    for _ in range(200):
        way.commit()
        await asyncio.sleep(6)
    assert way.sent() == []
    # One or two a back-off, though each commit rang.
    assert len(way.outbox.claims) < 1200 / MOST * 4
    way.queue.away = False
    way.commit()
    await asyncio.sleep(3 * MOST)
    assert sorted(way.sent()) == list(range(1, 202))
    await asyncio.sleep(1)
    way.commit()
    await asyncio.sleep(0.02)
    assert 202 in way.sent(), "after the outage a ring counts again"


async def test_while_the_queue_is_away_the_oldest_rows_are_tried_and_no_pass_goes_on(way: Way) -> None:
    way.queue.away = True
    way.commit(500)
    way.start()
    await asyncio.sleep(60)
    # Before the first answer others had begun.
    assert set(way.outbox.claims[3:]) == {0}
    assert way.outbox.claims[-1] == 0


async def test_what_was_refused_alone_is_sent_again_alone(way: Way) -> None:
    way.queue.message = 60
    way.queue.refuse = 2
    way.commit(6)
    way.start()
    await asyncio.sleep(3 * MOST)
    assert sorted(way.sent()) == list(range(1, 7))


async def test_while_the_store_is_away_it_waits_and_then_goes_on(
    way: Way, said: list[structlog.typing.EventDict]
) -> None:
    way.outbox.away = True
    way.start()
    way.commit()
    await asyncio.sleep(60)
    assert 5 < len(way.outbox.claims) < 100
    way.outbox.away = False
    await asyncio.sleep(MOST)
    assert way.sent() == [1]
    assert {line["event"] for line in said} == {"relay waits"}


async def test_a_store_that_leaves_between_claim_and_release_costs_a_lease_and_no_row(way: Way) -> None:
    async def away(_: Sequence[int], __: float) -> None:
        raise StoreUnavailable("away")

    way.queue.away = True
    way.outbox.release = away
    way.commit()
    way.start()
    await asyncio.sleep(1)
    way.queue.away = False
    await asyncio.sleep(LEASE + 3 * SWEEP)
    assert way.sent() == [1]


async def test_a_defect_ends_the_relay_instead_of_being_passed_over(way: Way) -> None:
    async def broken(_: Sequence[Letter]) -> list[int]:
        raise ZeroDivisionError

    way.queue.send = broken
    way.commit()
    way.start()
    assert way.running is not None
    with pytest.raises(ExceptionGroup) as raised:
        await way.running
    assert isinstance(raised.value.exceptions[0], ZeroDivisionError)


async def test_draining_sends_all_there_is_and_says_how_much(way: Way) -> None:
    way.commit(35)
    assert await way.relay.drain(10) == 35
    assert way.outbox.claims == [0, 10, 20, 30, 35], "each goes on where the last one ended"
    assert await way.relay.drain(10) == 0


async def test_draining_ends_in_its_time_and_where_nothing_is_taken(way: Way) -> None:
    way.commit(100)
    way.queue.seconds = 1.0
    assert await way.relay.drain(3.5) == 30
    way.queue.away = True
    start = way.clock()
    assert await way.relay.drain(100) == 0
    assert way.clock() - start == 1.0


async def test_a_node_that_leaves_sends_what_was_committed_last(way: Way) -> None:
    way.queue.seconds = 0.3
    way.start()
    await asyncio.sleep(1)
    way.commit()
    await asyncio.sleep(0.1)
    way.commit(3)
    await way.relay.flush()
    assert sorted(way.sent()) == [1, 2, 3, 4]


async def test_a_node_that_leaves_does_not_wait_for_a_queue_that_is_stuck(way: Way) -> None:
    way.queue.seconds = 1000
    way.start()
    way.commit()
    await asyncio.sleep(0.1)
    start = way.clock()
    await way.relay.flush()
    assert way.clock() - start == pytest.approx(2.0)


async def test_what_is_traced_is_sent_in_a_span_from_which_whoever_opens_it_goes_on() -> None:
    process = Process()
    way = Way()
    way.relay = Relay(
        *(way.outbox, way.queue), claim=10, in_flight=2, pause=0.01, sweep_every=SWEEP, tracing=process.tracing
    )
    way.commit()
    way.store.announce({BoardKey(1, 1): []}, HEADER)
    await way.relay.drain(5.0)
    (span,) = process.ended()
    process.tracing.close()
    letters = [letter for held in way.queue.messages.values() for letter in unpack(held.body)]
    assert [letter.trace for letter in letters] == [None, written(span.context)]
    assert (span.name, span.parent.span_id if span.parent else 0) == ("send", int(PARENT, 16))
