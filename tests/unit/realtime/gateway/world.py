"""A node's gateway over a store, a ranking and a bus in memory, and viewers that check every frame they are sent."""

from __future__ import annotations

import asyncio
import itertools
import random
import zlib
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from infra.bus_memory import MemoryBus
from infra.ranking_memory import MemoryRanking
from infra.store_memory import MemoryBoards, MemoryStore
from realtime.client.reducer import State, apply_check, apply_delta, from_snapshot
from realtime.core import delta, messages, sortkey
from realtime.core.errors import HistoryGone, RankingUnavailable, Unauthenticated
from realtime.core.identity import Principal, Role
from realtime.core.messages import Top
from realtime.core.model import BoardSpec
from realtime.core.tracker import Tracker
from realtime.gateway.connection import Connection
from realtime.gateway.directory import Directory
from realtime.gateway.fanout import Fanout
from realtime.gateway.followed import Shell
from realtime.gateway.frame import Encoding, Frame
from realtime.gateway.hub import Hub
from realtime.gateway.watch import Watch
from tests.changes import COLUMNS, packed, ranked

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Coroutine, Sequence

    from realtime.core.announcement import Origin, Past
    from realtime.core.closing import Close
    from realtime.core.messages import Resume, View
    from realtime.core.model import Board, BoardKey, Change, Column
    from realtime.core.ports import Channel, Places, Standings, Stretches
    from realtime.core.watched import Tracking
    from realtime.core.window import Window

TICK = 0.05
CHECK = 5.0
PATIENCE = 3.0
"""Seconds for which a first state is waited for."""
INTEREST = 30.0
ADMIN = Principal("root", "rankcast", Role.ADMIN, 2**40)
TOPIC = "b/top/10"
NOW = 1_700_000_000
ROOM = 200_000
"""Bytes that fit into a simulated kernel."""


class ShakyRanking(MemoryRanking):
    """A ranking that can be away, slow, or answer from before. `reads` counts snapshots."""

    def __init__(self, bus: MemoryBus) -> None:
        super().__init__(bus)
        self.away = False
        self.reads = 0
        self.histories = 0
        self.forgetting = False
        """The board's stream holds nothing."""
        self.old: deque[Window] = deque()
        """What is answered instead of the truth, while there is any."""
        self.meanwhile: deque[Callable[[], Coroutine[Any, Any, object]]] = deque()
        """What happens after a snapshot was taken and before it is answered."""

    async def top(self, key: BoardKey, columns: Sequence[Column]) -> Window:
        self.reads += 1
        if self.away:
            raise RankingUnavailable("away")
        window = self.old.popleft() if self.old else await super().top(key, columns)
        await self._something_happens()
        return window

    def _answers(self) -> None:
        if self.away:
            raise RankingUnavailable("away")

    async def position(self, key: BoardKey) -> tuple[int, int]:
        self._answers()
        return await super().position(key)

    async def standings(self, key: BoardKey, columns: Sequence[Column], players: Sequence[str]) -> Standings:
        self._answers()
        found = await super().standings(key, columns, players)
        await self._something_happens()
        return found

    async def stretches(self, key: BoardKey, columns: Sequence[Column], asked: Sequence[tuple[str, int]]) -> Stretches:
        self._answers()
        found = await super().stretches(key, columns, asked)
        await self._something_happens()
        return found

    async def places(self, key: BoardKey, keys: Sequence[bytes]) -> Places:
        self._answers()
        found = await super().places(key, keys)
        await self._something_happens()
        return found

    async def history(self, key: BoardKey, columns: Sequence[Column], epoch: int, since: int) -> list[Past]:
        self._answers()
        self.histories += 1
        if self.forgetting:
            raise HistoryGone("forgotten")
        return await super().history(key, columns, epoch, since)

    async def _something_happens(self) -> None:
        if self.meanwhile:
            await self.meanwhile.popleft()()


