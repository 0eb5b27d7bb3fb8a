from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from workers import refresh
from workers.deliveries import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence


class Taking:
    """Deliveries that are noted, some of which have to come again."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[Delivery], float]] = []
        self.again: list[str] = []
        self.beats = 0
        self.tracing: Any = None

    async def take(self, deliveries: Sequence[Delivery], seconds: float) -> list[str]:
        self.taken.append((list(deliveries), seconds))
        return self.again

    async def due(self) -> None:
        self.beats += 1

    def run(self, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        try:
            work(SimpleNamespace(deliveries=self, pulse=self, resources=SimpleNamespace(tracing=self.tracing))).send(
                None
            )
        except StopIteration as done:
            return done.value
        raise AssertionError("it waited")


@pytest.fixture
def taking(monkeypatch: pytest.MonkeyPatch) -> Taking:
    taking = Taking()
    monkeypatch.setattr(refresh, "KEPT", taking)
    return taking


def record(name: str, **fields: Any) -> dict[str, Any]:
    """As AWS gives it to a function."""
    return {
        "messageId": name,
        "receiptHandle": f"receipt {name}",
        "body": f"body {name}",
        "attributes": {"ApproximateReceiveCount": "3", "SentTimestamp": "1700000000000", "AWSTraceHeader": "Root=1-a"},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:refresh",
        "awsRegion": "us-east-1",
        **fields,
    }


def test_the_records_of_an_event_are_its_deliveries(taking: Taking) -> None:
    put_back = {"redrive": {"stringValue": "r1", "dataType": "String"}}
    refresh.handler({"Records": [record("a"), record("b", messageAttributes=put_back)]}, None)
    assert taking.taken == [
        ([Delivery("a", "receipt a", "body a", 3), Delivery("b", "receipt b", "body b", 3, "r1")], 60.0)
    ]


def test_an_invocation_tells_of_itself_where_that_is_due(taking: Taking) -> None:
    refresh.handler({"Records": [record("a")]}, None)
    assert taking.beats == 1


def test_what_was_traced_is_sent_before_an_invocation_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two of them a function stands still."""
    flushed: list[str] = []

    class Flushing(Taking):
        def run(self, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
            tracing = SimpleNamespace(flush=lambda: flushed.append("flushed"))
            return asyncio.run(
                work(SimpleNamespace(deliveries=self, pulse=self, resources=SimpleNamespace(tracing=tracing)))
            )

    monkeypatch.setattr(refresh, "KEPT", Flushing())
    refresh.handler({"Records": [record("a")]}, None)
    assert flushed == ["flushed"]


def test_what_has_to_come_again_is_answered_by_its_id(taking: Taking) -> None:
    assert refresh.handler({"Records": [record("a")]}, None) == {"batchItemFailures": []}
    taking.again = ["a", "c"]
    answer = refresh.handler({"Records": [record("a"), record("b"), record("c")]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "c"}]}


def test_an_event_that_is_none_of_a_queue_is_a_failure_and_no_success(taking: Taking) -> None:
    with pytest.raises(KeyError):
        refresh.handler({}, None)
    assert taking.taken == []
