from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from infra.queue_memory import MemoryQueue
from infra.store_memory import Waiting
from realtime.core import outbox as payloads
from realtime.core.errors import RankingUnavailable, StoreUnavailable
from realtime.core.letters import Letter, pack, unpack
from realtime.core.model import Change
from tests.contract.sending import send, submission, take
from tests.unit.workers.test_watch import Sentinel
from workers.deliveries import BACK_OFF, Deliveries, Delivery, back_off
from workers.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import structlog

    from realtime.core.model import Board
    from tests.unit.workers.plant import Plant

RESEND = 60.0
LIMIT = 262_144


class Post:
    """A queue with who takes from it."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.clock = asyncio.get_running_loop().time
        self.queue = MemoryQueue(self.clock)
        self.sentinel = Sentinel()
        self.looks = 0
        self.deliveries = self.worker()

    def worker(self) -> Deliveries:
        """Another sandbox: it shares nothing with the first but the servers."""
        refresh = self.plant.worker()
        watch = Watch(self.sentinel, self.plant.ledger, refresh)
        return Deliveries(refresh, watch, self.plant.outbox, self.queue, resend_after=RESEND, chance=lambda: 1.0)

    async def send(self) -> list[Letter]:
        """Put what is in the outbox into the queue, a message a row."""
        letters = await self.plant.outbox.claim(1000)
        for letter in letters:
            assert await self.queue.send([letter]) == []
        return letters

    async def deliver(self, limit: int = 10, seconds: float = 30.0) -> list[str]:
        """One batch; the ids of messages that have to come again."""
        given = self.queue.receive(limit)
        failed = await self.deliveries.take([delivery(held) for held in given], seconds)
        self.queue.delete([held.id for held in given if held.id not in failed])
        return failed


def delivery(held: Any) -> Delivery:
    return Delivery(held.id, held.id, held.body, held.count, held.redrive)


@pytest.fixture
async def post(plant: Plant) -> Post:
    return Post(plant)


@pytest.fixture
async def board(plant: Plant) -> Board:
    return await plant.board()


async def test_what_is_delivered_is_ranked_and_its_rows_go(plant: Plant, post: Post, board: Board) -> None:
    for n in range(12):
        await take(plant, submission(board, f"p{n}", n, 1))
    await post.send()
    assert [await post.deliver(), await post.deliver()] == [[], []]
    assert await plant.is_ranked_as_stored(board)
    assert (plant.store.outbox, post.queue.messages) == ({}, {})


async def test_a_message_of_many_letters_is_dealt_with_as_one(plant: Plant, post: Post, board: Board) -> None:
    for n in range(12):
        await take(plant, submission(board, f"p{n}", n, 1))
    await post.queue.send(await plant.outbox.claim(100))
    assert len(post.queue.messages) == 1
    assert await post.deliver() == []
    assert plant.store.outbox == {}


async def test_doubled_and_late_messages_change_nothing(plant: Plant, post: Post, board: Board) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    (old,) = await post.send()
    await post.queue.send([old])
    await post.deliver()
    await take(plant, submission(board, "ada", 4, 1))
    await post.send()
    await post.deliver()
    before = plant.ranking.announced(board.key)
    await post.queue.send([old])
    assert await post.deliver() == []
    assert plant.ranking.announced(board.key) == before


async def test_what_was_too_large_for_a_message_is_fetched_from_the_outbox(
    plant: Plant, post: Post, board: Board
) -> None:
    post.queue.message = 500
    await take(plant, *(submission(board, f"p{n}", n, 1) for n in range(50)))
    await take(plant, submission(board, "bob", 99, 1))
    letters = await plant.outbox.claim(10)
    assert await post.queue.send(letters) == []
    (message,) = [unpack(held.body) for held in post.queue.messages.values()]
    assert [bool(letter.payload) for letter in message] == [False, True]
    assert await post.deliver() == []
    assert await plant.is_ranked_as_stored(board)
    assert plant.store.outbox == {}


async def test_a_large_letter_whose_row_is_gone_was_applied(post: Post) -> None:
    post.queue.put(pack([Letter(999, b"")], LIMIT)[0].body)
    assert await post.deliver() == []


async def test_a_board_that_was_lost_is_rebuilt_within_the_take(plant: Plant, post: Post, board: Board) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    await plant.work()
    await post.deliver()
    await plant.ranking.drop(board.key)
    await take(plant, submission(board, "bob", 4, 1))
    await post.send()
    assert await post.deliver() == []
    assert await plant.is_ranked_as_stored(board)
    assert plant.store.outbox == {}


async def test_one_board_that_stays_away_fails_its_messages_alone(plant: Plant, post: Post, board: Board) -> None:
    other = await plant.board("other")
    await take(plant, submission(board, "ada", 3, 1))
    await take(plant, submission(other, "ada", 3, 1))
    await post.send()
    plant.store.rebuilding.add(other.key)
    await plant.ranking.drop(other.key)
    failed = await post.deliver()
    assert len(failed) == 1
    assert await plant.is_ranked_as_stored(board)
    # It comes again after a while, and the outbox does not send a copy before that.
    (held,) = post.queue.messages.values()
    ((_, row),) = plant.store.outbox.items()
    assert held.free_at - post.clock() <= 1
    assert row.free_at - post.clock() >= RESEND
    plant.store.rebuilding.clear()
    await asyncio.sleep(1)
    assert await post.deliver() == []
    assert await plant.is_ranked_as_stored(other)


async def test_while_the_ranking_is_away_messages_come_again_ever_more_slowly(
    plant: Plant, post: Post, board: Board
) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    await post.send()
    plant.ranking.away = True
    waits = []
    for _ in range(12):
        assert len(await post.deliver()) == 1
        (held,) = post.queue.messages.values()
        waits.append(round(held.free_at - post.clock(), 6))
        await asyncio.sleep(waits[-1])
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, BACK_OFF, BACK_OFF, BACK_OFF]
    plant.ranking.away = False
    assert await post.deliver() == []
    assert await plant.is_ranked_as_stored(board)


async def test_while_the_store_is_away_messages_come_again(plant: Plant, post: Post, board: Board) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    await post.send()
    settle = plant.outbox.settle

    async def away(_: Sequence[int]) -> None:
        raise StoreUnavailable("away")

    plant.outbox.settle = away
    assert len(await post.deliver()) == 1
    plant.outbox.settle = settle
    await asyncio.sleep(1)
    assert await post.deliver() == []
    assert plant.store.outbox == {}


async def test_a_connection_that_died_while_nothing_ran_costs_one_more_try_and_no_message(
    plant: Plant, post: Post, board: Board
) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    await post.send()
    settle, calls = plant.outbox.settle, []

    async def once(ids: Sequence[int]) -> None:
        calls.append(ids)
        if len(calls) == 1:
            raise StoreUnavailable("the connection was closed")
        await settle(ids)

    plant.outbox.settle = once
    assert await post.deliver() == []
    assert plant.store.outbox == {}


async def test_a_take_ends_in_its_time_and_leaves_nothing_under_way(
    plant: Plant, post: Post, board: Board, said: list[structlog.typing.EventDict]
) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    await plant.work()
    await post.deliver()
    await plant.ranking.drop(board.key)
    await take(plant, submission(board, "bob", 3, 1))
    await post.send()
    never = asyncio.Event()
    plant.ranking.before_load = never.wait
    start = post.clock()
    assert len(await post.deliver(seconds=7.0)) == 1
    assert post.clock() - start == pytest.approx(7.0, abs=0.01)
    assert len(asyncio.all_tasks()) == 1
    assert "no time left" in {line["event"] for line in said}
    await asyncio.sleep(1)
    assert await post.deliver() == []
    assert await plant.is_ranked_as_stored(board)


# -- poison ---------------------------------------------------------------------------------------------------------------


async def test_a_message_that_cannot_be_read_is_buried_with_the_reason_and_done(
    plant: Plant, post: Post, board: Board
) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    await post.send()
    post.queue.put("garbage", redrive="r1")
    assert await post.deliver() == []
    assert await plant.is_ranked_as_stored(board)
    (dead,) = post.queue.dead.values()
    assert (dead.body, dead.reason, dead.redrive) == ("garbage", "unknown format 'garbage'", "r1")


async def test_a_letter_that_cannot_be_read_is_buried_its_row_held_and_its_neighbours_applied(
    plant: Plant, post: Post, board: Board
) -> None:
    for n in range(3):
        await take(plant, submission(board, f"p{n}", n, 1))
    letters = await plant.outbox.claim(10)
    bad = letters[1]._replace(payload=b"\xc1", trace="Root=1-a")
    await post.queue.send([letters[0], bad, letters[2]])
    assert await post.deliver() == []
    (dead,) = post.queue.dead.values()
    assert unpack(dead.body) == [bad]
    assert "no changes" in str(dead.reason)
    assert list(plant.store.outbox) == [bad.id]
    assert plant.store.outbox[bad.id].reason == dead.reason
    assert await plant.ranking.seq(board.key, "p2") > 0


async def test_letters_that_are_bad_for_the_same_reason_share_a_grave(post: Post, board: Board) -> None:
    foreign = payloads.encode({board.key: [Change("eve", 9, b"short", 0, b"{}")]})
    rows = [Letter(1001, b"\xc1"), Letter(1002, foreign), Letter(1003, foreign)]
    await post.queue.send(rows)
    assert await post.deliver() == []
    graves = sorted([letter.id for letter in unpack(dead.body)] for dead in post.queue.dead.values())
    assert graves == [[1001], [1002, 1003]]


async def test_a_large_letter_whose_row_cannot_be_read_is_held(plant: Plant, post: Post) -> None:
    plant.store.outbox[77] = Waiting(b"\xc1", float("inf"), 0.0)
    post.queue.put(pack([Letter(77, b"")], LIMIT)[0].body)
    assert await post.deliver() == []
    assert plant.store.outbox[77].reason is not None
    (dead,) = post.queue.dead.values()
    assert unpack(dead.body) == [Letter(77, b"")]


async def test_what_cannot_be_buried_comes_again(post: Post) -> None:
    post.queue.put("garbage")
    post.queue.away = True
    assert len(await post.deliver()) == 1
    post.queue.away = False
    await asyncio.sleep(31)
    assert await post.deliver() == []
    assert len(post.queue.dead) == 1


async def test_a_message_that_waits_is_not_buried_yet(plant: Plant, post: Post, board: Board) -> None:
    """Else its bad letter would be buried once more with each delivery."""
    await take(plant, submission(board, "ada", 3, 1))
    letters = await plant.outbox.claim(10)
    await post.queue.send([*letters, Letter(1001, b"\xc1")])
    plant.ranking.away_for = board.key
    assert len(await post.deliver()) == 1
    assert post.queue.dead == {}
    plant.ranking.away_for = None
    await asyncio.sleep(1)
    assert await post.deliver() == []
    assert len(post.queue.dead) == 1


# -- the servers ------------------------------------------------------------------------------------------------------------


async def test_the_servers_are_looked_at_before_the_first_take_and_not_with_every_one(
    plant: Plant, post: Post, board: Board
) -> None:
    reads = []
    read = post.sentinel.read

    async def counted() -> tuple[str | None, str]:
        reads.append(post.clock())
        return await read()

    post.sentinel.read = counted
    for _ in range(5):
        await take(plant, submission(board, "ada", random.randrange(100), 1))
        await post.send()
        await post.deliver()
    assert len(reads) == 1
    await asyncio.sleep(1.1)
    await post.deliver()
    assert len(reads) == 2


async def test_after_a_failure_the_servers_are_looked_at_again_at_once(plant: Plant, post: Post, board: Board) -> None:
    """Who comes back after a broken connection may be another."""
    await post.deliver()
    epoch = plant.store.epochs[board.key]
    await take(plant, submission(board, "ada", 3, 1))
    await post.send()
    apply, calls = plant.ranking.apply, []

    async def break_once(*given: Any) -> int:
        calls.append(given)
        if len(calls) == 1:
            post.sentinel.run = "run 2"
            raise RankingUnavailable("the connection was closed")
        return await apply(*given)

    plant.ranking.apply = break_once
    assert await post.deliver() == []
    assert plant.store.epochs[board.key] > epoch
    assert await plant.is_ranked_as_stored(board)


async def test_another_server_is_noticed_before_anything_is_applied_to_it(
    plant: Plant, post: Post, board: Board
) -> None:
    await take(plant, submission(board, "ada", 3, 1))
    await post.send()
    await post.deliver()
    await asyncio.sleep(5)
    await post.deliver()
    epoch = plant.store.epochs[board.key]
    post.sentinel.run = "run 2"
    await asyncio.sleep(5)
    await take(plant, submission(board, "bob", 4, 1))
    await post.send()
    assert await post.deliver() == []
    assert plant.store.epochs[board.key] > epoch
    assert await plant.is_ranked_as_stored(board)


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_nothing_is_lost_and_the_ranking_ends_as_the_store(
    plant: Plant, post: Post, seed: int
) -> None:
    """Two sandboxes, lost and doubled messages, poison, losses of Redis, and a store that goes on committing."""
    dice = random.Random(seed)
    boards = [await plant.board(name) for name in ("a", "b")]
    sandboxes = [post.deliveries, post.worker()]
    for _ in range(120):
        match dice.randrange(12):
            case 0:
                await plant.ranking.drop(dice.choice(boards).key)
            case 1:
                plant.ranking.away = not plant.ranking.away
            case 2 if post.queue.messages:
                post.queue.delete([dice.choice(list(post.queue.messages))])
            case 3 if post.queue.messages:
                post.queue.put(dice.choice(list(post.queue.messages.values())).body)
            case 4:
                post.queue.put("garbage")
            case 5:
                await asyncio.sleep(dice.choice((0.5, 70)))
            case 6 | 7:
                await post.send()
            case 8 | 9:
                post.deliveries = dice.choice(sandboxes)
                await post.deliver(seconds=5.0)
            case _:
                board = dice.choice(boards)
                await send(
                    plant, *(submission(board, f"p{dice.randrange(9)}", dice.randrange(50), 0) for _ in range(3))
                )
    plant.ranking.away = False
    while plant.store.outbox or post.queue.messages:
        await post.send()
        await post.deliver()
        await asyncio.sleep(RESEND + BACK_OFF)
    # What was dropped with nothing left to say about it is found by the minute's verifying.
    await plant.refresh.verify()
    await plant.refresh.settle_rebuilds()
    for board in boards:
        assert await plant.is_ranked_as_stored(board)


def test_the_wait_grows_to_a_bound_and_is_never_nothing() -> None:
    for chance in (0.0, 0.3, 0.999):
        waits = [back_off(count, chance) for count in range(1, 60)]
        assert waits == sorted(waits)
        assert waits[0] == 1
        assert BACK_OFF / 2 <= waits[-1] <= BACK_OFF
    assert back_off(6, 0.0) < back_off(6, 0.9)
