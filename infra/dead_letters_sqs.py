"""What could not be read, where SQS carries it: held rows of the outbox, and messages of the dead-letter queue.

A message of the dead-letter queue is a copy of what the outbox still has, unless all of it was applied meanwhile: once its rows
are free it is thrown away. Only where nothing can be read of it does it go back into the queue as it is.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from infra.queue_sqs import REASON, REDRIVE, attributes, wrapped
from realtime.core.errors import Unreadable
from realtime.core.letters import CALL, unpack
from realtime.core.ports import Dead, DeadLetter, Redriven

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.client_aws import AwsClient
    from infra.dead_letters_postgres import PostgresDeadLetters

_SEEN: Final = 30
"""Seconds for which a message that was looked at is out of the next look."""
WAIT: Final = 1
"""Seconds for which a call waits for a message; without it a look at a few of the queue's servers might find nothing. The client must
wait longer.
"""
_MOST: Final = 10_000
"""Messages of one redrive."""
_COUNTED: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
"""Those that somebody just looks at are there, too."""
_OFTEN: Final = "delivered too often"
_MILLISECONDS: Final = 1000


class SqsDeadLetters:
    """The port `DeadLetters`, over the rows that are held."""

    def __init__(self, rows: PostgresDeadLetters, client: AwsClient, url: str, dead_url: str) -> None:
        self._rows = rows
        self._client = client
        self._url = url
        self._dead_url = dead_url

    async def oldest(self, limit: int) -> list[DeadLetter]:
        """At most `limit` of them: rows by age, then messages as they come."""
        found = await self._rows.oldest(limit)
        seen: list[dict[str, Any]] = []
        try:
            while len(found) + len(seen) < limit and (some := await self._receive(limit - len(found) - len(seen))):
                seen += some
        finally:
            await self._let_go(seen)
        return found + [_dead_letter(message) for message in seen]

    async def count(self) -> Dead:
        """How much there is; of messages about how many."""
        held = await self._rows.count()
        with wrapped():
            answer = await self._client.call(
                "get_queue_attributes", QueueUrl=self._dead_url, AttributeNames=list(_COUNTED)
            )
        return Dead(held.rows, sum(int(answer["Attributes"].get(name, 0)) for name in _COUNTED))

    async def redrive(self) -> Redriven:
        """Let everything that is put aside be tried again: rows from the truth, what no row is known of as it is."""
        name = uuid.uuid4().hex
        rows, moved, dropped = await self._rows.free(None), 0, 0
        again: list[dict[str, Any]] = []
        try:
            while moved + dropped + len(again) < _MOST and (some := await self._receive(CALL)):
                # What this redrive put back and was refused meanwhile is not put back once more.
                back = [message for message in some if _text(message, REDRIVE) == name]
                again += back
                fresh = [message for message in some if message not in back]
                ids = {message["MessageId"]: _rows_of(message) for message in fresh}
                copies = [message for message in fresh if ids[message["MessageId"]]]
                others = [message for message in fresh if not ids[message["MessageId"]]]
                rows |= await self._free([row for message in copies for row in ids[message["MessageId"]]])
                await self._put_back(others, name)
                await self._delete(fresh)
                moved, dropped = moved + len(others), dropped + len(copies)
        finally:
            await self._let_go(again)
        return Redriven(len(rows), moved, dropped)

    async def _free(self, ids: Sequence[int]) -> set[int]:
        return await self._rows.free(ids) if ids else set()

    async def _receive(self, limit: int) -> list[dict[str, Any]]:
        with wrapped():
            answer = await self._client.call(
                "receive_message",
                QueueUrl=self._dead_url,
                MaxNumberOfMessages=min(limit, CALL),
                VisibilityTimeout=_SEEN,
                WaitTimeSeconds=WAIT,
                MessageAttributeNames=[REASON, REDRIVE],
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        return list(answer.get("Messages", []))

    async def _put_back(self, messages: Sequence[dict[str, Any]], name: str) -> None:
        for message in messages:
            with wrapped():
                await self._client.call(
                    "send_message",
                    QueueUrl=self._url,
                    MessageBody=message["Body"],
                    MessageAttributes=attributes({REDRIVE: name}),
                )

    async def _delete(self, messages: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(messages), CALL):
            some = messages[start : start + CALL]
            entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(some)]
            with wrapped():
                await self._client.call("delete_message_batch", QueueUrl=self._dead_url, Entries=entries)

    async def _let_go(self, messages: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(messages), CALL):
            some = messages[start : start + CALL]
            entries = [
                {"Id": str(n), "ReceiptHandle": one["ReceiptHandle"], "VisibilityTimeout": 0}
                for n, one in enumerate(some)
            ]
            with wrapped():
                await self._client.call("change_message_visibility_batch", QueueUrl=self._dead_url, Entries=entries)


def _dead_letter(message: dict[str, Any]) -> DeadLetter:
    at = int(message.get("Attributes", {}).get("SentTimestamp", 0)) / _MILLISECONDS
    reason = _text(message, REASON) or _OFTEN
    return DeadLetter(f"message:{message['MessageId']}", reason, at, _rows_of(message), len(message["Body"]))


def _rows_of(message: dict[str, Any]) -> tuple[int, ...]:
    """The outbox rows that a message is about; none where it cannot be read."""
    try:
        return tuple(letter.id for letter in unpack(message["Body"]))
    except Unreadable:
        return ()


def _text(message: dict[str, Any], name: str) -> str:
    return str(message.get("MessageAttributes", {}).get(name, {}).get("StringValue", ""))
