"""The store in memory: the ports that PostgreSQL serves, over one state. Nothing outlives the process.

No call waits half-way, so each is one transaction by itself.
"""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from realtime.core import outbox, record, sortkey
from realtime.core.board import BoardState
from realtime.core.errors import (
    BoardChanged,
    BoardHasEntries,
    BoardUnknown,
    IdempotencyMismatch,
    PlayerUnknown,
    ScoreRefused,
)
from realtime.core.fold import Outcome, Submission, fold
from realtime.core.letters import Letter
from realtime.core.model import Board, BoardKey, Change, Entry, Profile
from realtime.core.pictures import Portrait
from realtime.core.ports import Page, Standings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence

    from realtime.core.model import BoardSpec
    from realtime.core.outbox import Packed
    from realtime.core.ports import Result

_CHUNK: Final = 1000
KEPT: Final = 24 * 3600.0
"""Seconds for which the answer under an idempotency key is kept."""


@dataclass(slots=True)
class Waiting:
    """A row of the outbox; nobody may claim it until `free_at`. `reason` says why it is held."""

    payload: bytes
    free_at: float
    at: float
    trace: str | None = None
    claims: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What was sent and answered under an idempotency key."""

    body: bytes
    outcome: Outcome
    at: float


@dataclass(slots=True)
class MemoryStore:
    """The state that the adapters share. `clock` tells the seconds by which leases and idempotency keys run out."""

    clock: Callable[[], float]
    boards: dict[str, Board] = field(default_factory=dict)
    epochs: dict[BoardKey, int] = field(default_factory=dict)
    entries: dict[BoardKey, dict[str, Entry]] = field(default_factory=dict)
    """Tombstones, too."""
    written: dict[tuple[BoardKey, str], float] = field(default_factory=dict)
    """When a player's entry got its seq."""
    profiles: dict[str, Profile] = field(default_factory=dict)
    portrayed: dict[str, int] = field(default_factory=dict)
    """When a player's picture was asked for."""
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    """When a player's newest refused picture was asked for, and why it was refused."""
    answers: dict[bytes, Answered] = field(default_factory=dict)
    outbox: dict[int, Waiting] = field(default_factory=dict)
    rebuilding: set[BoardKey] = field(default_factory=set)
    touched: dict[BoardKey, float] = field(default_factory=dict)
    failed_over: bool = False
    """Set by who plays a failover, until the ledger has followed it."""
    seqs: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _rows: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _epochs: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_board(self, name: str, spec: BoardSpec) -> Board:
        """A board that nobody has had before."""
        board = self.boards[name] = Board(BoardKey(next(self._ids), 1), name, spec, 1)
        self.entries[board.key] = {}
        self.epochs[board.key] = next(self._epochs)
        return board

    def raise_epoch(self, key: BoardKey) -> int:
        """Draw an epoch for a board."""
        epoch = next(self._epochs)
        if key in self.epochs:
            self.epochs[key] = epoch
        return epoch

    def remember(self, submission: Submission, outcome: Outcome) -> None:
        """Keep an answer under its idempotency key, and let go of the oldest ones that have run out."""
        now = self.clock()
        while self.answers and next(iter(self.answers.values())).at < now - KEPT:
            del self.answers[next(iter(self.answers))]
        self.answers[submission.key] = Answered(submission.body, outcome, now)

    def change(self, board: Board, player: str) -> Change:
        """The whole state of a player on a board."""
        entry = self.entries[board.key][player]
        profile = self.profiles.get(player, Profile())
        key = b"" if entry.score is None else sortkey.encode(board.spec.columns, entry.score, entry.seq)
        return Change(player, entry.seq, key, profile.seq, record.display(profile), entry.metadata)

    def boards_of(self, player: str) -> list[Board]:
        """Every board on which this player has, or had, an entry."""
        return [board for board in self.boards.values() if player in self.entries[board.key]]

    def announce(self, changes: Mapping[BoardKey, Sequence[Change]], trace: str | None = None) -> None:
        """Put into the outbox what the ranking has to hear."""
        self.outbox[next(self._rows)] = Waiting(outbox.encode(changes), float("-inf"), self.clock(), trace)


