"""Spans to X-Ray: each is a document of its own, which X-Ray joins by the ids in it.

A span whose parent is in another process, or that has none, is a segment under the process's name; the others are its subsegments.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode

from infra.tracing import trace_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

_NANOSECONDS: Final = 1_000_000_000
_HTTP: Final = {"http.request.method": "method", "url.path": "url"}
_STATUS: Final = "http.response.status_code"
_NO_KEY: Final = re.compile(r"[^A-Za-z0-9_]")
_NO_NAME: Final = re.compile(r"[^\w\s.:/%&#=+\\\-@]")
_LONGEST: Final = 200
_CLIENT_ERROR: Final = 400
_THROTTLED: Final = 429
_SERVER_ERROR: Final = 500
_AWAY: Final = 10.0
"""Seconds for which nothing is sent after X-Ray did not answer: what comes meanwhile is dropped."""

log = structlog.get_logger()


class XRayExporter(SpanExporter):
    """Sends with a boto3 client, on whatever thread it is called. `clock` only goes on."""

    def __init__(self, client: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._away_until = 0.0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See the base. At most 50 spans."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only who is on AWS has loaded it

        if self._clock() < self._away_until:
            return SpanExportResult.FAILURE
        documents = [orjson.dumps(document(span)).decode() for span in spans]
        try:
            answer = self._client.put_trace_segments(TraceSegmentDocuments=documents)
        except (BotoCoreError, ClientError, OSError) as error:
            self._away_until = self._clock() + _AWAY
            log.warning("traces are dropped", error=f"{type(error).__name__}: {error}")
            return SpanExportResult.FAILURE
        if refused := answer.get("UnprocessedTraceSegments"):
            log.warning("traces are refused", spans=len(refused), code=refused[0].get("ErrorCode"))
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """See the base."""
        self._client.close()


def document(span: ReadableSpan) -> dict[str, Any]:
    """A span as X-Ray's segment document."""
    context, parent = span.context, span.parent
    if context is None:
        raise ValueError("a span that was begun has a context")
    inner = parent is not None and not parent.is_remote
    attributes = dict(span.attributes or {})
    made: dict[str, Any] = {
        "name": _NO_NAME.sub("", span.name if inner else str(span.resource.attributes["service.name"]))[:_LONGEST],
        "id": f"{context.span_id:016x}",
        "trace_id": trace_id(context),
        "start_time": (span.start_time or 0) / _NANOSECONDS,
        "end_time": (span.end_time or 0) / _NANOSECONDS,
    }
    if parent is not None:
        made["parent_id"] = f"{parent.span_id:016x}"
    if inner:
        made["type"] = "subsegment"
    made |= _http(attributes) | _trouble(span, attributes.pop(_STATUS, None))
    return made | {
        "annotations": {"operation": span.name} | {_NO_KEY.sub("_", key): value for key, value in attributes.items()}
    }


def _http(attributes: dict[str, Any]) -> dict[str, Any]:
    request = {field: attributes.pop(name) for name, field in _HTTP.items() if name in attributes}
    if not request:
        return {}
    http: dict[str, Any] = {"request": request}
    if _STATUS in attributes:
        http["response"] = {"status": attributes[_STATUS]}
    return {"http": http}


def _trouble(span: ReadableSpan, status: Any) -> dict[str, Any]:
    """What went wrong: on the caller's side (`error`), or on ours (`fault`)."""
    trouble: dict[str, Any] = {}
    if isinstance(status, int) and status >= _CLIENT_ERROR:
        trouble["fault" if status >= _SERVER_ERROR else "error"] = True
        if status == _THROTTLED:
            trouble["throttle"] = True
    elif span.status.status_code is StatusCode.ERROR:
        trouble["fault"] = True
    raised = [
        {
            "id": f"{index:016x}",
            "type": str(event.attributes.get("exception.type", "")),
            "message": str(event.attributes.get("exception.message", ""))[:_LONGEST],
        }
        for index, event in enumerate(span.events)
        if event.name == "exception" and event.attributes is not None
    ]
    return trouble | ({"cause": {"exceptions": raised}} if raised else {})
