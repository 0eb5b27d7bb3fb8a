"""`python -m workers`: the refresh worker of one machine, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
import sys

import uvloop

from infra.logs import configure
from infra.settings import Settings
from realtime.core.errors import RankcastError
from workers.process import run


async def _main() -> None:
    settings = Settings.load()
    configure()
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - we are in one
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, task.cancel)
    await run(settings)


def main() -> int:
    """Run; the exit code."""
    try:
        uvloop.run(_main())
    except asyncio.CancelledError:
        return 0
    except RankcastError as error:
        print(f"rankcast worker: {error}", file=sys.stderr)  # noqa: T201 - the last word of a process
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
