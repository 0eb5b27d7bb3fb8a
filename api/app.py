"""The application of one node: routes as data, and what lives as long as it does."""

from __future__ import annotations

import asyncio
import math
import random
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute

from api import boards, dead_letters, events, files, health, live, pictures, players, problems, reads, scores, status
from api.cross_origin import cross_origin
from api.door import Door
from api.editions import Editions
from api.metrics import Metrics, numbers
from api.service import Service
from api.traced import Traced, spanned
from infra.batcher import Batcher
from infra.pictures_folder import FolderPictures
from infra.pulse import Pulse, Told, emf_of, this_process
from infra.resources import node_resources
from realtime.core.errors import RankcastError
from realtime.gateway.directory import Directory
from realtime.gateway.fanout import Fanout
from realtime.gateway.followed import Shell
from realtime.gateway.hub import Hub
from realtime.gateway.speedups import choose
from realtime.gateway.watch import Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from infra.resources import NodeResources
    from infra.settings import Settings
    from realtime.gateway.pushing import Pushing

_CANCEL_AGAIN: Final = 1.0

log = structlog.get_logger()

ROUTES = [
    Route("/v1/boards/{board}/scores", scores.SubmitEndpoint(), methods=["POST"]),
    Route("/v1/boards/{board}/top", reads.TopEndpoint(), methods=["GET"]),
    Route("/v1/boards/{board}/players", reads.find),
    Route("/v1/boards/{board}/players/{player}", reads.player),
    Route("/v1/boards/{board}/players/{player}", players.remove, methods=["DELETE"]),
    Route("/v1/boards/{board}/players/{player}/around", reads.around),
    Route("/v1/boards/{board}/players/{player}/age", reads.age),
    Route("/v1/boards/{board}/ranks", reads.ranks, methods=["POST"]),
    Route("/v1/boards/{board}/scores/batch", scores.submit_batch, methods=["POST"]),
    WebSocketRoute("/v1/live", live.live),
    Route("/v1/live", live.without_upgrade),
    Route("/v1/boards/{board}/live", events.live),
    Route("/v1/boards", boards.listed),
    Route("/v1/boards/{board}", boards.show),
    Route("/v1/boards/{board}", boards.put, methods=["PUT"]),
    Route("/v1/boards/{board}", boards.delete, methods=["DELETE"]),
    Route("/v1/players/{player}", players.put, methods=["PUT"]),
    Route("/v1/players/{player}/image", pictures.ticket, methods=["POST"]),
    Route("/v1/players/{player}/image", pictures.state),
    Route("/v1/uploads", pictures.upload, methods=["POST"]),
    Route("/pictures/{player}/{upload}/{size}", pictures.picture),
    Route("/v1/status", status.status),
    Route("/v1/dead-letters", dead_letters.listed),
    Route("/v1/dead-letters/redrive", dead_letters.redrive, methods=["POST"]),
    Route("/healthz", health.healthz),
    Route("/readyz", health.readyz),
    Route("/metrics", health.metrics),
    Route("/openapi.json", files.openapi),
    Route("/asyncapi.json", files.asyncapi),
    *files.ROUTES,
]


def application(settings: Settings, died: Callable[[], None]) -> Starlette:
    """The node's application; `died` is called when a background task has failed and the process must stop."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with node_resources(settings) as resources:
            tasks = Tasks(died)
            app.state.service = service = assemble(settings, resources, tasks)
            hub = service.hub
            app.state.answering = hub.shell.fanout.answering
            app.state.door = service.door
            app.state.pulse = pulse = pulse_of(service)
            for part in (resources.bell.run(), resources.bus.run(), hub.run(), hub.watch.run(), pulse.run()):
                tasks.spawn(part)
            try:
                yield
            finally:
                await service.batcher.close()
                await resources.bell.flush()
                await tasks.close()

    return Starlette(
        routes=ROUTES,
        lifespan=lifespan,
        middleware=[*([Middleware(Traced)] if settings.traces else []), cross_origin(settings.origins)],
        exception_handlers={
            RankcastError: problems.on_rankcast_error,
            HTTPException: problems.on_http_error,
            Exception: problems.on_crash,
        },
    )


def assemble(settings: Settings, resources: NodeResources, tasks: Tasks) -> Service:
    """Put a node together."""
    directory = Directory(resources.boards)
    metrics = Metrics()
    told = metrics.pushing if resources.tracing is None else spanned(metrics.pushing, resources.tracing)
    hub = _hub(settings, resources, directory, tasks, told)

    def committed(rows: int) -> None:
        metrics.batch_rows.observe(rows)
        resources.bell.ring()

    return Service(
        settings=settings,
        identity=resources.identity,
        boards=resources.boards,
        players=resources.players,
        ranking=resources.ranking,
        fallback=resources.fallback,
        pictures=resources.pictures,
        folder=resources.pictures if isinstance(resources.pictures, FolderPictures) else None,
        dead_letters=resources.dead_letters,
        directory=directory,
        editions=Editions(directory),
        metrics=metrics,
        rang=resources.bell.ring,
        batcher=Batcher(
            resources.submissions,
            size=settings.batch_size,
            in_flight=settings.batches_in_flight,
            limit=settings.queue_limit,
            committed=committed,
        ),
        hub=hub,
        door=Door(settings, hub, hub.watch, tasks.spawn),
        nodes=resources.nodes,
        tracing=resources.tracing,
        outbox=resources.outbox,
    )


def pulse_of(service: Service) -> Pulse:
    """How the node tells of itself. Raises SettingInvalid."""
    settings, metrics = service.settings, service.metrics
    node = this_process("node", settings)

    async def look() -> None:
        try:
            metrics.backlog(*await service.outbox.backlog())
        except RankcastError:
            metrics.backlog(math.nan, math.nan)

    return Pulse(
        node,
        Told(collect=lambda: metrics.collect(service), numbers=numbers, look=look),
        service.nodes,
        every=settings.beat,
        emf=emf_of(node, settings),
        emf_every=settings.emf_every,
    )


def _hub(settings: Settings, resources: NodeResources, directory: Directory, tasks: Tasks, pushing: Pushing) -> Hub:
    speedups = choose(settings.speedups)
    shell = Shell(
        ranking=resources.ranking,
        bus=resources.bus,
        fanout=Fanout(speedups.send_frames),
        tracker=speedups.tracker,
        spawn=tasks.spawn,
        tick=settings.tick_ms / 1000,
        clock=_unix_time,
        speedups=speedups.name,
        pushing=pushing,
    )
    watch = Watch(
        heartbeat=settings.heartbeat,
        drain_window=settings.drain_window,
        clock=_unix_time,
        chance=random.Random().random,  # noqa: S311 - spreads waits, no secret
    )
    return Hub(
        directory,
        shell,
        resources.identity,
        watch,
        check_every=settings.check_every,
        patience=settings.subscribe_timeout,
        read_interest=settings.read_interest,
        max_topics=settings.max_topics,
        heartbeat=settings.heartbeat,
    )


def _unix_time() -> int:
    return int(time.time())


class Tasks:
    """Owns the node's background tasks. One that dies takes the process with it: half a node is worse than none."""

    def __init__(self, died: Callable[[], None]) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._died = died

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Start and own a task."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("a background task died", exc_info=error)
            self._died()

    async def close(self) -> None:
        """Cancel and await all; again where a cancellation got lost, as it can in a library that was just about to return."""
        while tasks := list(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_CANCEL_AGAIN)
