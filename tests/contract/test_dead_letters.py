from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from realtime.core.errors import QueueUnavailable
from realtime.core.letters import Letter, pack, unpack
from realtime.core.ports import Dead, Redriven
from tests.contract.sending import board, submission, take

if TYPE_CHECKING:
    from tests.contract.conftest import Buried


async def rows(buried: Buried, count: int) -> list[Letter]:
    """Rows that somebody has claimed."""
    made = await board(buried.stored)
    for n in range(count):
        await take(buried.stored, submission(made, f"p{n}", 1, 1))
    return await buried.stored.outbox.claim(100)


def body(*letters: Letter) -> str:
    return pack(letters, 262_144)[0].body


async def test_nothing_is_dead_at_first(buried: Buried) -> None:
    assert await buried.letters.oldest(10) == []
    assert await buried.letters.redrive() == Redriven()


async def test_a_held_row_is_listed_with_its_reason(buried: Buried) -> None:
    first, second, _ = await rows(buried, 3)
    await buried.stored.outbox.hold([second.id], "no changes")
    await buried.stored.outbox.hold([first.id], "no record of this board")
    listed = await buried.letters.oldest(10)
    assert [(one.id, one.reason, one.rows) for one in listed] == [
        (f"row:{first.id}", "no record of this board", (first.id,)),
        (f"row:{second.id}", "no changes", (second.id,)),
    ]
    assert [one.size for one in listed] == [len(first.payload), len(second.payload)]
    assert all(one.at >= 0 for one in listed)
    assert [one.id for one in await buried.letters.oldest(1)] == [f"row:{first.id}"]


async def test_a_redrive_lets_held_rows_be_claimed_at_once(buried: Buried) -> None:
    first, second = await rows(buried, 2)
    await buried.stored.outbox.hold([first.id], "no changes")
    assert await buried.letters.redrive() == Redriven(rows=1)
    assert await buried.stored.outbox.claim(10) == [first], "the other is claimed, and not held"
    assert await buried.letters.oldest(10) == []
    assert await buried.letters.redrive() == Redriven()
    assert second


async def test_a_row_that_is_bad_again_is_held_again(buried: Buried) -> None:
    (first,) = await rows(buried, 1)
    for reason in ("once", "twice"):
        await buried.stored.outbox.hold([first.id], reason)
        assert [one.reason for one in await buried.letters.oldest(10)] == [reason]
        await buried.letters.redrive()


async def test_what_is_held_is_counted(buried: Buried) -> None:
    assert await buried.letters.count() == Dead()
    first, second, _ = await rows(buried, 3)
    await buried.stored.outbox.hold([first.id, second.id], "no changes")
    assert await buried.letters.count() == Dead(rows=2)


# -- with a queue -----------------------------------------------------------------------------------------------------------


async def test_a_dead_message_is_listed_after_the_rows_and_stays(buried_queued: Buried) -> None:
    buried = buried_queued
    first, second = await rows(buried, 2)
    await buried.stored.outbox.hold([first.id], "no changes")
    await buried.queued.put_dead(body(first, second), "no changes")
    await buried.queued.put_dead("hello", "unknown format 'hello'")
    for _ in range(2):
        row, *messages = await buried.letters.oldest(10)
        assert row.id == f"row:{first.id}"
        assert sorted((one.rows, one.reason) for one in messages) == [
            ((), "unknown format 'hello'"),
            ((first.id, second.id), "no changes"),
        ]
        assert all(one.id.startswith("message:") and one.size for one in messages)
    assert len(await buried.letters.oldest(2)) == 2


async def test_dead_messages_are_counted_beside_the_rows(buried_queued: Buried) -> None:
    for n in range(12):
        await buried_queued.queued.put_dead(f"m{n}", "unknown format")
    assert await buried_queued.letters.count() == Dead(messages=12)


async def test_many_dead_messages_are_listed_up_to_the_limit(buried_queued: Buried) -> None:
    for n in range(23):
        await buried_queued.queued.put_dead(f"m{n}", "unknown format")
    assert len(await buried_queued.letters.oldest(15)) == 15
    assert len({one.id for one in await buried_queued.letters.oldest(100)}) == 23


async def test_a_message_about_known_rows_goes_once_they_are_free(buried_queued: Buried) -> None:
    buried = buried_queued
    held, leased = await rows(buried, 2)
    await buried.stored.outbox.hold([held.id], "no changes")
    await buried.queued.put_dead(body(held, leased), "no changes")
    assert await buried.letters.redrive() == Redriven(rows=2, dropped=1)
    assert await buried.stored.outbox.claim(10) == [held, leased]
    assert await buried.queued.give() == []
    assert await buried.letters.oldest(10) == []


async def test_a_message_about_rows_that_were_applied_goes(buried_queued: Buried) -> None:
    buried = buried_queued
    (row,) = await rows(buried, 1)
    await buried.stored.outbox.settle([row.id])
    await buried.queued.put_dead(body(row), "delivered too often")
    assert await buried.letters.redrive() == Redriven(rows=0, dropped=1)
    assert await buried.letters.oldest(10) == []


async def test_a_message_about_which_nothing_is_known_is_put_back_as_it_is(buried_queued: Buried) -> None:
    """A later version of the worker may know its format."""
    await buried_queued.queued.put_dead("2.kQ==", "unknown format '2'")
    assert await buried_queued.letters.redrive() == Redriven(moved=1)
    (given,) = await buried_queued.queued.give()
    assert given.body == "2.kQ=="
    assert given.redrive
    assert await buried_queued.letters.oldest(10) == []


async def test_many_messages_are_redriven_each_once(buried_queued: Buried) -> None:
    for n in range(12):
        await buried_queued.queued.put_dead(f"m{n}", "unknown format")
        await buried_queued.queued.put_dead(body(Letter(1000 + n, b"x")), "no changes")
    assert await buried_queued.letters.redrive() == Redriven(moved=12, dropped=12)
    assert sorted(one.body for one in await buried_queued.queued.give()) == sorted(f"m{n}" for n in range(12))


async def test_while_the_queue_is_away_dead_letters_are_unavailable(buried_away: Buried) -> None:
    with pytest.raises(QueueUnavailable):
        await buried_away.letters.redrive()
    with pytest.raises(QueueUnavailable):
        await buried_away.letters.count()


async def test_letters_in_dead_messages_can_be_read(buried_queued: Buried) -> None:
    (row,) = await rows(buried_queued, 1)
    await buried_queued.queued.put_dead(body(row), "no changes")
    (dead,) = await buried_queued.queued.dead()
    assert unpack(dead.body) == [row]
