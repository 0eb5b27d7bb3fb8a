from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from infra.tracing import Told, Tracing, read, trace_id, written
from realtime.core.letters import Letter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

ROOT = "1-6553f100-0123456789abcdef01234567"
PARENT = "53995c3f42cd8ad8"
HEADER = f"Root={ROOT};Parent={PARENT};Sampled=1"
NUMBER = 0x6553F1000123456789ABCDEF01234567


class Collected(SpanExporter):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.closed = True


class Process:
    def __init__(self, **how: Any) -> None:
        self.collected = Collected()
        self.now = 0.0
        given: dict[str, Any] = {"share": 0.0, "rate": 1000, "clock": lambda: self.now}
        self.tracing = Tracing(self.collected, "rankcast-node", **given | how)

    def ended(self) -> list[ReadableSpan]:
        """The spans that have ended since the last time, in the order of their ends."""
        self.tracing.flush()
        spans, self.collected.spans = self.collected.spans, []
        return spans


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    yield made
    made.tracing.close()


# -- headers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (HEADER, Told(NUMBER, 0x53995C3F42CD8AD8, True)),
        (f"Root={ROOT}", Told(NUMBER)),
        (f"Root={ROOT};Sampled=0", Told(NUMBER, 0, False)),
        (f"Root={ROOT};Parent={PARENT};Sampled=?", Told(NUMBER, 0x53995C3F42CD8AD8)),
        (f"Self=1-67891234-12456789abcdef012345678; Sampled=1 ; Root={ROOT};Lineage=a:1", Told(NUMBER, 0, True)),
        (f"Root={ROOT};Parent=53995C3F;Sampled=1", Told(NUMBER, 0, True)),
        ("", None),
        ("Root=", None),
        ("Sampled=1", None),
        ("Root=1-6553f100-0123456789abcdef0123456", None),
        ("Root=1-6553f100-0123456789abcdef0123456g;Sampled=1", None),
        (f"Root={ROOT}\n;Sampled=1", Told(NUMBER, 0, True)),
        (f"Root={ROOT};" + "x=1;" * 100, None),
    ],
)
def test_a_header_says_which_trace_under_which_span_and_whether_it_is_wanted(header: str, told: Told | None) -> None:
    assert read(header) == told


@given(st.text(max_size=300))
def test_no_text_at_all_breaks_the_reader(text: str) -> None:
    assert read(text) is None or text.count("Root=")


# -- requests ------------------------------------------------------------------------------------------------------------


def test_a_request_goes_on_with_the_trace_it_came_with(process: Process) -> None:
    span = process.tracing.request(HEADER, board="race")
    assert span is not None
    with process.tracing.within(span):
        assert process.tracing.header() == written(span.get_span_context())
    (ended,) = process.ended()
    assert (ended.name, trace_id(ended.context)) == ("request", ROOT)
    assert ended.parent is not None
    assert (ended.parent.span_id, ended.parent.is_remote) == (0x53995C3F42CD8AD8, True)
    assert dict(ended.attributes or {}) == {"board": "race"}


def test_a_trace_that_a_load_balancer_named_has_no_span_above_ours(process: Process) -> None:
    for _ in range(2):
        span = process.tracing.request(f"Root={ROOT};Sampled=1")
        assert span is not None
        span.end()
    own = Process(share=1.0)
    begun = own.tracing.request(None)
    assert begun is not None
    begun.end()
    first, second = process.ended()
    (third,) = own.ended()
    assert (trace_id(first.context), first.parent) == (trace_id(second.context), second.parent) == (ROOT, None)
    assert third.context.trace_id >> 96 == pytest.approx(time.time(), abs=60), "of its own: it begins with the second"
    own.tracing.close()


def test_what_is_not_wanted_has_no_span() -> None:
    process = Process(share=0.25, chance=iter([0.24, 0.25, 0.26, 0.1]).__next__)
    assert [process.tracing.request(None) is not None for _ in range(3)] == [True, False, False]
    assert process.tracing.request(f"Root={ROOT};Sampled=0") is None
    assert process.tracing.request(HEADER) is not None, "whoever sends it has decided"
    assert process.tracing.request(f"Root={ROOT}") is not None, "and here it is left to us"
    assert process.tracing.header() is None
    process.tracing.close()


def test_whoever_asks_there_are_only_so_many_a_second() -> None:
    process = Process(rate=3)
    assert [process.tracing.request(HEADER) is not None for _ in range(5)] == [True] * 3 + [False] * 2
    process.now = 1.0
    assert process.tracing.request(HEADER) is not None
    process.tracing.close()


def test_within_a_span_its_parts_are_its_children_and_lines_name_the_trace(process: Process) -> None:
    with process.tracing.part("commit"):
        assert process.tracing.header() is None, "of nothing there is no part"
    span = process.tracing.request(HEADER)
    assert span is not None
    with process.tracing.within(span), process.tracing.part("commit", rows=3):
        assert structlog.contextvars.get_contextvars() == {"trace_id": ROOT}
    assert structlog.contextvars.get_contextvars() == {}
    part, request = process.ended()
    assert part.parent is not None
    assert (part.name, part.parent.span_id, part.parent.is_remote) == ("commit", request.context.span_id, False)


def test_a_failure_is_noted_and_goes_on(process: Process) -> None:
    span = process.tracing.request(HEADER)
    assert span is not None
    with pytest.raises(ZeroDivisionError), process.tracing.within(span):
        raise ZeroDivisionError
    (ended,) = process.ended()
    assert not ended.status.is_ok
    assert [event.name for event in ended.events] == ["exception"]


# -- going on ------------------------------------------------------------------------------------------------------------


def test_what_is_done_for_several_is_in_the_trace_of_each(process: Process) -> None:
    other = HEADER.replace("0123456789abcdef01234567", "f" * 24)
    with process.tracing.going_on("apply", [HEADER, "nonsense", other], changes=5) as header:
        assert header == process.tracing.header()
        assert header is not None
    first, second = process.ended()
    assert written(first.context) == header, "the first is what goes on"
    assert [trace_id(one.context) for one in (first, second)] == [ROOT, "1-6553f100-" + "f" * 24]
    assert all(dict(one.attributes or {}) == {"changes": 5} for one in (first, second))


def test_where_nobody_is_traced_nothing_goes_on(process: Process) -> None:
    with process.tracing.going_on("apply", []) as header:
        assert header is None
    with process.tracing.going_on("apply", ["nonsense"]) as header:
        assert header is None
    assert process.tracing.goes_on("push", "nonsense") is None
    assert process.ended() == []


def test_letters_go_on_from_the_span_of_their_sending(process: Process) -> None:
    sent = [Letter(1, b"a", None, 5), Letter(2, b"b", HEADER, 6), Letter(3, b"c", "nonsense")]
    with pytest.raises(ZeroDivisionError), process.tracing.sending(sent) as letters:
        raise ZeroDivisionError
    (span,) = process.ended()
    assert letters == [sent[0], sent[1]._replace(trace=written(span.context)), sent[2]]
    assert span.parent is not None
    assert (span.parent.span_id, dict(span.attributes or {})) == (0x53995C3F42CD8AD8, {"outbox_row": 2})


def test_at_the_end_what_waits_is_sent() -> None:
    process = Process()
    span = process.tracing.request(HEADER)
    assert span is not None
    span.end()
    process.tracing.close()
    assert (len(process.collected.spans), process.collected.closed) == (1, True)
