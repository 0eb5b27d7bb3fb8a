"""Viewers in a process of their own: `python -m tests.benchmarks.viewers '<json>'` with url, subscribe, viewers, seconds.

Every score is the moment of its sending (nanoseconds of the machine's monotonic clock), so a frame tells how old it is. All
viewers read; a few also look, so that the looking does not become what is measured. Prints the ages in milliseconds as JSON.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any

import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

LOOKING = 10
_SCORE = re.compile(rb'"score":(\d{10,})')


async def view(plan: dict[str, Any], ages: list[float] | None, ready: asyncio.Semaphore) -> None:
    async with connect(plan["url"], max_size=None, compression=None) as socket:
        if plan["subscribe"]:
            await socket.send(json.dumps(plan["subscribe"]))
        ready.release()
        try:
            async with asyncio.timeout(plan["seconds"]):
                while True:
                    frame = await socket.recv(decode=False)
                    now = time.perf_counter_ns()
                    if ages is not None:
                        ages += [
                            (now - int(score)) / 1e6 for score in _SCORE.findall(frame) if b'"snapshot"' not in frame
                        ]
        except (TimeoutError, ConnectionClosed):
            return


async def main(plan: dict[str, Any]) -> None:
    ages: list[float] = []
    ready = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as viewing:
        for number in range(plan["viewers"]):
            viewing.create_task(view(plan, ages if number < LOOKING else None, ready))
        for _ in range(plan["viewers"]):
            await ready.acquire()
        print("ready", flush=True)
    print(json.dumps(sorted(ages)))


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
