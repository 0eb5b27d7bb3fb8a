"""A queue with its dead letters, and a hand for what only the other end does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from infra.queue_memory import MemoryQueue
from infra.queue_sqs import REASON, REDRIVE, SqsQueue

if TYPE_CHECKING:
    from typing import Any

    from infra.client_aws import AwsClient
    from realtime.core.ports import Queue
    from tests.queues import Queues


class Given(NamedTuple):
    """A message as the other end has it."""

    receipt: str
    body: str
    count: int = 1
    reason: str = ""
    redrive: str = ""


class Queued(Protocol):
    """A queue, taken from at the other end. What was given comes again after a long time, unless it is put off."""

    queue: Queue

    async def give(self) -> list[Given]: ...
    async def dead(self) -> list[Given]: ...
    async def put(self, body: str) -> None: ...
    async def put_dead(self, body: str, reason: str) -> None: ...


class QueuedInMemory:
    def __init__(self) -> None:
        # Its time stands still.
        self.queue = MemoryQueue(lambda: 0.0)

    async def give(self) -> list[Given]:
        given = self.queue.receive(10_000)
        return [Given(held.id, held.body, held.count, redrive=held.redrive) for held in given]

    async def dead(self) -> list[Given]:
        return [
            Given(held.id, held.body, reason=held.reason or "", redrive=held.redrive)
            for held in self.queue.dead.values()
        ]

    async def put(self, body: str) -> None:
        self.queue.put(body)

    async def put_dead(self, body: str, reason: str) -> None:
        await self.queue.bury(body, reason)


class QueuedInSqs:
    def __init__(self, queues: Queues, client: AwsClient) -> None:
        self.queues = queues
        self.client = client
        self.queue = SqsQueue(client, queues.url, queues.dead_url, message=262_144, tries=2)

    async def give(self) -> list[Given]:
        return [_given(message) for message in self.queues.all()]

    async def dead(self) -> list[Given]:
        return [_given(message) for message in self.queues.all(self.queues.dead_url)]

    async def put(self, body: str) -> None:
        self.queues.put(body)

    async def put_dead(self, body: str, reason: str) -> None:
        await self.queue.bury(body, reason)


def _given(message: dict[str, Any]) -> Given:
    def text(name: str) -> str:
        return str(message.get("MessageAttributes", {}).get(name, {}).get("StringValue", ""))

    told = message["Attributes"]
    return Given(
        message["ReceiptHandle"],
        message["Body"],
        int(told["ApproximateReceiveCount"]),
        text(REASON),
        text(REDRIVE),
    )
