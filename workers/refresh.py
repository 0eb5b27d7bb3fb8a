"""The refresh as a function on AWS, called by the queue: `workers.refresh.handler`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from workers.deliveries import Delivery
from workers.function import KEPT, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.function import Context, Functions


def handler(event: dict[str, Any], context: Context | None) -> dict[str, Any]:
    """Apply the messages of an SQS event; answers which of them have to come again (`ReportBatchItemFailures`)."""
    deliveries = [_delivery(record) for record in event["Records"]]
    failed = KEPT.run(lambda parts: _take(parts, deliveries, seconds(context)))
    return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}


async def _take(parts: Functions, deliveries: Sequence[Delivery], limit: float) -> list[str]:
    failed = await parts.deliveries.take(deliveries, limit)
    await parts.pulse.due()
    if parts.resources.tracing is not None:
        # Between two invocations nothing runs that could send it.
        await asyncio.to_thread(parts.resources.tracing.flush)
    return failed


def _delivery(record: dict[str, Any]) -> Delivery:
    redrive = record.get("messageAttributes", {}).get("redrive", {}).get("stringValue", "")
    count = int(record.get("attributes", {}).get("ApproximateReceiveCount", "1"))
    return Delivery(record["messageId"], record["receiptHandle"], record["body"], count, redrive)
