"""The refresh as a function on AWS, called by the queue: `workers.refresh.handler`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.deliveries import Delivery
from workers.function import KEPT, seconds

if TYPE_CHECKING:
    from workers.function import Context


def handler(event: dict[str, Any], context: Context | None) -> dict[str, Any]:
    """Apply the messages of an SQS event; answers which of them have to come again (`ReportBatchItemFailures`)."""
    deliveries = [_delivery(record) for record in event["Records"]]
    failed = KEPT.run(lambda parts: parts.deliveries.take(deliveries, seconds(context)))
    return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}


def _delivery(record: dict[str, Any]) -> Delivery:
    redrive = record.get("messageAttributes", {}).get("redrive", {}).get("stringValue", "")
    count = int(record.get("attributes", {}).get("ApproximateReceiveCount", "1"))
    return Delivery(record["messageId"], record["receiptHandle"], record["body"], count, redrive)
