"""What a function on AWS keeps from one invocation to the next: a loop, and everything that is open on it."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

import uvloop

from infra.logs import configure
from infra.resources import function_resources
from infra.settings import Settings
from workers.deliveries import Deliveries
from workers.process import pulse_of
from workers.refreshing import Refresh
from workers.watch import Watch

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from infra.pulse import Pulse
    from infra.resources import FunctionResources

Parts = TypeVar("Parts")
Result = TypeVar("Result")

_MARGIN: Final = 5.0
"""Seconds kept for what comes after the work: putting messages off, burying them, answering."""
_UNBOUNDED: Final = 60.0
_MILLISECONDS: Final = 1000


class Context(Protocol):
    """What AWS tells a function about an invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is cut off."""
        ...


def seconds(context: Context | None) -> float:
    """How long an invocation may work. Without a context (by hand) a minute."""
    if context is None:
        return _UNBOUNDED
    left = context.get_remaining_time_in_millis() / _MILLISECONDS
    return max(left - _MARGIN, left / 2)


class Kept(Generic[Parts]):
    """Parts that the first invocation opens and the next ones find open, on a loop that runs only while one is at work."""

    def __init__(self, opened: Callable[[Settings], AbstractAsyncContextManager[Parts]]) -> None:
        self._opened = opened
        self._stack = AsyncExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._parts: Parts | None = None

    def run(self, work: Callable[[Parts], Coroutine[Any, Any, Result]]) -> Result:
        """Do the work of an invocation. Raises what opening or the work raises; what did not open is opened by the next one."""
        if self._loop is None:
            configure()
            self._loop = uvloop.new_event_loop()
        return self._loop.run_until_complete(self._work(work))

    async def _work(self, work: Callable[[Parts], Coroutine[Any, Any, Result]]) -> Result:
        if self._parts is None:
            self._parts = await self._stack.enter_async_context(self._opened(Settings.load()))
        return await work(self._parts)

    def close(self) -> None:
        """Close everything: nobody tells a function that it is over, but a test does."""
        loop, self._loop, self._parts = self._loop, None, None
        if loop is not None:
            loop.run_until_complete(self._stack.aclose())
            loop.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """What the refresh and the schedule work with."""

    resources: FunctionResources
    refresh: Refresh
    watch: Watch
    deliveries: Deliveries
    pulse: Pulse
    view_interval: float


@asynccontextmanager
async def functions(settings: Settings) -> AsyncIterator[Functions]:
    """Put them together. Raises SettingInvalid where there is no queue."""
    async with function_resources(settings) as resources:
        refresh = Refresh(
            resources.outbox, resources.ledger, resources.boards, resources.ranking, tracing=resources.tracing
        )
        watch = Watch(resources.sentinel, resources.ledger, refresh)
        deliveries = Deliveries(
            refresh,
            watch,
            resources.outbox,
            resources.queue,
            resend_after=settings.resend_after,
            chance=random.random,
        )
        yield Functions(
            resources=resources,
            refresh=refresh,
            watch=watch,
            deliveries=deliveries,
            pulse=pulse_of(refresh.metrics, resources.nodes, settings),
            view_interval=settings.view_interval,
        )


KEPT: Final = Kept(functions)
