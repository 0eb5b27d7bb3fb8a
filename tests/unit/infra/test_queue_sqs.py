from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from infra import queue_sqs
from infra.queue_sqs import SqsQueue
from realtime.core.errors import QueueUnavailable
from realtime.core.letters import Letter, unpack

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


class Service:
    """Answers calls of one kind by turns: with the ids that it refuses, or with an error."""

    def __init__(self, *turns: list[str] | Exception) -> None:
        self.turns = list(turns)
        self.calls: list[list[str]] = []
        self.entries: list[dict[str, Any]] = []

    async def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        assert operation == "send_message_batch"
        self.calls.append([entry["MessageBody"] for entry in arguments["Entries"]])
        self.entries += arguments["Entries"]
        turn = self.turns.pop(0)
        if isinstance(turn, Exception):
            raise turn
        return {"Failed": [{"Id": one, "Code": "InternalError", "SenderFault": False} for one in turn]}


def queue(service: Service, tries: int = 3, message: int = 120) -> SqsQueue:
    client: Any = service
    return SqsQueue(client, "url", "dead", message=message, tries=tries)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_sqs, "full_jitter", lambda *_: 0.0)


def letters(count: int) -> list[Letter]:
    """Each of them fills a message."""
    return [Letter(number, b"x" * 60) for number in range(1, count + 1)]


def numbers(bodies: list[str]) -> list[int]:
    return [letter.id for body in bodies for letter in unpack(body)]


async def test_a_partial_failure_is_sent_again_without_the_rest() -> None:
    service = Service(["1", "3"], ["1"], [])
    sent = queue(service)
    assert await sent.send(letters(5)) == []
    assert [numbers(bodies) for bodies in service.calls] == [[1, 2, 3, 4, 5], [2, 4], [4]]
    assert (sent.sent, sent.refused) == (5, 3)


async def test_what_is_refused_too_often_is_not_taken() -> None:
    service = Service(["0"], ["0"], ["0"])
    assert await queue(service).send(letters(2)) == [1]
    assert len(service.calls) == 3


async def test_a_call_that_fails_takes_nothing_of_it_and_the_others_go_on() -> None:
    away = EndpointConnectionError(endpoint_url="http://away")
    service = Service([], away, [])
    sent = queue(service)
    left = await sent.send(letters(25))
    assert len(left) in (5, 10)
    assert len(service.calls) == 3
    assert sent.sent + sent.refused == 25
    assert sent.refused == len(left)


async def test_what_was_refused_once_and_then_met_an_absent_service_is_not_taken() -> None:
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SendMessageBatch")
    assert await queue(Service(["1"], denied)).send(letters(3)) == [2]


@pytest.mark.parametrize(
    "error", [TimeoutError(), ConnectionResetError(), EndpointConnectionError(endpoint_url="http://away")]
)
async def test_every_way_of_being_away_is_unavailable(error: Exception) -> None:
    with pytest.raises(QueueUnavailable, match="SQS"), queue_sqs.wrapped():
        raise error


async def test_a_defect_is_no_outage() -> None:
    with pytest.raises(ZeroDivisionError):
        await queue(Service(ZeroDivisionError())).send(letters(1))


async def headers(*sent: Letter) -> list[Any]:
    """The trace header of each message.

    Both emulators drop it from the messages of a batch, so what is sent is looked at: whether SQS takes it in this shape boto3
    checks whenever a letter with a trace is sent (tests/contract/test_queue.py).
    """
    service = Service([])
    assert await queue(service, message=1000).send(sent) == []
    return [entry.get("MessageSystemAttributes") for entry in service.entries]


async def test_a_message_carries_the_trace_of_its_first_letter_that_has_one() -> None:
    header = {"AWSTraceHeader": {"DataType": "String", "StringValue": TRACE}}
    assert await headers(Letter(1, b"a"), Letter(2, b"b", TRACE), Letter(3, b"c", TRACE.replace("d", "e"))) == [header]
    assert await headers(Letter(1, b"a")) == [None]


@pytest.mark.parametrize("trace", ["", "hello", "Root=1-a b", "Root=" + "x" * 300, "Root=1-5\n", "Root=1-ä"])
async def test_a_trace_that_sqs_would_refuse_does_not_keep_the_letter(trace: str) -> None:
    assert await headers(Letter(1, b"a", trace)) == [None]