class MemorySubmissions:
    """The port `Submissions`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def submit(self, batch: Sequence[Submission]) -> list[Result]:
        """See the port."""
        touched: dict[tuple[str, str], None] = {}
        results = [self._answer(submission, touched) for submission in batch]
        changes: dict[BoardKey, list[Change]] = {}
        for name, player in sorted(touched):
            board = self._store.boards[name]
            changes.setdefault(board.key, []).append(self._store.change(board, player))
        if changes:
            self._store.announce(changes, next((submission.trace for submission in batch if submission.trace), None))
        return results

    def _answer(self, submission: Submission, touched: dict[tuple[str, str], None]) -> Result:
        board = submission.board
        current = self._store.boards.get(board.name)
        if current is None or (current.key, current.revision) != (board.key, board.revision):
            return BoardChanged(board.name)
        if (known := self._known(submission)) is not None:
            return known
        seq = next(self._store.seqs)
        entries = self._store.entries[board.key]
        try:
            entry, improved = fold(board.spec, entries.get(submission.player, Entry()), submission, seq)
        except ScoreRefused as refusal:
            return refusal
        entries[submission.player] = entry
        if improved:
            self._store.written[board.key, submission.player] = self._store.clock()
            touched[board.name, submission.player] = None
        self._rename(submission, seq, touched)
        outcome = Outcome(submission.player, submission.score, entry.score or submission.score, improved, entry.seq)
        if submission.key:
            self._store.remember(submission, outcome)
        return outcome

    def _known(self, submission: Submission) -> Result | None:
        answered = self._store.answers.get(submission.key)
        if answered is None or answered.at < self._store.clock() - KEPT:
            return None
        if answered.body != submission.body:
            return IdempotencyMismatch("this Idempotency-Key was used with another body")
        return replace(answered.outcome, repeated=True)

    def _rename(self, submission: Submission, seq: int, touched: dict[tuple[str, str], None]) -> None:
        player, profile = submission.player, self._store.profiles.get(submission.player, Profile())
        if submission.name is not None and submission.name != profile.name:
            self._store.profiles[player] = Profile(submission.name, profile.country, profile.picture, seq)
            touched.update({(board.name, player): None for board in self._store.boards_of(player)})


class MemoryBoards:
    """The port `Boards`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def all(self) -> list[Board]:
        """See the port."""
        return [self._store.boards[name] for name in sorted(self._store.boards)]

    async def get(self, name: str) -> Board:
        """See the port."""
        if name not in self._store.boards:
            raise BoardUnknown(f"there is no board {name!r}")
        return self._store.boards[name]

    async def by_keys(self, keys: Sequence[BoardKey]) -> dict[BoardKey, Board]:
        """See the port."""
        return {board.key: board for board in self._store.boards.values() if board.key in keys}

    async def put(self, name: str, spec: BoardSpec) -> tuple[Board, bool]:
        """See the port."""
        old = self._store.boards.get(name)
        if old is None:
            board = self._store.new_board(name, spec)
            self._store.announce({board.key: []})
            return board, True
        if old.spec == spec:
            return old, False
        fixed = (old.spec.columns, old.spec.operator) == (spec.columns, spec.operator)
        if not fixed and self._store.entries[old.key]:
            raise BoardHasEntries("columns and operator are fixed once a board has entries")
        edited = self._store.boards[name] = Board(old.key, name, spec, old.revision + 1)
        self._store.raise_epoch(old.key)
        self._store.announce({old.key: []})
        return edited, False

    async def delete(self, name: str) -> Board:
        """See the port."""
        board = await self.get(name)
        del self._store.boards[name], self._store.entries[board.key], self._store.epochs[board.key]
        self._store.announce({board.key: []})
        return board


