"""What could not be read, in memory: held rows of the store, and the dead messages of a queue where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime.core.errors import QueueUnavailable, Unreadable
from realtime.core.letters import unpack
from realtime.core.ports import Dead, DeadLetter, Redriven

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.queue_memory import MemoryQueue
    from infra.store_memory import MemoryStore


class MemoryDeadLetters:
    """The port `DeadLetters`."""

    def __init__(self, store: MemoryStore, queue: MemoryQueue | None = None) -> None:
        self._store = store
        self._queue = queue

    async def oldest(self, limit: int) -> list[DeadLetter]:
        """See the port."""
        rows = [
            DeadLetter(f"row:{row}", waiting.reason, waiting.at, (row,), len(waiting.payload))
            for row, waiting in sorted(self._store.outbox.items())
            if waiting.reason is not None
        ]
        messages = [
            DeadLetter(f"message:{held.id}", held.reason or "", held.at, _rows_of(held.body), len(held.body))
            for held in (self._queue.dead.values() if self._queue else ())
        ]
        return (rows + messages)[:limit]

    async def count(self) -> Dead:
        """See the port."""
        if self._queue is not None and self._queue.away:
            raise QueueUnavailable("the queue is away")
        held = [waiting for waiting in self._store.outbox.values() if waiting.reason is not None]
        return Dead(len(held), len(self._queue.dead) if self._queue else 0)

    async def redrive(self) -> Redriven:
        """See the port."""
        if self._queue is None:
            return Redriven(len(self._free(None)))
        if self._queue.away:
            raise QueueUnavailable("the queue is away")
        rows, moved, dropped = self._free(None), 0, 0
        name = str(self._store.clock())
        for held in list(self._queue.dead.values()):
            del self._queue.dead[held.id]
            if ids := _rows_of(held.body):
                rows |= self._free(ids)
                dropped += 1
            else:
                self._queue.put(held.body, redrive=name)
                moved += 1
        return Redriven(len(rows), moved, dropped)

    def _free(self, ids: Sequence[int] | None) -> set[int]:
        freed = {
            row: waiting
            for row, waiting in self._store.outbox.items()
            if (row in ids if ids is not None else waiting.reason is not None)
        }
        for waiting in freed.values():
            waiting.free_at, waiting.reason, waiting.claims = float("-inf"), None, 0
        return set(freed)


def _rows_of(body: str) -> tuple[int, ...]:
    try:
        return tuple(letter.id for letter in unpack(body))
    except Unreadable:
        return ()
