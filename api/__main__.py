"""`python -m api`: one API node, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
import uvloop

from api.app import application
from api.server import config
from infra.logs import configure
from infra.settings import Settings
from realtime.core.errors import RankcastError, SettingInvalid

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager

_GC_THRESHOLD = 20_000


class _Server(uvicorn.Server):
    """uvicorn, silent while it starts: why it could not, `main` says in one line."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop where a signal asks for it. Who has stopped as asked ends well: uvicorn would raise the signal once more."""
        with super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen. Exits where it cannot."""
        logger = logging.getLogger("uvicorn.error")
        logger.disabled = True
        try:
            await super().startup(sockets)
        finally:
            logger.disabled = False


@asynccontextmanager
async def _noting(life: AbstractAsyncContextManager[Any], failures: list[Exception]) -> AsyncIterator[None]:
    """A life whose failure is noted: uvicorn keeps no more than that there was one."""
    try:
        async with life:
            yield
    except Exception as error:
        failures.append(error)
        raise


async def serve(settings: Settings) -> bool:
    """Serve until told to stop; whether all went well. Raises SettingInvalid for a taken port, StoreUnavailable."""
    dead: list[bool] = []
    failures: list[Exception] = []

    def died() -> None:
        dead.append(True)
        server.should_exit = True

    app = application(settings, died)
    lifespan = app.router.lifespan_context
    app.router.lifespan_context = lambda app: _noting(lifespan(app), failures)
    server = _Server(config(app, settings))
    # Requests leave no cycles behind; the collector would walk millions of live objects to find that out again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 50)
    try:
        await server.serve()
    except SystemExit as error:
        if failures:
            raise failures[0] from None
        raise SettingInvalid(f"port {settings.port} on {settings.host} is taken or not allowed") from error
    return server.started and not dead


def main() -> int:
    """Run; the exit code."""
    try:
        settings = Settings.load()
        configure()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return 0 if runner.run(serve(settings)) else 1
    except RankcastError as error:
        print(f"rankcast node: {error}", file=sys.stderr)  # noqa: T201 - the last word of a process
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
