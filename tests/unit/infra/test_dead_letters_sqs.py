from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.client_aws import AwsClient
from infra.dead_letters_postgres import PostgresDeadLetters
from infra.dead_letters_sqs import SqsDeadLetters
from infra.postgres import open_pool
from infra.queue_sqs import SqsQueue
from infra.settings import Settings
from realtime.core.errors import QueueUnavailable
from realtime.core.letters import Letter, pack
from realtime.core.ports import Redriven

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.queues import Queues

BLANK = Settings(database_url="", redis_url="", issuer="", jwks_url="")


class Letters(SqsDeadLetters):
    """Dead letters with the queue that they come from, and something that happens once a message was put back."""

    queue: SqsQueue
    after: Any = None

    async def _put_back(self, messages: Sequence[dict[str, Any]], name: str) -> None:
        await super()._put_back(messages, name)
        if self.after is not None:
            await self.after(messages, name)


@pytest.fixture
async def letters(emptied_database: str, queues: Queues) -> AsyncIterator[Letters]:
    pool = await open_pool(emptied_database, size=2, seconds=10, writer=True)
    client = AwsClient.open("sqs", queues.settings(BLANK), threads=2, seconds=5.0, tries=1)
    letters = Letters(PostgresDeadLetters(pool), client, queues.url, queues.dead_url)
    letters.queue = SqsQueue(client, queues.url, queues.dead_url, message=262_144, tries=1)
    yield letters
    client.close()
    await pool.close()


async def test_what_is_refused_again_while_a_redrive_runs_is_not_put_back_by_it_once_more(letters: Letters) -> None:
    """Else a message that nobody can read would go round for as long as there is a worker."""

    async def bury(messages: Sequence[dict[str, Any]], name: str) -> None:
        for message in messages:
            await letters.queue.bury(message["Body"], "unknown format", name)

    letters.after = bury
    for n in range(3):
        await letters.queue.bury(f"m{n}", "unknown format")
    assert await letters.redrive() == Redriven(moved=3)
    assert len(await letters.oldest(10)) == 3
    # The next redrive is another one.
    assert await letters.redrive() == Redriven(moved=3)


async def test_a_redrive_that_fails_half_way_loses_nothing(letters: Letters, queues: Queues) -> None:
    async def fail(_: Sequence[dict[str, Any]], __: str) -> None:
        raise QueueUnavailable("away")

    letters.after = fail
    await letters.queue.bury("noise", "unknown format")
    with pytest.raises(QueueUnavailable):
        await letters.redrive()
    assert queues.count(queues.dead_url) == 1


async def test_a_message_that_sqs_itself_put_aside_was_delivered_too_often(letters: Letters, queues: Queues) -> None:
    body = pack([Letter(7, b"x")], 1000)[0].body
    queues.emulator.client("sqs").send_message(QueueUrl=queues.dead_url, MessageBody=body)
    (one,) = await letters.oldest(10)
    assert (one.reason, one.rows, one.size) == ("delivered too often", (7,), len(body))
    assert one.at > 1_700_000_000
