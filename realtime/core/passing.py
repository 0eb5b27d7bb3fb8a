"""Who passed whom: read off the moves that a board announced between two versions."""

from __future__ import annotations

from bisect import bisect_left
from heapq import nlargest
from typing import TYPE_CHECKING, Final, NamedTuple

from realtime.core.sortkey import columns_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from realtime.core.announcement import Move

NAMED: Final = 3
"""At most this many players are named, the nearest first."""
LOGGED: Final = 50_000
"""Moves kept; past it the oldest versions go, and who asks from before them is told of nobody."""

FEW: Final = 2
LOOKED: Final = 2_000
"""Moves that are looked through for who passed: some seconds of a busy board."""

Net = dict[str, tuple[bytes, bytes]]
"""By player the key from before and the key of now; empty where the player was, or is, not ranked."""


_Climb = tuple[bytes, bytes, str]
"""In the order of the board: the new key, the old one, and whose."""


class Stand(NamedTuple):
    """Where a watched player stood and stands: two keys, the same one where the player did not move."""

    player: str
    was: bytes
    now: bytes


class MoveLog:
    """The net moves of the recent versions, oldest first."""

    def __init__(self) -> None:
        self._versions: list[int] = []
        self._moves: list[Sequence[Move]] = []
        self._logged = 0

    def append(self, version: int, moves: Sequence[Move]) -> None:
        """The next version's moves."""
        self._versions.append(version)
        self._moves.append(moves)
        self._logged += len(moves)
        while self._logged > LOGGED and len(self._versions) > 1:
            self._logged -= len(self._moves[0])
            del self._versions[0], self._moves[0]

    def prepend(self, entries: Sequence[tuple[int, Sequence[Move]]]) -> None:
        """Versions from before the first one, in order, up to it or beyond: as many as there is room for."""
        first = self._versions[0] if self._versions else None
        for version, moves in reversed(entries):
            if first is not None and version >= first:
                continue
            if self._logged + len(moves) > LOGGED:
                return
            self._versions.insert(0, version)
            self._moves.insert(0, moves)
            self._logged += len(moves)

    def clear(self) -> None:
        """Forget everything: the versions have a hole."""
        self._versions, self._moves, self._logged = [], [], 0

    @property
    def first(self) -> int:
        """The oldest version that is here; 0 where there is none."""
        return self._versions[0] if self._versions else 0

    def reaches(self, version: int) -> bool:
        """Whether every version after this one is here."""
        return bool(self._versions) and self._versions[0] <= version + 1

    def after(self, version: int) -> list[tuple[int, Sequence[Move]]]:
        """Versions after this one with their moves, in order."""
        cut = bisect_left(self._versions, version + 1)
        return list(zip(self._versions[cut:], self._moves[cut:], strict=True))

    def nets(self, versions: Iterable[int], until: int) -> dict[int, Net]:
        """For each of these versions what moved from then to `until`, net.

        Nothing for one that the log does not reach, or that lies more than `LOOKED` moves back. Shared work: each move is
        looked at once.
        """
        found: dict[int, Net] = {}
        net: Net = {}
        index, looked = bisect_left(self._versions, until + 1), 0
        for version in sorted(set(versions), reverse=True):
            while index and self._versions[index - 1] > version and looked <= LOOKED:
                index -= 1
                looked += len(self._moves[index])
                for player, old, new, *_ in self._moves[index]:
                    net[player] = old, net[player][1] if player in net else new
            found[version] = dict(net) if looked <= LOOKED and self.reaches(version) else {}
        return found


class Climbers:
    """What moved between two versions, to be asked by those who want to know who passed them.

    `shared`: ahead means better columns, as on a board that shares ranks; else a better key.
    """

    def __init__(self, net: Mapping[str, tuple[bytes, bytes]], *, shared: bool) -> None:
        self._net = net
        self._order = columns_of if shared else _whole
        self._sorted: list[_Climb] | None = None

    def past(self, stands: Sequence[Stand]) -> list[list[str]]:
        """For each who was not ahead and now is, the nearest first, at most three."""
        if len(stands) <= FEW and self._sorted is None:
            # To put all in order costs more than to look at each.
            return [self._look(stand) for stand in stands]
        order, moves = self._order, self._climbs()
        found: list[list[str]] = [[] for _ in stands]
        still: list[tuple[bytes, int]] = []
        for index, stand in enumerate(stands):
            if stand.was == stand.now:
                still.append((order(stand.now), index))
            elif stand.now:
                found[index] = _past(moves, order, stand)
        still.sort()
        _sweep(moves, still, found)
        return found

    def _climbs(self) -> list[_Climb]:
        if self._sorted is None:
            order = self._order
            # By whole keys: of those who share a rank, the one who reached it last is the nearest.
            ahead = sorted((new, old, player) for player, (old, new) in self._net.items() if new and new != old)
            self._sorted = [(order(new), order(old), player) for new, old, player in ahead]
        return self._sorted

    def _look(self, stand: Stand) -> list[str]:
        if not stand.was or not stand.now:
            return []
        order = self._order
        was, now = order(stand.was), order(stand.now)
        past = [
            (new, player)
            for player, (old, new) in self._net.items()
            if new and new != old and order(new) < now and (not old or order(old) >= was) and player != stand.player
        ]
        return [player for _, player in nlargest(NAMED, past)]


def _whole(key: bytes) -> bytes:
    return key


def _past(moves: Sequence[_Climb], order: Callable[[bytes], bytes], stand: Stand) -> list[str]:
    """For one who moved: a look at every move ahead of where it stands now."""
    was, now = order(stand.was), order(stand.now)
    named: list[str] = []
    for index in range(bisect_left(moves, (now,)) - 1, -1, -1):
        _, old, player = moves[index]
        # An absent key is behind everybody: it was not ahead, and nobody who was absent could be passed.
        if was and (not old or old >= was) and player != stand.player:
            named.append(player)
            if len(named) == NAMED:
                break
    return named


def _sweep(moves: Sequence[_Climb], still: Sequence[tuple[bytes, int]], found: list[list[str]]) -> None:
    """For those who stood still, from the best down: a move is open between its new key and its old one.

    Moves are opened in the order of their new keys, so the nearest is the one opened last; one that is closed for a stand
    is closed for all further ones, and goes. Each move is thus opened and closed once, whatever the number of stands.
    """
    opened: list[tuple[bytes, str]] = []
    index = 0
    for at, stand in still:
        if not at:
            continue
        while index < len(moves) and moves[index][0] < at:
            opened.append(moves[index][1:])
            index += 1
        place = len(opened) - 1
        while place >= 0 and len(found[stand]) < NAMED:
            old, player = opened[place]
            if old and old < at:
                del opened[place]
            else:
                found[stand].append(player)
            place -= 1
