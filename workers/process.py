"""The refresh worker as a process: apply what is committed, watch the ranking's server, keep house."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from infra.pulse import Pulse, Told, emf_of, this_process
from infra.resources import worker_resources
from realtime.core.errors import RankcastError, RankingUnavailable, StoreUnavailable
from workers.metrics import numbers
from workers.refreshing import Refresh
from workers.studio import Studio, sweep
from workers.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from infra.ledger_postgres import PostgresLedger
    from infra.resources import WorkerResources
    from infra.settings import Settings
    from realtime.core.ports import Nodes
    from workers.metrics import Metrics

_WATCH_EVERY: Final = 1.0
_VERIFY_EVERY: Final = 30.0
_HOUSE_EVERY: Final = 600.0
_BACK_OFF: Final = 0.5
_SWEEP: Final = 5000

log = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Work until cancelled. Raises StoreUnavailable if there is no database to begin with."""
    async with worker_resources(settings) as resources:
        refresh = Refresh(
            resources.outbox, resources.ledger, resources.boards, resources.ranking, tracing=resources.tracing
        )
        watch = Watch(resources.sentinel, resources.ledger, refresh)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_apply(refresh, watch, resources, settings.poll))
                tasks.create_task(_every(_WATCH_EVERY, watch.look))
                # A quiet board may lose keys and nothing would be applied to it that finds out.
                tasks.create_task(_every(_VERIFY_EVERY, refresh.verify))
                tasks.create_task(
                    _every(settings.view_interval / 2, lambda: resources.ledger.refresh_view(settings.view_interval))
                )
                tasks.create_task(pulse_of(refresh.metrics, resources.nodes, settings).run())
                if resources.folder is not None:
                    studio = Studio(resources.folder, resources.players, tracing=resources.tracing)
                    tasks.create_task(_every(settings.poll, partial(sweep, studio, resources.folder)))
                    tasks.create_task(_every(_HOUSE_EVERY, resources.folder.forget))
                tasks.create_task(_every(_HOUSE_EVERY, lambda: keep_house(resources.ledger)))
        finally:
            await refresh.close()


def pulse_of(metrics: Metrics, nodes: Nodes, settings: Settings) -> Pulse:
    """How a worker tells of itself. Raises SettingInvalid."""
    node = this_process("worker", settings)

    async def look() -> None:
        """Everything is counted as it happens."""

    return Pulse(
        node,
        Told(collect=metrics.collect, numbers=numbers, look=look),
        nodes,
        every=settings.beat,
        emf=emf_of(node, settings),
        emf_every=settings.emf_every,
    )


async def _apply(refresh: Refresh, watch: Watch, resources: WorkerResources, poll: float) -> None:
    sure = False
    while True:
        try:
            if not sure:
                # Before the first batch, and after every broken connection: it may be another server by now.
                await watch.look()
                sure = True
            if not await refresh.step():
                await resources.listener.wait(poll)
        except (RankingUnavailable, StoreUnavailable) as error:
            sure = False
            log.warning("refresh waits", error=str(error))
            await asyncio.sleep(_BACK_OFF)


async def _every(seconds: float, act: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await act()
        except RankcastError as error:
            log.warning("put off", error=str(error))
        await asyncio.sleep(seconds)


async def keep_house(ledger: PostgresLedger) -> None:
    """Forget idempotency keys whose time is over, and the entries of boards that were deleted. Raises StoreUnavailable."""
    await ledger.forget_idempotency()
    while await ledger.sweep_deleted(_SWEEP) == _SWEEP:
        pass
