"""A node's gateway over a store, a ranking and a bus in memory, and viewers that check every frame they are sent."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from typing import TYPE_CHECKING, Any

import orjson

from infra.bus_memory import MemoryBus
from infra.ranking_memory import MemoryRanking
from infra.store_memory import MemoryBoards, MemoryStore
from realtime.client.reducer import State, apply_check, apply_delta, from_snapshot, mark_stale
from realtime.core import messages, sortkey
from realtime.core.errors import RankingUnavailable
from realtime.core.identity import Principal, Role
from realtime.core.model import BoardSpec
from realtime.gateway.connection import FRAMES, Connection
from realtime.gateway.directory import Directory
from realtime.gateway.hub import Hub
from tests.changes import COLUMNS, packed, ranked

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from realtime.core.model import Board, BoardKey, Change, Column
    from realtime.core.window import Window

TICK = 0.05
CHECK = 5.0
INTEREST = 30.0
ADMIN = Principal("root", "rankcast", Role.ADMIN, 2**40)
TOPIC = "b/top/10"


class ShakyRanking(MemoryRanking):
    """A ranking that can be away, slow, or answer from before. `reads` counts snapshots."""

    def __init__(self, bus: MemoryBus) -> None:
        super().__init__(bus)
        self.away = False
        self.reads = 0
        self.old: deque[Window] = deque()
        """What is answered instead of the truth, while there is any."""
        self.meanwhile: deque[Callable[[], Coroutine[Any, Any, object]]] = deque()
        """What happens after a snapshot was taken and before it is answered."""

    async def top(self, key: BoardKey, columns: Sequence[Column]) -> Window:
        self.reads += 1
        if self.away:
            raise RankingUnavailable("away")
        window = self.old.popleft() if self.old else await super().top(key, columns)
        if self.meanwhile:
            await self.meanwhile.popleft()()
        return window

    async def position(self, key: BoardKey) -> tuple[int, int]:
        if self.away:
            raise RankingUnavailable("away")
        return await super().position(key)


class LeakyBus(MemoryBus):
    """A bus that can lose what is said, or refuse to be subscribed to."""

    def __init__(self) -> None:
        super().__init__()
        self.losing = 0
        self.refusing = 0

    async def subscribe(self, key: BoardKey, heard: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        if self.refusing:
            self.refusing -= 1
            raise RankingUnavailable("not confirmed")
        await super().subscribe(key, heard, lost)

    def publish(self, key: BoardKey, announcement: bytes) -> None:
        if self.losing:
            self.losing -= 1
        else:
            super().publish(key, announcement)


class CountingBoards(MemoryBoards):
    """`asked` counts look-ups; one that waits for `gate` answers what was so when it was asked."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.asked = 0
        self.gate: asyncio.Event | None = None
        self.failing: Exception | None = None

    async def get(self, name: str) -> Board:
        self.asked += 1
        if self.failing is not None:
            raise self.failing
        board = await super().get(name)
        if self.gate is not None:
            await self.gate.wait()
        return board


