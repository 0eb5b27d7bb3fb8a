from __future__ import annotations

from infra.queue_memory import BOUND, MemoryQueue
from realtime.core.letters import Letter


async def test_a_full_queue_takes_no_more() -> None:
    queue = MemoryQueue(lambda: 0.0)
    for _ in range(BOUND - 1):
        queue.put("m")
    assert await queue.send([Letter(1, b"a")]) == []
    assert await queue.send([Letter(2, b"b"), Letter(3, b"c")]) == [2, 3]
    queue.delete([next(iter(queue.messages))])
    assert await queue.send([Letter(2, b"b")]) == []


async def test_so_many_messages_as_told_are_refused() -> None:
    queue = MemoryQueue(lambda: 0.0, message=60)
    queue.refuse = 1
    assert await queue.send([Letter(1, b"a" * 30), Letter(2, b"b" * 30)]) == [1]
    assert await queue.send([Letter(1, b"a" * 30)]) == []


async def test_what_is_given_out_comes_again_after_a_while_unless_it_is_deleted() -> None:
    now = 0.0
    queue = MemoryQueue(lambda: now)
    first, second = queue.put("a"), queue.put("b")
    assert [held.id for held in queue.receive(10)] == [first, second]
    queue.delete([first])
    now = 29.0
    assert queue.receive(10) == []
    now = 30.0
    assert [(held.id, held.count) for held in queue.receive(10)] == [(second, 2)]