class LeakyBus(MemoryBus):
    """A bus that can lose or repeat what is said, or refuse to be subscribed to. Two nodes may hear it."""

    def __init__(self) -> None:
        super().__init__()
        self.losing = 0
        self.losing_moves = 0
        self.refusing = 0

    async def subscribe(
        self, key: BoardKey, channel: Channel, heard: Callable[[bytes], None], lost: Callable[[], None]
    ) -> None:
        if self.refusing:
            self.refusing -= 1
            raise RankingUnavailable("not confirmed")
        await super().subscribe(key, channel, heard, lost)

    def publish(self, key: BoardKey, channel: Channel, announcement: bytes) -> None:
        if channel == "top" and self.losing:
            self.losing -= 1
        elif channel == "moves" and self.losing_moves:
            self.losing_moves -= 1
        else:
            super().publish(key, channel, announcement)


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


class SimSocket(Connection):
    """A socket of which so many bytes fit into the kernel, and that is read when the test says so.

    As with a real one, what is sent straight to its descriptor must never overtake what waits in its transport.
    """

    numbers = itertools.count(1)
    by_fd: ClassVar[dict[int, SimSocket]] = {}

    def __init__(self, hub: Hub, encoding: Encoding = Encoding.PLAIN, *, direct: bool = True) -> None:
        super().__init__(encoding)
        self.hub = hub
        self.number = next(self.numbers) if direct else -1
        self.by_fd[self.number] = self
        self.fd = self.number
        self.room = ROOM
        self.wire = bytearray()
        self.waiting = bytearray()
        self.closed: Close | None = None
        self.beats = 0

    @property
    def gone(self) -> bool:
        return self.closed is not None

    def write(self, data: bytes) -> None:
        if self.closed is None:
            self.waiting += data
            self._flush()

    def reply(self, message: bytes) -> None:
        self.write(Frame(message).encoded(self.encoding))

    def close(self, why: Close) -> None:
        if self.closed is None:
            self.closed = why
            self.hub.leave(self)

    def beat(self) -> None:
        self.beats += 1

    def send(self, data: bytes) -> int:
        """What the kernel takes of what is sent straight to the descriptor."""
        assert not self.waiting, "a frame overtakes what waits"
        taken = min(self.room, len(data))
        self.wire += data[:taken]
        self.room -= taken
        return taken

    def grow(self, size: int) -> None:
        """The kernel takes so many bytes more."""
        self.room += size
        self._flush()
        self._catch_up()

    def _flush(self) -> None:
        taken = min(self.room, len(self.waiting))
        self.wire += self.waiting[:taken]
        del self.waiting[:taken]
        self.room -= taken
        if self.waiting and not self.held_back:
            self.held_back, self.fd = True, -1
            self.hub.hold_back(self)

    def read(self) -> bytes | None:
        """Take one message off the wire."""
        text, size = _first(self.wire, self.encoding)
        if text is None:
            return None
        del self.wire[:size]
        self.room += size
        self._flush()
        self._catch_up()
        return text

    def _catch_up(self) -> None:
        if self.held_back and not self.waiting and self.closed is None:
            self.held_back, self.fd = False, self.number
            self.hub.make_room(self)


def _first(wire: bytearray, encoding: Encoding) -> tuple[bytes | None, int]:
    if encoding is Encoding.EVENTS:
        end = wire.find(b"\n\n")
        event = bytes(wire[: max(end, 0)])
        return (event[event.find(b"data: ") + 6 :], end + 2) if end >= 0 else (None, 0)
    length, head = (wire[1], 2) if len(wire) > 1 else (0, 2)
    if length == 126:
        length, head = int.from_bytes(wire[2:4]), 4
    if len(wire) < head + length or len(wire) < 2:
        return None, 0
    text = bytes(wire[head : head + length])
    if wire[0] & 0x40:
        text = zlib.decompressobj(-zlib.MAX_WBITS).decompress(text + b"\x00\x00\xff\xff")
    return text, head + length


def send_frames(fds: array[int], start: int, stop: int, frame: bytes) -> list[tuple[int, int]]:
    """As the twins of `speedups`, to simulated sockets."""
    sent = [(index, SimSocket.by_fd[fds[index]].send(frame)) for index in range(start, stop) if fds[index] >= 0]
    return [(index, taken) for index, taken in sent if taken < len(frame)]


