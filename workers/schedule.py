"""What has to be done without being asked, as a function on AWS, called every minute: `workers.schedule.handler`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog

from realtime.core.errors import RankcastError
from workers.function import KEPT, seconds
from workers.process import keep_house

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from workers.function import Context, Functions

_SWEEP: Final = 45.0
"""Seconds of sending at the most: the next minute goes on."""

log = structlog.get_logger()


def handler(_: object, context: Context | None) -> dict[str, Any]:
    """Do all that is due; answers what was done. Raises the first failure, after everything else was done all the same."""
    return KEPT.run(lambda parts: keep(parts, seconds(context)))


async def keep(parts: Functions, limit: float) -> dict[str, Any]:
    """Send what was left in the outbox, verify the servers and every board, refresh the view, keep house; within `limit` seconds."""
    resources = parts.resources
    duties: dict[str, Coroutine[Any, Any, object]] = {
        "relayed": resources.relay.drain(min(_SWEEP, limit)),
        "whole": _verify(parts),
        "view": resources.ledger.refresh_view(parts.view_interval),
        "house": keep_house(resources.ledger),
    }
    try:
        async with asyncio.timeout(limit):
            outcomes = await asyncio.gather(*duties.values(), return_exceptions=True)
    finally:
        await parts.refresh.close()
    done = dict(zip(duties, outcomes, strict=True))
    failures = {name: outcome for name, outcome in done.items() if isinstance(outcome, BaseException)}
    for name, failure in failures.items():
        log.error("put off", duty=name, error=str(failure))
    for failure in sorted(failures.values(), key=lambda one: isinstance(one, RankcastError)):
        # A defect before an outage.
        raise failure
    return done


async def _verify(parts: Functions) -> bool:
    """Whether every board was whole; those that were not are rebuilt."""
    await parts.watch.look()
    whole = await parts.refresh.verify()
    await parts.refresh.settle_rebuilds()
    return whole
