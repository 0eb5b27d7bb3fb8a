"""A load client that is cheaper than what it measures: prepared requests over keep-alive connections, no HTTP library.

`python -m tests.benchmarks.load '<json>'` with port, path, token, connections, seconds, kind (post, batch, get), and a
rate if it is to be paced; prints what it saw as JSON. Bounded in count and time, and only ever against loopback.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import deque
from typing import Any

import uvloop

PLAYERS = 20_000


class Client(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.buffer = b""
        self.sent_at = 0.0
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if self.load.rate:
            self.load.idle.append(self)
        else:
            self.send()

    def send(self) -> None:
        self.sent_at = time.perf_counter()
        self.transport.write(self.load.request())

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self.buffer.find(b"content-length: ")
        length = int(self.buffer[at + 16 : self.buffer.index(b"\r\n", at)])
        if len(self.buffer) < head + 4 + length:
            return
        now = time.perf_counter()
        if not self.buffer.startswith(b"HTTP/1.1 200"):
            self.load.errors += 1
            self.load.last_error = self.buffer[:300].decode()
        self.buffer = b""
        self.load.latencies.append(now - self.sent_at)
        if self.load.rate and now < self.load.until:
            self.load.idle.append(self)
        elif now < self.load.until:
            self.send()
        else:
            self.transport.close()
            self.load.closed()


class Load:
    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.random = random.Random(plan.get("seed", 7))
        self.head = f"POST {plan['path']} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {plan.get('token', '')}\r\nContent-Type: application/json\r\nContent-Length: "
        self.get = f"GET {plan['path']} HTTP/1.1\r\nHost: b\r\n\r\n".encode()
        self.kind = plan["kind"]
        self.rows = plan.get("rows", 500)
        self.errors = 0
        self.last_error = ""
        self.latencies: list[float] = []
        self.until = 0.0
        self.open = plan["connections"]
        self.done = asyncio.Event()
        self.rate = plan.get("rate", 0)
        self.idle: deque[Client] = deque()
        self.batches = [self._batch() for _ in range(20)] if self.kind == "batch" else []

    def _batch(self) -> bytes:
        players = self.random.sample(range(PLAYERS), self.rows)
        rows = [{"player": f"p{player}", "score": self.random.randrange(10**9)} for player in players]
        body = json.dumps(rows)
        return f"{self.head}{len(body)}\r\n\r\n{body}".encode()

    def request(self) -> bytes:
        if self.kind == "get":
            return self.get
        if self.kind == "batch":
            return self.random.choice(self.batches)
        if self.rate:
            # The score is the moment of its sending: whoever sees it knows its age.
            body = f'{{"player":"p{self.random.randrange(50)}","score":{time.perf_counter_ns()}}}'
            return f"{self.head}{len(body)}\r\n\r\n{body}".encode()
        body = f'{{"player":"p{self.random.randrange(PLAYERS)}","score":{self.random.randrange(10**9)}}}'
        return f"{self.head}{len(body)}\r\n\r\n{body}".encode()

    async def pace(self, started: float) -> None:
        """Send at the rate asked, as long as a connection is free; then let the last answers come."""
        sent = 0
        while time.perf_counter() < self.until:
            due = int((time.perf_counter() - started) * self.rate)
            while sent < due and self.idle:
                # Each in its turn: one that rests for long is closed by the server.
                self.idle.popleft().send()
                sent += 1
            await asyncio.sleep(0.001)
        for client in self.idle:
            client.transport.close()
            self.closed()

    def closed(self) -> None:
        self.open -= 1
        if not self.open:
            self.done.set()

    async def run(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        self.until = started + self.plan["seconds"]
        for _ in range(self.plan["connections"]):
            await loop.create_connection(lambda: Client(self), "127.0.0.1", self.plan["port"])
        if self.rate:
            await self.pace(started)
        await asyncio.wait_for(self.done.wait(), self.plan["seconds"] + 30)
        elapsed = time.perf_counter() - started
        ordered = sorted(self.latencies)
        return {
            "per_second": len(ordered) / elapsed,
            "errors": self.errors,
            "last_error": self.last_error,
            "p50_ms": ordered[len(ordered) // 2] * 1000,
            "p99_ms": ordered[len(ordered) * 99 // 100] * 1000,
            "cpu_share": time.process_time() / elapsed,
        }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(Load(json.loads(sys.argv[1])).run())))