class SimIdentity:
    """Knows its tokens by heart; a token that begins with `slow` has to be waited for."""

    def __init__(self) -> None:
        self.principals: dict[str, Principal] = {}

    def known(self, token: str) -> Principal | None:
        return None if token.startswith("slow") else self.principals.get(token)

    async def verify(self, token: str) -> Principal:
        await asyncio.sleep(0.001)
        if token not in self.principals:
            raise Unauthenticated("no such token")
        return self.principals[token]


class World:
    def __init__(
        self,
        *,
        tick: float = TICK,
        max_topics: int = 64,
        tracker: Callable[[int], Tracking] = Tracker,
        bus: LeakyBus | None = None,
        ranking: ShakyRanking | None = None,
        store: MemoryStore | None = None,
    ) -> None:
        self.bus = bus or LeakyBus()
        self.ranking = ranking or ShakyRanking(self.bus)
        self.store = store or MemoryStore(clock=lambda: 0.0)
        self.boards = CountingBoards(self.store)
        self.directory = Directory(self.boards)
        self.identity = SimIdentity()
        self.tasks: set[asyncio.Task[None]] = set()
        self.seqs = itertools.count(1)
        self.now = NOW
        self.pushed: list[Origin] = []
        """Where what was handed to sockets came from, in the order in which all had it."""
        # One slice a turn, however fast: what happens between two slices is what is tested.
        self.fanout = Fanout(send_frames, turn=0.0)
        shell = Shell(
            ranking=self.ranking,
            bus=self.bus,
            fanout=self.fanout,
            tracker=tracker,
            spawn=self.spawn,
            tick=tick,
            clock=lambda: self.now,
            speedups="python",
            pushing=self._pushing,
        )
        self.watch = Watch(heartbeat=25, drain_window=10.0, clock=lambda: self.now, chance=random.Random(1).random)
        self.hub = Hub(
            self.directory,
            shell,
            self.identity,
            self.watch,
            check_every=CHECK,
            patience=PATIENCE,
            read_interest=INTEREST,
            max_topics=max_topics,
            heartbeat=25,
        )

    def _pushing(self, origin: Origin) -> Callable[[], None]:
        return lambda: self.pushed.append(origin)

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

    async def apply(self, board: Board, *changes: Change, origin: Origin | None = None) -> int:
        return await self.ranking.apply(board.key, self.store.epochs[board.key], packed(changes), origin)

    async def truth(self, board: Board) -> Window:
        return await MemoryRanking.top(self.ranking, board.key, board.spec.columns)

    # -- viewers -------------------------------------------------------------------------------------------------------

    def viewer(self, principal: Principal | None = None, **how: Any) -> Viewer:
        return Viewer(self, principal, **how)

    async def watching(self, board: Board, limit: int = 10) -> Viewer:
        """A viewer that has its snapshot."""
        viewer = self.viewer()
        await viewer.subscribe(board.name, limit)
        await viewer.drain()
        return viewer


@dataclass(slots=True)
class Stretch:
    """What a viewer holds of the stretch around a player."""

    epoch: int
    version: int
    total: int
    position: int | None
    rank: int | None
    rows: list[dict[str, Any]] = field(default_factory=list)


