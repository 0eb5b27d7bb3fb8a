"""An audience of many connections: `viewers.c` as a process, told what to watch and asked what came."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realtime.core.messages import SUBPROTOCOL
from tests.benchmarks.rig import CLIENT_CPU, compiled, running

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Sequence

PATIENCE = 150
LIVE = {"path": "/v1/live", "protocol": SUBPROTOCOL, "ready": 3}
"""A node says welcome, subscribed and the first snapshot or rank before a viewer counts as there."""


@dataclass(slots=True)
class Audience:
    """Connections that watch. `seen` is the last answer: every field of the line that viewers.c prints."""

    process: Process
    connections: int
    seen: dict[str, Any]

    async def answer(self, event: str) -> dict[str, Any]:
        """The next answer. Raises RuntimeError where it is not the one waited for, or viewers were lost."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError("the viewers have ended")
        self.seen = json.loads(line)
        if self.seen["event"] != event or self.seen["lost"] or self.seen["errors"]:
            raise RuntimeError(f"the viewers were to say {event!r}: {self.seen}")
        return self.seen

    def tell(self, order: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n".encode())

    async def report(self) -> dict[str, Any]:
        """What came since the last answer."""
        self.tell("report")
        return await self.answer("report")


@contextlib.asynccontextmanager
async def audience(
    port: int, connections: int, *, say: Sequence[dict[str, Any]] = (), **plan: Any
) -> AsyncIterator[Audience]:
    """Connections that are there and watch. `plan` and `say` are as viewers.c describes them."""
    program = await compiled("viewers")
    asked = {"port": port, "connections": connections, "cpu": CLIENT_CPU, "seconds": 600} | plan
    words = [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in asked.items()]
    words += [f"say={json.dumps(message)}" for message in say]
    pipe = asyncio.subprocess.PIPE
    async with running(str(program), *words, stdin=pipe, stdout=pipe) as process:
        one = Audience(process, connections, {})
        await one.answer("ready")
        yield one


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])
