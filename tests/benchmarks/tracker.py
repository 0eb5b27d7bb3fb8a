"""What a version costs a node that keeps 100,000 own ranks, with the tracker and by asking a sorted list for each."""

from __future__ import annotations

import random
import time
from struct import Struct
from typing import TYPE_CHECKING

from sortedcontainers import SortedList

from realtime.core.errors import SettingInvalid
from realtime.gateway.speedups import choose
from tests.benchmarks.rig import Figure, full, median

if TYPE_CHECKING:
    from collections.abc import Callable

    from realtime.core.tracker import Tracker

PLAYERS, WATCHED = 200_000, 100_000
MOVES, OWN = 1_000, 100
SCORES = 1_000_000
RUNS = full(11, 3)
TARGETS = {"c": "≤ 1.5 ms", "python": "≤ 20 ms"}
_KEY = Struct(">QQ").pack


class Board:
    """A board as a sorted list; every other player is watched."""

    def __init__(self) -> None:
        self.chance = random.Random(17)
        self.seq = 0
        self.keys = [self.draw() for _ in range(PLAYERS)]
        self.order = SortedList(self.keys)

    def draw(self) -> bytes:
        self.seq += 1
        return _KEY(self.chance.randrange(SCORES), self.seq)

    def standing(self, key: bytes) -> tuple[int, int]:
        return self.order.bisect_left(key), self.order.bisect_left(key[:-8]) + 1

    def standings(self) -> list[tuple[int, int]]:
        return [self.standing(key) for key in self.keys[:WATCHED]]

    def moves(self) -> dict[int, tuple[bytes, bytes]]:
        """What is next: old and new key by player. The first WATCHED players are the watched."""
        movers = [*self.chance.sample(range(WATCHED), OWN)]
        movers += self.chance.sample(range(WATCHED, PLAYERS), MOVES - OWN)
        return {player: (self.keys[player], self.draw()) for player in movers}

    def take(self, moves: dict[int, tuple[bytes, bytes]]) -> None:
        for player, (old, new) in moves.items():
            self.order.remove(old)
            self.order.add(new)
            self.keys[player] = new


async def run() -> list[Figure]:
    board = Board()
    trackers = {name: made for name in TARGETS if (made := tracked(board, name)) is not None}
    spent: dict[str, list[float]] = {name: [] for name in ("sorted", *trackers, *(f"{one} list" for one in trackers))}
    for _ in range(RUNS):
        moves = board.moves()
        spent["sorted"].append(timed(lambda: (board.take(moves), board.standings())))  # noqa: B023
        pairs = list(moves.values())
        own = [(player, new, *board.standing(new)) for player, (_, new) in moves.items() if player < WATCHED]
        for name, tracker in trackers.items():
            applied = timed(lambda: tracker.apply(pairs, own))  # noqa: B023
            listed = timed(tracker.changed)
            spent[name].append(applied)
            spent[f"{name} list"].append(applied + listed)
            for handle in tracker.changed():
                tracker.tell(handle)
    for tracker in trackers.values():
        if [tracker.place(handle)[1:] for handle in range(WATCHED)] != board.standings():
            raise RuntimeError("the tracker and the sorted list disagree")
    return [figure(name, {one: median(times) for one, times in spent.items()}) for name in trackers]


def tracked(board: Board, name: str) -> Tracker | None:
    try:
        tracker = choose(name).tracker(16)
    except SettingInvalid:
        return None
    for handle, place in enumerate(board.standings()):
        tracker.add(handle, board.keys[handle], *place)
    tracker.changed()
    return tracker


def timed(call: Callable[[], object]) -> float:
    """Milliseconds of CPU: nothing here waits, and what else the machine does is no part of it."""
    started = time.thread_time()
    call()
    return (time.thread_time() - started) * 1000


def figure(name: str, took: dict[str, float]) -> Figure:
    return Figure(
        f"{WATCHED:,} own ranks past {MOVES:,} moves, {OWN} of them own: tracker in {name} (and the changed listed)"
        " : sortedcontainers, each rank asked for",
        f"{took[name]:.2f} ms ({took[f'{name} list']:.2f} ms)",
        f"{took['sorted']:,.0f} ms",
        took[name] / took["sorted"],
        TARGETS[name],
    )
