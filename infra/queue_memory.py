"""The queue in memory, with the dead letters that go with it. Nothing outlives the process."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from realtime.core.errors import QueueUnavailable
from realtime.core.letters import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from realtime.core.letters import Letter

BOUND: Final = 10_000
"""Messages that it holds; past it, it takes none."""
_VISIBILITY: Final = 30.0


@dataclass(slots=True)
class Held:
    """A message: nobody is given it before `free_at`. `count` says how often it was given out."""

    id: str
    body: str
    at: float
    free_at: float
    trace: str | None = None
    count: int = 0
    reason: str | None = None
    redrive: str = ""


@dataclass(slots=True)
class MemoryQueue:
    """The port `Queue`. `clock` tells the seconds by which a message that was given out and not deleted comes back.

    Set `away` and it does not answer; `refuse` says how many messages it will not take.
    """

    clock: Callable[[], float]
    message: int = 262_144
    messages: dict[str, Held] = field(default_factory=dict)
    dead: dict[str, Held] = field(default_factory=dict)
    away: bool = False
    refuse: int = 0
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def send(self, letters: Sequence[Letter]) -> list[int]:
        """See the port."""
        left: list[int] = []
        for message in pack(letters, self.message):
            if self.away or self.refuse or len(self.messages) >= BOUND:
                self.refuse = max(0, self.refuse - 1)
                left.extend(letter.id for letter in message.letters)
            else:
                self.put(message.body, message.trace)
        return left

    def put(self, body: str, trace: str | None = None, redrive: str = "") -> str:
        """Put any message into the queue; its id."""
        held = Held(f"m{next(self._ids)}", body, self.clock(), float("-inf"), trace, redrive=redrive)
        self.messages[held.id] = held
        return held.id

    def receive(self, limit: int) -> list[Held]:
        """At most `limit` messages; they come again unless they are deleted. A receipt is the message's id."""
        now = self.clock()
        given = [held for held in self.messages.values() if held.free_at <= now][:limit]
        for held in given:
            held.free_at = now + _VISIBILITY
            held.count += 1
        return given

    def delete(self, ids: Sequence[str]) -> None:
        """These are dealt with."""
        for one in ids:
            self.messages.pop(one, None)

    async def put_off(self, receipts: Mapping[str, int]) -> None:
        """See the port."""
        for one, seconds in receipts.items():
            if one in self.messages and not self.away:
                self.messages[one].free_at = self.clock() + seconds

    async def bury(self, body: str, reason: str, redrive: str = "") -> None:
        """See the port."""
        if self.away:
            raise QueueUnavailable("the queue is away")
        now = self.clock()
        held = Held(f"d{next(self._ids)}", body, now, now, reason=reason, redrive=redrive)
        self.dead[held.id] = held
