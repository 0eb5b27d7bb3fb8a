"""The function on AWS that S3 calls with every upload: `workers.pictures.handler`."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

import structlog

from infra.resources import picture_resources
from infra.settings import invocation_trace
from realtime.core.errors import PictureRefused
from realtime.core.pictures import upload_of
from workers.function import Kept, seconds
from workers.studio import Studio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from infra.relay import Relay
    from infra.settings import Settings
    from infra.tracing import Tracing
    from workers.function import Context

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Parts:
    studio: Studio
    relay: Relay
    tracing: Tracing | None


@asynccontextmanager
async def _parts(settings: Settings) -> AsyncIterator[_Parts]:
    async with picture_resources(settings) as resources:
        studio = Studio(resources.pictures, resources.players, tracing=resources.tracing)
        yield _Parts(studio, resources.relay, resources.tracing)


KEPT: Final = Kept(_parts)


def handler(event: dict[str, Any], context: Context | None) -> dict[str, int]:
    """Take the uploads that S3 tells of. Raises PicturesUnavailable and StoreUnavailable: then it is called again."""
    return KEPT.run(lambda parts: _take(parts, event, seconds(context)))


async def _take(parts: _Parts, event: dict[str, Any], limit: float) -> dict[str, int]:
    try:
        async with asyncio.timeout(limit):
            return {"shown": await _look(parts, event, limit)}
    finally:
        if parts.tracing is not None:
            # Between two invocations nothing runs that could send it.
            await asyncio.to_thread(parts.tracing.flush)


async def _look(parts: _Parts, event: dict[str, Any], limit: float) -> int:
    """How many of the uploads are shown."""
    shown = 0
    for told in event.get("Records", ()):
        # S3 writes keys as a form would.
        key = unquote_plus(told["s3"]["object"]["key"])
        try:
            shown += await parts.studio.take(upload_of(key), invocation_trace())
        except PictureRefused as refusal:
            log.warning("no upload", key=key, reason=str(refusal))
    # Now, and not at the next sweep of a node.
    await parts.relay.drain(limit)
    return shown
