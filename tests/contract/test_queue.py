from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from realtime.core.errors import QueueUnavailable
from realtime.core.letters import Letter, unpack
from tests.harness import eventually

if TYPE_CHECKING:
    from tests.contract.queued import Queued


def letters(*numbers: int, size: int = 100) -> list[Letter]:
    return [Letter(number, bytes([number % 256]) * size) for number in numbers]


async def received(queued: Queued) -> list[Letter]:
    return sorted(letter for given in await queued.give() for letter in unpack(given.body))


async def test_every_letter_arrives(queued: Queued) -> None:
    sent = letters(1, 2, 3)
    assert await queued.queue.send(sent) == []
    assert await received(queued) == sent


async def test_many_letters_go_in_few_messages(queued: Queued) -> None:
    sent = letters(*range(1, 2001))
    assert await queued.queue.send(sent) == []
    given = await queued.give()
    assert len(given) == 2
    assert sorted(letter for one in given for letter in unpack(one.body)) == sent


async def test_more_messages_than_a_call_takes_all_arrive(queued: Queued) -> None:
    sent = letters(*range(1, 24), size=150_000)
    assert await queued.queue.send(sent) == []
    assert await received(queued) == sent


async def test_a_letter_larger_than_a_message_arrives_by_its_id(queued: Queued) -> None:
    assert await queued.queue.send([Letter(1, b"a"), Letter(2, bytes(300_000)), Letter(3, b"c")]) == []
    assert await received(queued) == [Letter(1, b"a"), Letter(2, b""), Letter(3, b"c")]


async def test_each_letter_keeps_its_trace(queued: Queued) -> None:
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    sent = [Letter(1, b"a"), Letter(2, b"b", trace), Letter(3, b"c", "Root=1-other")]
    await queued.queue.send(sent)
    assert await received(queued) == sent


async def test_nothing_to_send_sends_nothing(queued: Queued) -> None:
    assert await queued.queue.send([]) == []
    assert await queued.give() == []


async def test_what_was_given_is_not_given_again_until_it_was_put_off_so_long(queued: Queued) -> None:
    await queued.queue.send(letters(1))
    (given,) = await queued.give()
    assert given.count == 1
    assert await queued.give() == []
    await queued.queue.put_off({given.receipt: 0})

    async def again() -> bool:
        return [one.count for one in await queued.give()] == [2]

    await eventually(again)


async def test_putting_off_many_puts_off_each(queued: Queued) -> None:
    for number in range(1, 24):
        await queued.queue.send(letters(number))
    given = await queued.give()
    assert len(given) == 23
    await queued.queue.put_off({one.receipt: 0 if n % 2 else 600 for n, one in enumerate(given)})
    assert len(await queued.give()) == 11


async def test_putting_off_what_is_gone_does_nothing(queued: Queued) -> None:
    await queued.queue.put_off({})
    await queued.queue.put_off({"gone": 5})


async def test_what_is_buried_lies_there_with_its_reason(queued: Queued) -> None:
    await queued.queue.bury("hello", "unknown format 'hello'")
    await queued.queue.bury("1.a", "no\x00 letters " + "x" * 5000, redrive="r1")
    dead = sorted(await queued.dead(), key=lambda one: one.body)
    assert [(one.body, one.redrive) for one in dead] == [("1.a", "r1"), ("hello", "")]
    assert dead[1].reason == "unknown format 'hello'"
    assert "letters" in dead[0].reason
    assert await queued.give() == []


async def test_while_the_queue_is_away_nothing_is_taken_and_nothing_is_raised(queued_away: Queued) -> None:
    assert await queued_away.queue.send(letters(1, 2, 3)) == [1, 2, 3]
    await queued_away.queue.put_off({"receipt": 5})


async def test_while_the_queue_is_away_nothing_can_be_buried(queued_away: Queued) -> None:
    with pytest.raises(QueueUnavailable):
        await queued_away.queue.bury("hello", "why")
