"""What became of one request, from process to process: OpenTelemetry's spans under X-Ray's ids.

Imported only where traces are asked for: whoever has none holds None in its place, and asks no more than that. A request that is
not traced has no span at all. What travels is a header as X-Ray has it (`Root=…;Parent=…;Sampled=1`): opaque text to everybody else.
"""

from __future__ import annotations

import random
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags
from structlog.contextvars import bound_contextvars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from opentelemetry.sdk.trace.export import SpanExporter

    from realtime.core.letters import Letter

_ROOT: Final = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_PARENT: Final = re.compile(r"[0-9a-f]{16}")
_LONGEST: Final = 256
_RANDOM_BITS: Final = 96
_WAITING: Final = 2048
"""Spans that wait to be sent; past it they are dropped."""
BATCH: Final = 50
"""Spans sent at once: X-Ray takes no more in a call."""
_SEND_EVERY: Final = 1000
"""Milliseconds."""


class Told(NamedTuple):
    """A header as it was read. `parent` is 0 where it names none, `sampled` None where that is left to us."""

    root: int
    parent: int = 0
    sampled: bool | None = None


def read(header: str) -> Told | None:
    """What a header says; None for one that is none."""
    if len(header) > _LONGEST:
        return None
    fields = dict(part.strip().split("=", 1) for part in header.split(";") if "=" in part)
    root = _ROOT.fullmatch(fields.get("Root", ""))
    if root is None:
        return None
    parent = _PARENT.fullmatch(fields.get("Parent", ""))
    sampled = {"0": False, "1": True}.get(fields.get("Sampled", ""))
    return Told(int(root[1] + root[2], 16), int(parent[0], 16) if parent else 0, sampled)


def written(context: SpanContext) -> str:
    """The header that makes others go on with a span."""
    return f"Root={trace_id(context)};Parent={context.span_id:016x};Sampled=1"


def trace_id(context: SpanContext) -> str:
    """A trace's id as X-Ray writes it."""
    digits = f"{context.trace_id:032x}"
    return f"1-{digits[:8]}-{digits[8:]}"


class _Ids(RandomIdGenerator):
    """X-Ray's ids: they begin with the second in which the trace began. One that came from outside may be adopted once."""

    def __init__(self) -> None:
        self.adopted = 0

    def generate_trace_id(self) -> int:
        adopted, self.adopted = self.adopted, 0
        return adopted or (int(time.time()) << _RANDOM_BITS) | random.getrandbits(_RANDOM_BITS)


class Tracing:
    """The spans of one process, which is called `service`.

    Of requests that come without a decision a `share` is traced; in one second at most `rate`, whoever decided. Spans are handed to
    `exporter` on a thread of its own, and dropped where it does not keep up.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        service: str,
        *,
        share: float,
        rate: int,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ids = _Ids()
        self._provider = TracerProvider(
            resource=Resource({"service.name": service}),
            id_generator=self._ids,
            sampler=ALWAYS_ON,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=_WAITING,
                schedule_delay_millis=_SEND_EVERY,
                max_export_batch_size=BATCH,
                export_timeout_millis=_SEND_EVERY,
            )
        )
        self._tracer = self._provider.get_tracer("rankcast")
        self._share = share
        self._rate = rate
        self._chance = chance
        self._clock = clock
        self._second = 0
        self._begun = 0

    # -- requests ------------------------------------------------------------------------------------------------------

    def request(self, header: str | None, name: str = "request", **attributes: Any) -> Span | None:
        """A span for what was asked for with this header; None where it is not to be traced. Whoever takes it ends it."""
        told = read(header) if header else None
        decided = told.sampled if told is not None else None
        if not (self._chance() < self._share if decided is None else decided) or not self._has_room():
            return None
        return self._start(name, told, SpanKind.SERVER, attributes)

    def _has_room(self) -> bool:
        second = int(self._clock())
        if second != self._second:
            self._second, self._begun = second, 0
        self._begun += 1
        return self._begun <= self._rate

    @contextmanager
    def within(self, span: Span) -> Iterator[Span]:
        """What is done within a span; it ends with that. Log lines name the trace."""
        with (
            bound_contextvars(trace_id=trace_id(span.get_span_context())),
            trace.use_span(span, end_on_exit=True),
        ):
            yield span

    @contextmanager
    def part(self, name: str, **attributes: Any) -> Iterator[None]:
        """A part of what is being done; nothing where that is not traced."""
        if self.header() is None:
            yield
            return
        with self._tracer.start_as_current_span(name, kind=SpanKind.INTERNAL, attributes=attributes):
            yield

    def header(self) -> str | None:
        """The header by which others go on with what is being done; None where it is not traced."""
        context = trace.get_current_span().get_span_context()
        return written(context) if context.is_valid and context.trace_flags.sampled else None

    # -- going on ------------------------------------------------------------------------------------------------------

    def goes_on(self, name: str, header: str, **attributes: Any) -> Span | None:
        """A span that goes on where another process was; None where the header names none. Whoever takes it ends it."""
        told = read(header)
        return self._start(name, told, SpanKind.CONSUMER, attributes) if told is not None else None

    @contextmanager
    def going_on(self, name: str, headers: Iterable[str], **attributes: Any) -> Iterator[str | None]:
        """What is done for several at once, a span for each; the first of them is what goes on from here: its header."""
        found = (self.goes_on(name, header, **attributes) for header in headers)
        spans = [span for span in found if span is not None]
        if not spans:
            yield None
            return
        try:
            with self.within(spans[0]):
                yield self.header()
        finally:
            for span in spans[1:]:
                span.end()

    @contextmanager
    def sending(self, letters: Sequence[Letter]) -> Iterator[list[Letter]]:
        """A span for each letter that is traced, from which whoever opens it goes on."""
        spans: list[Span] = []
        traced = []
        for letter in letters:
            span = self.goes_on("send", letter.trace, outbox_row=letter.id) if letter.trace else None
            if span is not None:
                spans.append(span)
                letter = letter._replace(trace=written(span.get_span_context()))  # noqa: PLW2901 - the same, traced on
            traced.append(letter)
        try:
            yield traced
        finally:
            for span in spans:
                span.end()

    def _start(self, name: str, told: Told | None, kind: SpanKind, attributes: dict[str, Any]) -> Span:
        context = Context()
        if told is not None and told.parent:
            remote = SpanContext(told.root, told.parent, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
            context = trace.set_span_in_context(NonRecordingSpan(remote), context)
        elif told is not None:
            # A load balancer names the trace, and no span of its own.
            self._ids.adopted = told.root
        return self._tracer.start_span(name, context, kind, attributes)

    # -- the end -------------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Send what waits. Blocks, for as long as the exporter does."""
        self._provider.force_flush()

    def close(self) -> None:
        """Likewise, and be done."""
        self._provider.shutdown()
