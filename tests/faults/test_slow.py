"""A thousand clients that do not read: they cost the node little memory and the others nothing, and miss nothing."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import psutil
import pytest

from realtime.client.reducer import Entry, State, apply_check, apply_delta, from_snapshot
from realtime.core import websocket
from realtime.gateway import frame
from tests.acceptance.crowd import cut, masked, room_for
from tests.harness import PATIENCE, free_port, ready
from tests.wire import request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness import Stack

SLOW = 1000
FAST = 50
VERSIONS = 40
ROWS = 100
SMALL = 2048
"""Bytes that the kernel of a slow client takes; it doubles that."""
A_CLIENT = 16 * 1024
"""Bytes of the node that a client which does not read may take: the frame that it is in, at the most, and its session."""
GROWTH = 16 * 1024 * 1024
"""Bytes that the node may grow by over `VERSIONS` versions, for its own history: queued, they would be fifteen times that."""
TICK = 0
"""Milliseconds: a frame for each version, so that what was merged is seen from where it leads to."""
HEARTBEAT = 600
"""Seconds: nobody is asked whether it lives, however slow the machine. Who takes nothing for two beats is closed else."""
CHECK = 600.0
"""Seconds: no check comes between, which would be one more frame for some, and skipped for others."""
BOARD = "slow"

NODE: dict[str, Any] = {"tick_ms": TICK, "heartbeat": HEARTBEAT, "check_every": CHECK}


class Client:
    """Watches the top and applies every frame strictly, as far as it reads. `frames` are what led it on: (from, to)."""

    def __init__(self, bare: socket.socket) -> None:
        self.state: State | None = None
        self.frames: list[tuple[int, int]] = []
        self._bare = bare
        self._rest = b""

    @classmethod
    async def on(cls, port: int, *, small: bool) -> Client:
        """After its first snapshot."""
        loop = asyncio.get_running_loop()
        bare = socket.socket()
        bare.setblocking(False)
        if small:
            bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        client = cls(bare)
        await loop.sock_connect(bare, ("127.0.0.1", port))
        await loop.sock_sendall(bare, request())
        head = b""
        while b"\r\n\r\n" not in head:
            head += await loop.sock_recv(bare, 4096)
        assert head.startswith(b"HTTP/1.1 101 "), head
        client._rest = head.partition(b"\r\n\r\n")[2]
        asked = {"op": "subscribe", "id": 1, "board": BOARD, "view": "top", "limit": ROWS}
        await loop.sock_sendall(bare, masked(websocket.TEXT, orjson.dumps(asked)))
        while client.state is None:
            await client._read()
        return client

    @property
    def version(self) -> int:
        return 0 if self.state is None else self.state.version

    async def until(self, version: int) -> None:
        """Read until it has come there."""
        while self.version < version:
            await self._read()

    async def _read(self) -> None:
        async with asyncio.timeout(PATIENCE):
            data = await asyncio.get_running_loop().sock_recv(self._bare, 65_536)
        assert data, "the node has closed it"
        frames, self._rest = cut(self._rest + data, 0)
        for first, payload in frames:
            assert first == 0x80 | websocket.TEXT, payload
            self._take(orjson.loads(payload))

    def _take(self, message: dict[str, Any]) -> None:
        before = self.version
        match message["type"]:
            case "snapshot":
                self.state = from_snapshot(message)
            case "delta":
                assert self.state is not None
                self.state = apply_delta(self.state, message)
            case "check":
                assert self.state is not None
                self.state = apply_check(self.state, message)
                return
            case _:
                assert message["type"] in {"welcome", "subscribed"}, message
                return
        assert self.version > before, "no version comes twice, and none goes back"
        self.frames.append((before, self.version))

    def close(self) -> None:
        self._bare.close()


class Crowd:
    """Clients of one node, and scores for what they watch."""

    def __init__(self, port: int, http: httpx.AsyncClient) -> None:
        self.fast: list[Client] = []
        self.slow: list[Client] = []
        self.version = 0
        self._port = port
        self._http = http
        self._chance = random.Random(4)

    async def join(self, fast: int = 0, slow: int = 0) -> None:
        for _ in range(0, fast, 25):
            self.fast += await asyncio.gather(*(Client.on(self._port, small=False) for _ in range(min(25, fast))))
        for _ in range(0, slow, 25):
            self.slow += await asyncio.gather(*(Client.on(self._port, small=True) for _ in range(min(25, slow))))

    async def score(self) -> None:
        """Everybody's score changes: one version. Returns when each of the fast has heard of it, and of it alone."""
        scores = self._chance.sample(range(10**6), ROWS)
        rows = [{"player": f"p{n}", "name": f"{n:x>60}", "score": score} for n, score in enumerate(scores)]
        answer = await self._http.post(f"/v1/boards/{BOARD}/scores/batch", json=rows)
        assert [one.get("improved") for one in answer.json()["results"]] == [True] * ROWS, answer.text
        self.version += 1
        before = [client.version for client in self.fast]
        await asyncio.gather(*(client.until(self.version) for client in self.fast))
        for version, client in zip(before, self.fast, strict=True):
            assert client.frames[-1] == (version, self.version)

    async def counted(self, name: str) -> int:
        """A metric of the node."""
        answer = await self._http.get("/metrics")
        found = [line.split(" ")[1] for line in answer.text.splitlines() if line.startswith(f"{name} ")]
        assert found, answer.text
        return int(float(found[0]))

    async def stuck(self) -> None:
        """Let scores go on until none of the slow takes anything any more."""
        before, still = await self.counted("rankcast_skipped_total"), 0
        for _ in range(VERSIONS):
            await self.score()
            skipped = await self.counted("rankcast_skipped_total")
            still = still + 1 if skipped - before == len(self.slow) else 0
            if still == 2:
                return
            before = skipped
        raise AssertionError("they still take what they do not read")

    async def truth(self) -> tuple[int, int, list[Entry]]:
        """The fresh snapshot: epoch, version and entries."""
        client = await Client.on(self._port, small=False)
        client.close()
        assert client.state is not None
        return client.state.epoch, client.state.version, client.state.entries


