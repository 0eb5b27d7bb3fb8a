from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from opentelemetry.sdk.trace.export import SpanExportResult

from infra.traces_xray import XRayExporter, document
from infra.tracing import Tracing
from tests.unit.infra.test_tracing import HEADER, PARENT, ROOT, Process

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


def ended(**attributes: Any) -> dict[str, Any]:
    """The document of a request that ended so."""
    process = Process()
    span = process.tracing.request(HEADER)
    assert span is not None
    for name, value in attributes.items():
        span.set_attribute(name.replace("__", "."), value)
    span.end()
    (one,) = process.ended()
    process.tracing.close()
    return document(one)


def test_a_request_is_a_segment_under_the_name_of_its_process() -> None:
    made = ended(
        http__request__method="POST", url__path="/v1/boards/b/scores", http__response__status_code=200, http__route="/r"
    )
    assert made.pop("end_time") >= made.pop("start_time") > 1_700_000_000
    assert len(made.pop("id")) == 16
    assert made == {
        "name": "rankcast-node",
        "trace_id": ROOT,
        "parent_id": PARENT,
        "http": {"request": {"method": "POST", "url": "/v1/boards/b/scores"}, "response": {"status": 200}},
        "annotations": {"operation": "request", "http_route": "/r"},
    }


def test_a_part_is_a_subsegment_that_is_sent_for_itself() -> None:
    process = Process()
    span = process.tracing.request(HEADER)
    assert span is not None
    with process.tracing.within(span), process.tracing.part("commit <b>", rows=3):
        pass
    part, request = map(document, process.ended())
    process.tracing.close()
    assert (part["type"], part["name"], part["parent_id"], part["trace_id"]) == (
        *("subsegment", "commit b", request["id"]),
        request["trace_id"],
    )
    assert part["annotations"] == {"operation": "commit <b>", "rows": 3}
    assert "http" not in part


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (200, set()),
        (304, set()),
        (404, {"error"}),
        (429, {"error", "throttle"}),
        (500, {"fault"}),
        (503, {"fault"}),
    ],
)
def test_who_is_to_blame_is_told_by_the_status(status: int, trouble: set[str]) -> None:
    made = ended(http__request__method="GET", http__response__status_code=status)
    assert {name for name in ("error", "throttle", "fault") if made.get(name)} == trouble


def test_a_failure_is_a_fault_with_its_cause() -> None:
    process = Process()
    span = process.tracing.request(HEADER)
    assert span is not None
    with pytest.raises(ZeroDivisionError), process.tracing.within(span):
        raise ZeroDivisionError("x" * 1000)
    made = document(process.ended()[0])
    process.tracing.close()
    (cause,) = made["cause"]["exceptions"]
    assert made["fault"] is True
    assert (cause["type"], cause["message"], len(cause["id"])) == ("ZeroDivisionError", "x" * 200, 16)


# -- sending -------------------------------------------------------------------------------------------------------------


class Client:
    def __init__(self) -> None:
        self.sent: list[list[dict[str, Any]]] = []
        self.failure: Exception | None = None
        self.unprocessed: list[dict[str, Any]] = []
        self.tries = 0
        self.closed = False

    def put_trace_segments(self, *, TraceSegmentDocuments: list[str]) -> dict[str, Any]:  # noqa: N803 - as boto3 has it
        self.tries += 1
        if self.failure is not None:
            raise self.failure
        self.sent.append([json.loads(one) for one in TraceSegmentDocuments])
        return {"UnprocessedTraceSegments": self.unprocessed}

    def close(self) -> None:
        self.closed = True


def spans(count: int) -> list[ReadableSpan]:
    process = Process()
    for _ in range(count):
        span = process.tracing.request(HEADER)
        assert span is not None
        span.end()
    made = process.ended()
    process.tracing.close()
    return made


def test_spans_are_sent_as_documents_and_no_more_at_once_than_x_ray_takes() -> None:
    client = Client()
    tracing = Tracing(XRayExporter(client), "rankcast-node", share=0.0, rate=1000)
    for _ in range(120):
        span = tracing.request(HEADER)
        assert span is not None
        span.end()
    tracing.close()
    assert sum(map(len, client.sent)) == 120
    assert max(map(len, client.sent)) <= 50
    assert client.closed


@pytest.mark.parametrize(
    "failure",
    [
        EndpointConnectionError(endpoint_url="http://127.0.0.1:9"),
        ClientError({"Error": {"Code": "ThrottledException", "Message": ""}}, "PutTraceSegments"),
        TimeoutError(),
    ],
)
def test_while_x_ray_is_away_spans_are_dropped_without_asking_each_time(failure: Exception) -> None:
    client, now = Client(), [100.0]
    exporter = XRayExporter(client, clock=lambda: now[0])
    client.failure = failure
    for _ in range(3):
        assert exporter.export(spans(1)) is SpanExportResult.FAILURE
    assert client.tries == 1
    client.failure = None
    now[0] += 10.1
    assert exporter.export(spans(1)) is SpanExportResult.SUCCESS
    assert len(client.sent) == 1


def test_what_x_ray_refuses_is_said_and_not_sent_again() -> None:
    client = Client()
    client.unprocessed = [{"Id": "a", "ErrorCode": "MissingParam"}]
    assert XRayExporter(client).export(spans(2)) is SpanExportResult.SUCCESS
    assert client.tries == 1
