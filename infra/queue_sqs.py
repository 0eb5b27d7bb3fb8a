"""The queue between commit and refresh on SQS."""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import structlog

from realtime.client.backoff import full_jitter
from realtime.core.errors import QueueUnavailable
from realtime.core.letters import CALL, Message, calls, pack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from infra.client_aws import AwsClient
    from realtime.core.letters import Letter

REASON: Final = "reason"
"""The attribute of a dead letter that says why it is one."""
REDRIVE: Final = "redrive"
"""The attribute of a message that names the redrive which put it back."""
_MAX_REASON: Final = 256
_TRACE: Final = re.compile(r"Root=[0-9A-Za-z;=:+-]{1,250}")
"""What goes as a trace header: another one would be refused, and the message with it."""

log = structlog.get_logger()


class SqsQueue:
    """The port `Queue`. `message` bounds a message in bytes; what the service refuses is tried `tries` times."""

    def __init__(self, client: AwsClient, url: str, dead_url: str, *, message: int, tries: int) -> None:
        self._client = client
        self._url = url
        self._dead_url = dead_url
        self._message = message
        self._tries = tries
        self.sent = 0
        """Messages taken."""
        self.refused = 0
        """Messages not taken, each time that it was tried."""

    async def send(self, letters: Sequence[Letter]) -> list[int]:
        """Hand letters over; the ids of those that were not taken, all of them where the queue is away. Bounded in time."""
        groups = calls(pack(letters, self._message))
        left = await asyncio.gather(*(self._send(group) for group in groups))
        return [letter.id for group in left for message in group for letter in message.letters]

    async def _send(self, group: list[Message]) -> list[Message]:
        """Send the messages of one call; those that were not taken. A partial failure is sent again."""
        for attempt in range(self._tries):
            if attempt:
                await asyncio.sleep(full_jitter(attempt - 1, random.random()))  # noqa: S311 - spreads waits, no secret
            try:
                with wrapped():
                    answer = await self._client.call(
                        "send_message_batch",
                        QueueUrl=self._url,
                        Entries=[_entry(str(index), message) for index, message in enumerate(group)],
                    )
            except QueueUnavailable as error:
                self.refused += len(group)
                log.warning("queue is away", error=str(error), messages=len(group))
                return group
            failed = answer.get("Failed", [])
            self.sent += len(group) - len(failed)
            self.refused += len(failed)
            group = [group[int(one["Id"])] for one in failed]
            if not group:
                break
            log.warning("queue refused messages", messages=len(group), code=failed[0].get("Code"))
        return group

    async def put_off(self, receipts: Mapping[str, int]) -> None:
        """Deliver these again after so many whole seconds each. Where that fails they come when the queue thinks fit."""
        entries = [
            {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
            for index, (receipt, seconds) in enumerate(receipts.items())
        ]
        for start in range(0, len(entries), CALL):
            some = entries[start : start + CALL]
            try:
                with wrapped():
                    await self._client.call("change_message_visibility_batch", QueueUrl=self._url, Entries=some)
            except QueueUnavailable as error:
                log.warning("not put off", error=str(error), messages=len(some))

    async def bury(self, body: str, reason: str, redrive: str = "") -> None:
        """Put a message into the dead-letter queue. `redrive` names the redrive that it came from. Raises QueueUnavailable."""
        named = {REASON: _printable(reason)} | ({REDRIVE: redrive} if redrive else {})
        with wrapped():
            await self._client.call(
                "send_message", QueueUrl=self._dead_url, MessageBody=body, MessageAttributes=attributes(named)
            )


def _entry(name: str, message: Message) -> dict[str, Any]:
    entry: dict[str, Any] = {"Id": name, "MessageBody": message.body}
    trace = message.trace
    if trace is not None and _TRACE.fullmatch(trace):
        entry["MessageSystemAttributes"] = attributes({"AWSTraceHeader": trace})
    return entry


def attributes(named: Mapping[str, str]) -> dict[str, Any]:
    """Texts as SQS takes them."""
    return {name: {"DataType": "String", "StringValue": text} for name, text in named.items()}


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_MAX_REASON]) or "?"


@contextmanager
def wrapped() -> Iterator[None]:
    """Turn what boto3 raises into QueueUnavailable."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only who is on AWS has loaded it

    try:
        yield
    except (BotoCoreError, ClientError, OSError, TimeoutError) as error:
        raise QueueUnavailable(f"SQS: {type(error).__name__}: {error}") from error
