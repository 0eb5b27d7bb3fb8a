from __future__ import annotations

from infra.dead_letters_memory import MemoryDeadLetters
from infra.queue_memory import MemoryQueue
from infra.store_memory import MemoryStore


async def test_what_a_redrive_puts_back_carries_its_name() -> None:
    now = 5.0
    queue = MemoryQueue(lambda: now)
    letters = MemoryDeadLetters(MemoryStore(lambda: now), queue)
    await queue.bury("noise", "unknown format")
    await letters.redrive()
    (first,) = queue.messages.values()
    now = 6.0
    await queue.bury("noise", "unknown format", first.redrive)
    await letters.redrive()
    assert len({held.redrive for held in queue.messages.values()}) == 2