@asynccontextmanager
async def watching(stack: Stack, port: int) -> AsyncIterator[Crowd]:
    """A board of `ROWS` and nobody who watches it yet."""
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, headers=stack.headers("admin")
    ) as http:
        crowd = Crowd(port, http)
        created = await http.put(f"/v1/boards/{BOARD}", json={"columns": [{"name": "score"}], "operator": "latest"})
        assert created.status_code == 201
        await crowd.score()
        await stack.settled()
        crowd.version = (await http.get(f"/v1/boards/{BOARD}/top")).json()["version"]
        try:
            yield crowd
        finally:
            for client in crowd.fast + crowd.slow:
                client.close()


@pytest.mark.timeout(180)
async def test_a_thousand_who_do_not_read_cost_little_and_others_nothing_and_are_led_on_by_one_frame(
    stack: Stack,
) -> None:
    port = free_port()
    async with AsyncExitStack() as opened:
        opened.enter_context(room_for(SLOW + FAST))
        await opened.enter_async_context(stack.process("workers"))
        node = await opened.enter_async_context(stack.process("api", port=port, **NODE))
        await ready(f"http://127.0.0.1:{port}")
        crowd = await opened.enter_async_context(watching(stack, port))
        memory = psutil.Process(node.pid)

        await crowd.join(fast=FAST)
        for _ in range(VERSIONS):
            await crowd.score()
        alone = memory.memory_info().rss

        await crowd.join(slow=SLOW)
        await crowd.stuck()
        began, held = crowd.version, memory.memory_info().rss
        skipped, merged = await crowd.counted("rankcast_skipped_total"), await crowd.counted("rankcast_merged_total")
        # Each version reaches the fast, one by one, while a thousand stand still: `score` waits for that.
        for _ in range(VERSIONS):
            await crowd.score()
        grown = memory.memory_info().rss - held
        print(f"\n{(held - alone) / SLOW:.0f} bytes a client; then {grown} bytes more in {VERSIONS} versions")
        assert (held - alone) / SLOW < A_CLIENT
        assert grown < GROWTH
        assert await crowd.counted("rankcast_skipped_total") - skipped >= SLOW * VERSIONS
        assert await crowd.counted("rankcast_merged_total") == merged

        await asyncio.gather(*(client.until(crowd.version) for client in crowd.slow))
        truth = await crowd.truth()
        for client in crowd.slow:
            # All that it had missed, at one go.
            assert [since < began for since, to in client.frames if to > began] == [True]
            assert client.state is not None
            assert (client.state.epoch, client.state.version, client.state.entries) == truth
        assert await crowd.counted("rankcast_merged_total") == merged + SLOW
        await crowd.score()
        await asyncio.gather(*(client.until(crowd.version) for client in crowd.slow))
        assert {client.frames[-1] for client in crowd.slow} == {(crowd.version - 1, crowd.version)}


async def test_those_who_stand_at_the_same_version_are_led_on_by_the_same_bytes(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    plain = frame._ENCODERS[frame.Encoding.PLAIN]

    def counted(made: frame.Frame) -> bytes:
        encoded.append(id(made))
        return plain(made)

    async with AsyncExitStack() as opened:
        await opened.enter_async_context(stack.worker())
        node = await opened.enter_async_context(stack.node(**NODE))
        crowd = await opened.enter_async_context(watching(stack, int(node.url.rsplit(":", 1)[1])))
        await crowd.join(fast=1)
        for _ in range(2):
            # Half of them come later, so that they stand elsewhere.
            await crowd.join(slow=50)
            await crowd.stuck()
        for _ in range(5):
            await crowd.score()
        monkeypatch.setattr(frame, "_ENCODERS", (counted, *frame._ENCODERS[1:]))
        await asyncio.gather(*(client.until(crowd.version) for client in crowd.slow))
        froms = {client.frames[-1][0] for client in crowd.slow}
        assert 2 <= len(froms) < 20
        assert len(encoded) == len(froms)