class MemoryPlayers:
    """The port `Players`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def put(self, player: str, fields: Mapping[str, str | None]) -> Profile:
        """See the port."""
        old = self._store.profiles.get(player, Profile())
        wanted = {"name": old.name, "country": old.country, "picture": old.picture, **fields}
        shown = wanted["name"], wanted["country"], wanted["picture"]
        if shown == (old.name, old.country, old.picture):
            return old
        profile = self._store.profiles[player] = Profile(*shown, next(self._store.seqs))
        boards = self._store.boards_of(player)
        if boards:
            self._store.announce({board.key: [self._store.change(board, player)] for board in boards})
        return profile

    async def portray(self, player: str, picture: str | None, at: int) -> bool:
        """See the port."""
        if at < self._store.portrayed.get(player, 0):
            return False
        self._store.portrayed[player] = at
        await self.put(player, {"picture": picture})
        return True

    async def refuse(self, player: str, reason: str, at: int) -> None:
        """See the port."""
        if at >= self._store.refused.get(player, (0, ""))[0]:
            self._store.refused[player] = at, reason

    async def portrait(self, player: str) -> Portrait:
        """See the port."""
        shown = self._store.profiles.get(player, Profile()).picture
        return Portrait(shown, self._store.portrayed.get(player, 0), *self._store.refused.get(player, ()))

    async def get(self, player: str) -> Profile:
        """See the port."""
        return self._store.profiles.get(player, Profile())

    async def remove(self, board: Board, player: str) -> int:
        """See the port."""
        entries = self._store.entries.get(board.key, {})
        if entries.get(player, Entry()).score is None:
            raise PlayerUnknown(f"{player!r} is not on board {board.name!r}")
        seq = next(self._store.seqs)
        entries[player] = Entry(None, seq)
        self._store.announce({board.key: [self._store.change(board, player)]})
        return seq


class MemoryOutbox:
    """The port `Outbox`. A claim holds for `lease` seconds, and twice as long with each that was not released, so often at the most
    as `doublings` says.
    """  # noqa: D205 - one thought

    def __init__(self, store: MemoryStore, lease: float, doublings: int = 0) -> None:
        self._store = store
        self._lease = lease
        self._doublings = doublings

    async def claim(self, limit: int, after: int = 0) -> list[Letter]:
        """See the port."""
        now = self._store.clock()
        rows = sorted(self._store.outbox.items())
        free = [row for row, waiting in rows if row > after and waiting.free_at < now][:limit]
        for row in free:
            waiting = self._store.outbox[row]
            waiting.free_at = now + self._lease * 2 ** min(waiting.claims, self._doublings)
            waiting.claims += 1
        return await self.read(free)

    async def read(self, ids: Sequence[int]) -> list[Letter]:
        """See the port."""
        there = ((row, self._store.outbox[row]) for row in sorted(ids) if row in self._store.outbox)
        return [Letter(row, waiting.payload, waiting.trace, round(waiting.at * 1_000_000)) for row, waiting in there]

    async def settle(self, ids: Sequence[int]) -> None:
        """See the port."""
        for row in ids:
            self._store.outbox.pop(row, None)

    async def release(self, ids: Sequence[int], delay: float) -> None:
        """See the port."""
        for row in ids:
            if row in self._store.outbox:
                self._store.outbox[row].free_at = self._store.clock() + delay
                self._store.outbox[row].claims = 0

    async def hold(self, ids: Sequence[int], reason: str) -> None:
        """See the port."""
        for row in ids:
            if row in self._store.outbox:
                self._store.outbox[row].free_at = float("inf")
                self._store.outbox[row].reason = reason

    async def backlog(self) -> tuple[int, float]:
        """See the port."""
        waiting = [one.at for one in self._store.outbox.values() if one.reason is None]
        return len(waiting), self._store.clock() - min(waiting, default=self._store.clock())


class MemoryLedger:
    """The port `Ledger`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def epochs(self, keys: Sequence[BoardKey] | None = None) -> dict[BoardKey, int]:
        """See the port."""
        living = self._store.epochs
        return dict(living) if keys is None else {key: living[key] for key in keys if key in living}

    async def new_epoch(self, key: BoardKey) -> int:
        """See the port."""
        return self._store.raise_epoch(key)

    async def follow_timeline(self) -> bool:
        """See the port."""
        changed, self._store.failed_over = self._store.failed_over, False
        if changed:
            await self.raise_epochs()
            self._store.announce({key: [] for key in self._store.epochs})
        return changed

    async def raise_epochs(self) -> None:
        """Draw an epoch for every board: none of what the ranking holds passes any more."""
        for key in self._store.epochs:
            self._store.raise_epoch(key)

    @asynccontextmanager
    async def rebuilding(self, key: BoardKey) -> AsyncIterator[bool]:
        """See the port."""
        if key in self._store.rebuilding:
            yield False
            return
        self._store.rebuilding.add(key)
        try:
            yield True
        finally:
            self._store.rebuilding.discard(key)

    async def snapshot(self, key: BoardKey) -> AsyncGenerator[list[Packed]]:
        """See the port."""
        boards = [board for board in self._store.boards.values() if board.key == key]
        changes = [self._store.change(board, player) for board in boards for player in self._store.entries[key]]
        packed = [(change.player.encode(), record.pack(change)) for change in changes]
        for start in range(0, len(packed), _CHUNK):
            yield packed[start : start + _CHUNK]

    async def touch(self, keys: Sequence[BoardKey]) -> None:
        """See the port."""
        self._store.touched.update(dict.fromkeys(keys, self._store.clock()))


class MemoryFallback:
    """The port `Fallback`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def page(self, board: Board, offset: int, limit: int) -> Page:
        """See the port."""
        state = self._state(board)
        rows = state.stretch(offset, limit)
        first = state.standing(rows[0].player) if rows else None
        return Page(0, 0, state.total, offset, first.rank if first else 0, rows, stale=True)

    async def around(self, board: Board, player: str, radius: int) -> Page | None:
        """See the port."""
        standing = self._state(board).standing(player)
        if standing is None:
            return None
        start = max(0, standing.position - radius)
        return await self.page(board, start, standing.position + radius + 1 - start)

    async def standings(self, board: Board, players: Sequence[str]) -> Standings:
        """See the port."""
        state = self._state(board)
        return Standings(0, 0, state.total, tuple(map(state.standing, players)), stale=True)

    async def age(self, board: Board, player: str) -> tuple[int, float] | None:
        """See the port."""
        entry = self._store.entries.get(board.key, {}).get(player, Entry())
        if entry.score is None:
            return None
        return entry.seq, self._store.clock() - self._store.written[board.key, player]

    async def find(self, board: Board, beginning: str, limit: int) -> list[str]:
        """See the port."""
        state, folded = self._state(board), beginning.lower()
        ranked = sorted((row.player, row.name or "") for row in state.stretch(0, state.total))
        found = [who for who, name in ranked if who.startswith(beginning) or name.lower().startswith(folded)]
        return found[:limit]

    def _state(self, board: Board) -> BoardState:
        state = BoardState(board.spec.columns, 0)
        state.load(self._store.change(board, player) for player in self._store.entries.get(board.key, {}))
        return state
