"""What a contract suite works with: the ports, and a hand for what only the world outside does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from infra.bus_memory import MemoryBus
from infra.bus_redis import RedisBus
from infra.ranking_memory import Announced, MemoryRanking
from infra.ranking_redis import RedisRanking, name
from infra.store_memory import (
    MemoryBoards,
    MemoryFallback,
    MemoryLedger,
    MemoryOutbox,
    MemoryPlayers,
    MemoryStore,
    MemorySubmissions,
)
from realtime.core import outbox as payloads
from realtime.core import record
from realtime.core.board import BoardState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from redis.asyncio import Redis

    from realtime.core.model import Board, BoardKey
    from realtime.core.outbox import Packed
    from realtime.core.ports import Boards, Bus, Channel, Fallback, Ledger, Outbox, Players, Ranking, Submissions

LEASE = 10.0


class Ranked(Protocol):
    """A ranking with its bus. What is named `lose_…` goes behind its back."""

    ranking: Ranking
    bus: Bus

    async def publish(self, key: BoardKey, announcement: bytes, channel: Channel = "top") -> None: ...
    async def announced(self, key: BoardKey) -> list[Announced]: ...
    async def lose_member(self, key: BoardKey) -> None: ...
    async def lose_record(self, key: BoardKey, player: str) -> None: ...
    async def lose_mark(self, key: BoardKey) -> None: ...
    async def lose_version(self, key: BoardKey, entry: str) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.ranking = MemoryRanking(self.bus)

    async def publish(self, key: BoardKey, announcement: bytes, channel: Channel = "top") -> None:
        self.bus.publish(key, channel, announcement)

    async def announced(self, key: BoardKey) -> list[Announced]:
        return self.ranking.announced(key)

    async def lose_member(self, key: BoardKey) -> None:
        self.ranking._boards[key].state.members.pop()

    async def lose_record(self, key: BoardKey, player: str) -> None:
        del self.ranking._boards[key].state.records[player]

    async def lose_mark(self, key: BoardKey) -> None:
        del self.ranking._shadows[key]

    async def lose_version(self, key: BoardKey, entry: str) -> None:
        stream = self.ranking._boards[key].stream
        stream.remove(next(one for one in stream if one.id == entry))


class InRedis:
    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.bus = RedisBus(redis, timeout=5.0)
        self.ranking = RedisRanking(redis, top_cache=30)

    async def publish(self, key: BoardKey, announcement: bytes, channel: Channel = "top") -> None:
        await self.redis.publish(name(key, channel), announcement)

    async def announced(self, key: BoardKey) -> list[Announced]:
        stream: Any = await self.redis.xrange(name(key, "stream"))
        return [Announced(entry.decode(), fields[b"t"], fields[b"m"], fields.get(b"b")) for entry, fields in stream]

    async def lose_member(self, key: BoardKey) -> None:
        assert await self.redis.zremrangebyrank(name(key, "zset"), -1, -1) == 1

    async def lose_record(self, key: BoardKey, player: str) -> None:
        assert await self.redis.hdel(name(key, "hash"), player) == 1

    async def lose_mark(self, key: BoardKey) -> None:
        assert await self.redis.delete(name(key, "mark")) == 1

    async def lose_version(self, key: BoardKey, entry: str) -> None:
        assert await self.redis.xdel(name(key, "stream"), entry) == 1


@dataclass(slots=True)
class Stored:
    """The ports of a store. `expire` lets every lease run out; `fail_over` puts another server in its place."""

    submissions: Submissions
    boards: Boards
    players: Players
    outbox: Outbox
    ledger: Ledger
    fallback: Fallback
    expire: Callable[[], Awaitable[None]]
    fail_over: Callable[[], Awaitable[None]]

    async def sent(self) -> list[tuple[BoardKey, list[Packed]]]:
        """Everything that waits in the outbox, which is empty then."""
        letters = await self.outbox.claim(10_000)
        await self.outbox.settle([letter.id for letter in letters])
        return [group for letter in letters for group in payloads.decode(letter.payload)]

    async def state(self, board: Board) -> BoardState:
        """What a ranking makes of the store's snapshot."""
        state = BoardState(board.spec.columns, 1)
        async for rows in self.ledger.snapshot(board.key):
            take(state, rows)
        return state


def in_memory() -> Stored:
    now = [0.0]
    store = MemoryStore(clock=lambda: now[0])

    async def expire() -> None:
        now[0] += LEASE + 1

    async def fail_over() -> None:
        store.failed_over = True

    return Stored(
        MemorySubmissions(store),
        MemoryBoards(store),
        MemoryPlayers(store),
        MemoryOutbox(store, LEASE),
        MemoryLedger(store),
        MemoryFallback(store),
        expire,
        fail_over,
    )


def take(state: BoardState, rows: Sequence[Packed]) -> None:
    state.apply([record.unpack(player.decode(), packed) for player, packed in rows])


def follow(states: dict[BoardKey, BoardState], sent: Sequence[tuple[BoardKey, list[Packed]]]) -> None:
    """Let states take what a store sent, as a ranking would."""
    for key, rows in sent:
        if key in states:
            take(states[key], rows)


async def whole(ranked: Ranked, key: BoardKey, epoch: int, rows: Sequence[Packed] = (), width: int = 24) -> None:
    """Bring a board into being under an epoch."""
    assert await ranked.ranking.mark(key, epoch)
    assert await ranked.ranking.load(key, epoch, width, rows)
    assert await ranked.ranking.swap(key, epoch, width)


class Ear:
    """Hears a board and can wait for what it hears."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.lost = asyncio.Event()
        self.losses = 0

    def hear(self, announcement: bytes) -> None:
        self.heard.put_nowait(announcement)

    def lose(self) -> None:
        self.losses += 1
        self.lost.set()

    async def next(self) -> bytes:
        async with asyncio.timeout(10):
            return await self.heard.get()
