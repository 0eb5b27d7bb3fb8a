"""SQS queues on an emulator, and a function called by one as AWS calls it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.emulators import REGION
from workers import refresh
from workers.function import KEPT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from infra.settings import Settings
    from tests.emulators import Emulator
    from tests.harness import Stack

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_numbers = itertools.count(1)


@dataclass(slots=True)
class Queues:
    """A queue with its dead-letter queue. An emulator that was stopped comes back empty: `make` them again then."""

    emulator: Emulator
    name: str = field(default_factory=lambda: f"refresh-{next(_numbers)}")
    visibility: int = 30
    max_receives: int = 100
    url: str = ""
    dead_url: str = ""

    def make(self) -> Queues:
        sqs = self.emulator.client("sqs")
        self.dead_url = sqs.create_queue(QueueName=f"{self.name}-dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self.dead_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = {"deadLetterTargetArn": arn, "maxReceiveCount": self.max_receives}
        attributes = {"VisibilityTimeout": str(self.visibility), "RedrivePolicy": json.dumps(redrive)}
        self.url = sqs.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]
        return self

    def settings(self, settings: Settings, **changes: Any) -> Settings:
        """Settings of a process that uses them."""
        queue = {"queue_url": self.url, "dead_letter_url": self.dead_url, "sweep_every": 0.5}
        aws = {"aws_endpoint": self.emulator.url, "aws_region": REGION}
        return dataclasses.replace(settings, **queue | aws | changes)

    def put(self, body: str) -> None:
        self.emulator.client("sqs").send_message(QueueUrl=self.url, MessageBody=body)

    def receive(self, url: str | None = None, **arguments: Any) -> list[dict[str, Any]]:
        """At most ten messages, with all that is told of them."""
        given = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}
        answer = self.emulator.client("sqs").receive_message(QueueUrl=url or self.url, **given | arguments)
        return list(answer.get("Messages", []))

    def all(self, url: str | None = None) -> list[dict[str, Any]]:
        """Every message that can be had now."""
        return [message for some in iter(lambda: self.receive(url), []) for message in some]

    def count(self, url: str | None = None) -> int:
        """Messages in the queue, given out or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.emulator.client("sqs").get_queue_attributes(QueueUrl=url or self.url, AttributeNames=names)
        return sum(int(number) for number in answer["Attributes"].values())


@pytest.fixture
def queues(ministack: Emulator, monkeypatch: pytest.MonkeyPatch) -> Queues:
    """A pair of queues of the test's own."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return Queues(ministack).make()


def functions_on(stack: Stack, queues: Queues, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Stack:
    """The stack with these queues; functions called in this process find the same in their environment."""
    settings = queues.settings(stack.settings, **changes)
    for name, value in (settings.environ() | CREDENTIALS).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("workers.function.configure", lambda: None)
    return dataclasses.replace(stack, settings=settings)


class Context:
    """What a function is told of its invocation."""

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def event(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The event that AWS makes of messages."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {
                    name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
                    for name, value in message.get("MessageAttributes", {}).items()
                },
                "eventSource": "aws:sqs",
            }
            for message in messages
        ]
    }


class Mapping:
    """Calls `workers.refresh.handler` with what a queue has, and deletes what was dealt with, as an event source mapping does.

    The function reads its settings from the environment: set it before, and the credentials with it.
    """

    def __init__(self, queues: Queues) -> None:
        self.queues = queues
        self.calls = 0
        self.failed = 0
        # One sandbox is one thread: its loop and its connections belong to it.
        self._sandbox = ThreadPoolExecutor(1, thread_name_prefix="sandbox")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Mapping]:
        task = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._in_sandbox(KEPT.close)
            self._sandbox.shutdown()
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _run(self) -> None:
        while True:
            try:
                await self._in_sandbox(self.once)
            except (BotoCoreError, ClientError, OSError):
                # The queue is away.
                await asyncio.sleep(0.05)

    async def _in_sandbox(self, act: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._sandbox, act)

    def once(self) -> None:
        """One batch."""
        messages = self.queues.receive(WaitTimeSeconds=1)
        if not messages:
            return
        answer = refresh.handler(event(messages), Context())
        self.calls += 1
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        self.failed += len(failed)
        done = [message for message in messages if message["MessageId"] not in failed]
        if done:
            self.queues.emulator.client("sqs").delete_message_batch(
                QueueUrl=self.queues.url,
                Entries=[{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(done)],
            )