class World:
    def __init__(self, *, tick: float = TICK, max_topics: int = 64) -> None:
        self.bus = LeakyBus()
        self.ranking = ShakyRanking(self.bus)
        self.store = MemoryStore(clock=lambda: 0.0)
        self.boards = CountingBoards(self.store)
        self.directory = Directory(self.boards)
        self.tasks: set[asyncio.Task[None]] = set()
        self.seqs = itertools.count(1)
        self.hub = Hub(
            self.directory,
            self.ranking,
            self.bus,
            spawn=self.spawn,
            tick=tick,
            check_every=CHECK,
            read_interest=INTEREST,
            max_topics=max_topics,
            heartbeat=25,
            wall_clock=lambda: 1_700_000_000,
        )

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        return task

    async def close(self) -> None:
        """End every task; one that has died fails the test."""
        for task in self.tasks:
            task.cancel()
        for result in await asyncio.gather(*self.tasks, return_exceptions=True):
            assert result is None or isinstance(result, asyncio.CancelledError), result

    # -- the world outside ---------------------------------------------------------------------------------------------

    async def board(self, name: str = "b", **fields: Any) -> Board:
        """A board that is there and ranked."""
        made, _ = await self.boards.put(name, BoardSpec(**{"title": "", "columns": COLUMNS, **fields}))
        await self.rebuild(made)
        return made

    async def edit(self, name: str = "b", **fields: Any) -> Board:
        """Edit a board and let the worker rebuild it, as it stands."""
        made, _ = await self.boards.put(name, BoardSpec(**{"title": "", "columns": COLUMNS, **fields}))
        await self.rebuild(made)
        return made

    async def rebuild(self, board: Board, changes: Sequence[Change] | None = None) -> None:
        """Swap in the same content under the epoch that the store expects."""
        epoch, width = self.store.epochs[board.key], sortkey.width(board.spec.columns)
        held = self.ranking._boards.get(board.key)
        records = list(held.state.records.values()) if held and changes is None else changes or []
        assert await self.ranking.mark(board.key, epoch)
        assert await self.ranking.load(board.key, epoch, width, packed(records))
        assert await self.ranking.swap(board.key, epoch, width)

    async def apply(self, board: Board, *changes: Change) -> int:
        return await self.ranking.apply(board.key, self.store.epochs[board.key], packed(changes))

    async def truth(self, board: Board) -> Window:
        return await MemoryRanking.top(self.ranking, board.key, board.spec.columns)

    # -- viewers -------------------------------------------------------------------------------------------------------

    def viewer(self, principal: Principal | None = None) -> Viewer:
        return Viewer(self, principal)

    async def watching(self, board: Board, limit: int = 10) -> Viewer:
        """A viewer that has its snapshot."""
        viewer = self.viewer()
        await viewer.subscribe(board.name, limit)
        await viewer.drain()
        return viewer


class Viewer:
    """One connection with a socket that is emptied when the test says so. Applies what it is sent, strictly."""

    def __init__(self, world: World, principal: Principal | None = None) -> None:
        self.world = world
        self.connection = Connection()
        self.connection.principal = principal
        self.states: dict[str, State] = {}
        self.seen: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        world.hub.join(self.connection)

    async def subscribe(self, board: str = "b", limit: int = 10, request: int = 1) -> str:
        await self.world.hub.subscribe(self.connection, messages.SubscribeTop(request, board, limit))
        return messages.top_topic(board, limit)

    async def drain(self, most: int = 10_000) -> list[dict[str, Any]]:
        """Take what waits, at most so many frames, as the writer of a socket does; the messages."""
        taken = []
        while most and self.connection._frames:
            most -= 1
            frame = await self.connection.next_frame()
            message = orjson.loads(frame)
            self.frames.append(frame)
            self.take(message)
            taken.append(message)
            if self.connection.behind:
                self.world.hub.catch_up(self.connection)
        self.seen.extend(taken)
        return taken

    async def types(self) -> list[str]:
        """The types of what waits."""
        return [message["type"] for message in await self.drain()]

    def take(self, message: dict[str, Any]) -> None:
        topic = message.get("topic", "")
        match message["type"]:
            case "snapshot":
                before = self.states.get(topic)
                assert before is None or (message["epoch"], message["version"]) >= (before.epoch, before.version)
                self.states[topic] = from_snapshot(message)
            case "delta":
                self.states[topic] = apply_delta(self.states[topic], message)
            case "check":
                self.states[topic] = apply_check(self.states[topic], message)
                assert self.states[topic].version == message["version"]
            case "stale" | "fresh":
                self.states[topic] = mark_stale(self.states[topic], stale=message["type"] == "stale")
            case "error" if topic:
                del self.states[topic]

    def shows(self, window: Window, board: str = "b", limit: int = 10) -> bool:
        """Whether its list is the first rows of this window, at a version since which they are the same."""
        topic = messages.top_topic(board, limit)
        state = self.states[topic]
        fresh = from_snapshot(orjson.loads(messages.snapshot(topic, window, limit, state.ranks)))
        return (state.epoch, state.entries) == (fresh.epoch, fresh.entries) and state.version <= fresh.version


def types(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]


def climb(seq: int) -> Change:
    """p11 takes the lead, each time with more."""
    return ranked("p11", 1000 + seq, seq=seq)


async def fill(viewer: Viewer) -> None:
    """Let the socket take nothing more."""
    for _ in range(FRAMES):
        assert viewer.connection.write(b'{"type":"pong"}')
