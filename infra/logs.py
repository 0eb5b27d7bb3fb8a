"""Log lines: one JSON object each on standard error, our own and the libraries'.

What is bound to the context goes into each line: within a span its `trace_id` (`infra/tracing.py`).
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from structlog.typing import Processor

_ALL: Final[tuple[Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
)


def configure() -> None:
    """Send structlog's lines, and the libraries' warnings, to standard error as JSON."""
    rendered = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*_ALL, rendered],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_ALL],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, rendered],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.WARNING)