class Viewer:
    """One connection with a socket that is emptied when the test says so. Applies what it is sent, strictly."""

    def __init__(self, world: World, principal: Principal | None = None, **how: Any) -> None:
        self.world = world
        self.connection = SimSocket(world.hub, **how)
        self.connection.principal = principal
        self.states: dict[str, State] = {}
        self.ranks: dict[str, dict[str, Any]] = {}
        self.stretches: dict[str, Stretch] = {}
        self.seen: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        world.hub.join(self.connection)

    async def subscribe(self, board: str = "b", limit: int = 10, request: int = 1) -> str:
        return await self.watch(Top(limit), board, request=request)

    async def watch(self, view: View, board: str = "b", *, request: int = 1, resume: Resume | None = None) -> str:
        await self.world.hub.subscribe(self.connection, messages.Subscribe(request, board, view, resume))
        return view.topic(board)

    async def say(self, **message: Any) -> None:
        """Send a message, and see its answer through."""
        work = self.world.hub.received(self.connection, orjson.dumps(message))
        if work is not None:
            await work

    async def drain(self, most: int = 10_000) -> list[dict[str, Any]]:
        """Read what waits, at most so many frames; the messages."""
        taken: list[dict[str, Any]] = []
        self.connection.grow(max(0, ROOM - self.connection.room - len(self.connection.wire)))
        while len(taken) < most:
            frame = self.connection.read()
            if frame is None:
                break
            message = orjson.loads(frame)
            self.frames.append(frame)
            self.take(message)
            taken.append(message)
        self.seen.extend(taken)
        return taken

    async def read_one(self) -> dict[str, Any] | None:
        """Read one message, if it is there whole, without making room for more."""
        frame = self.connection.read()
        if frame is None:
            return None
        message: dict[str, Any] = orjson.loads(frame)
        self.take(message)
        return message

    async def types(self) -> list[str]:
        """The types of what waits."""
        return [message["type"] for message in await self.drain()]

    def take(self, message: dict[str, Any]) -> None:
        topic = message.get("topic", "")
        kind = topic.split("/")[1] if topic else ""
        if message["type"] == "error" and topic:
            for held in (self.states, self.ranks, self.stretches):
                held.pop(topic, None)
        elif message["type"] in ("stale", "fresh", "subscribed"):
            # Who comes back holds what was stale where it came from: it hears of it again if it still is.
            if topic in self.states:
                self.states[topic] = replace(self.states[topic], stale=message["type"] == "stale")
        elif kind == "top":
            self._take_top(topic, message)
        elif kind == "player":
            self._take_rank(topic, message)
        elif kind == "around":
            self._take_stretch(topic, message)

    def _take_top(self, topic: str, message: dict[str, Any]) -> None:
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

    def _take_rank(self, topic: str, message: dict[str, Any]) -> None:
        held = self.ranks.get(topic)
        if message["type"] == "rank":
            assert held is None or (message["epoch"], message["version"]) >= (held["epoch"], held["version"])
            if held is not None and message["from"] != message["version"]:
                assert (message["epoch"], message["from"]) == (held["epoch"], held["version"])
                if held["rank"] is not None and message["rank"] is not None:
                    assert message["moved"] == held["rank"] - message["rank"]
            self.ranks[topic] = message
        elif message["type"] == "check":
            assert held is not None
            assert message["epoch"] == held["epoch"]
            assert message["version"] >= held["version"]
            assert message["rank"] == held["rank"]
            self.ranks[topic] = {**held, "version": message["version"], "of": message["total"]}

    def _take_stretch(self, topic: str, message: dict[str, Any]) -> None:
        version = message.get("to", message.get("version"))
        held = self.stretches.get(topic)
        assert held is None or (message.get("epoch", held.epoch), version or held.version) >= (held.epoch, held.version)
        match message["type"]:
            case "snapshot":
                rows = [{name: value for name, value in row.items() if name != "rank"} for row in message["entries"]]
                first = message["entries"][0]["rank"] if rows else None
                place = message["position"], first
                self.stretches[topic] = Stretch(message["epoch"], version, message["total"], *place, rows)
            case "delta":
                assert held is not None
                assert (message["epoch"], message["from"]) == (held.epoch, held.version)
                delta.apply(held.rows, message["ops"])
                held.version, held.total = version, message["total"]
                held.position, held.rank = message["position"], message["rank"]
            case "check":
                assert held is not None
                lines = "".join(f"{row['player']}\t{row['seq']}\t{row['name']}\n" for row in held.rows)
                assert (message["epoch"], message["crc"]) == (held.epoch, zlib.crc32(lines.encode()))
                assert message["position"] == held.position
                held.version, held.total = version, message["total"]

    def shows(self, window: Window, board: str = "b", limit: int = 10) -> bool:
        """Whether its list is the first rows of this window, at a version since which they are the same."""
        topic = Top(limit).topic(board)
        state = self.states[topic]
        fresh = from_snapshot(orjson.loads(messages.snapshot(topic, window, limit, state.ranks)))
        return (state.epoch, state.entries) == (fresh.epoch, fresh.entries) and state.version <= fresh.version


def types(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]


def climb(seq: int) -> Change:
    """p11 takes the lead, each time with more."""
    return ranked("p11", 1000 + seq, seq=seq)


async def fill(viewer: Viewer) -> None:
    """Let the socket take nothing more, until it is read."""
    viewer.connection.room = 0
