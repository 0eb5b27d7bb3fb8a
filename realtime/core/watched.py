"""Watched players by name over a tracker of handles, and how they are brought from one version to a later one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from realtime.core.announcement import Move
    from realtime.core.passing import MoveLog

UNRANKED: Final = -1


class Place(NamedTuple):
    """A key, its position (from 0) and the shared rank of its columns (from 1)."""

    key: bytes
    position: int
    rank: int


class Tracking(Protocol):
    """A tracker, in Python (`realtime.core.tracker`) or in C."""

    def add(self, handle: int, key: bytes, position: int, rank: int, /) -> None:
        """Track a key."""

    def remove(self, handle: int, /) -> None:
        """Track it no longer."""

    def apply(self, moves: Sequence[tuple[bytes, bytes]], own: Sequence[tuple[int, bytes, int, int]], /) -> None:
        """Take every net move of one version; `own` are those of tracked keys, as they were announced."""

    def changed(self) -> list[int]:
        """Handles that stand elsewhere than was last told."""

    def news(self) -> list[tuple[int, bytes, int, int]]:
        """Handle, key, position and rank of those; told from now on."""

    def tell(self, handle: int, /) -> tuple[int, int, int, int]:
        """Position and rank, then those last told; told from now on."""

    def place(self, handle: int, /) -> tuple[bytes, int, int]:
        """Key, position and rank."""


class Watched:
    """Players, ranked or not, by id; and other keys under names that no player can have."""

    def __init__(self, make: Callable[[int], Tracking], width: int) -> None:
        self._make = make
        self._width = width
        self._tracker = make(width)
        self._handles: dict[str, int] = {}
        self._names: list[str | None] = []
        self._free: list[int] = []

    def __contains__(self, name: str) -> bool:
        return name in self._handles

    def __len__(self) -> int:
        return len(self._handles)

    def add(self, name: str, place: Place | None) -> None:
        """Watch from now on; None for a player who is not ranked."""
        self._handles[name] = UNRANKED
        if place is not None:
            self._track(name, place)

    def _track(self, name: str, place: Place) -> None:
        if self._free:
            handle = self._free.pop()
            self._names[handle] = name
        else:
            handle = len(self._names)
            self._names.append(name)
        self._tracker.add(handle, *place)
        self._handles[name] = handle

    def remove(self, name: str) -> None:
        """Watch no longer."""
        handle = self._handles.pop(name, UNRANKED)
        if handle != UNRANKED:
            self._tracker.remove(handle)
            self._release(handle)

    def _release(self, handle: int) -> None:
        self._names[handle] = None
        self._free.append(handle)

    def apply(self, moves: Sequence[Move]) -> list[Move]:
        """Take one version's moves; those of watched players."""
        handles = self._handles
        own = [move for move in moves if move.player in handles]
        placed = [
            (handle, move.new, move.position if move.new else 0, move.rank if move.new else 1)
            for move in own
            if (handle := handles[move.player]) != UNRANKED
        ]
        self._tracker.apply([(move.old, move.new) for move in moves], placed)
        for move in own:
            handle = handles[move.player]
            if not move.new and handle != UNRANKED:
                self._release(handle)
                handles[move.player] = UNRANKED
            elif move.new and handle == UNRANKED:
                self._track(move.player, Place(move.new, move.position, move.rank))
        return own

    def place(self, name: str) -> Place | None:
        """Where a watched player stands; None where it is not ranked. Raises KeyError."""
        handle = self._handles[name]
        return None if handle == UNRANKED else Place(*self._tracker.place(handle))

    def tell(self, name: str) -> Place | None:
        """As `place`, and from now on told."""
        handle = self._handles[name]
        if handle == UNRANKED:
            return None
        self._tracker.tell(handle)
        return Place(*self._tracker.place(handle))

    def news(self) -> list[tuple[str, Place]]:
        """Names, best first, that stand elsewhere than was last told, with their places; told from now on."""
        names = self._names
        return [
            (name, Place(key, position, rank))
            for handle, key, position, rank in self._tracker.news()
            if (name := names[handle]) is not None
        ]

    def brought(
        self, places: Iterable[tuple[str, Place | None]], log: MoveLog, version: int
    ) -> dict[str, Place | None]:
        """Where those who stood so after `version` stand after the last version of the log."""
        scratch = Watched(self._make, self._width)
        for name, place in places:
            scratch.add(name, place)
        for _, moves in log.after(version):
            scratch.apply(moves)
        return {name: scratch.place(name) for name in scratch._handles}


def stood(make: Callable[[int], Tracking], width: int, asked: Sequence[tuple[Place, int]], log: MoveLog) -> list[Place]:
    """Where keys stood after earlier versions, given where they stand after the last one of the log.

    `asked` are places of now with the version asked for, which the log reaches. The moves are undone, the newest first.
    """
    keys = Watched(make, width)
    by_version: dict[int, list[int]] = {}
    for index, (place, version) in enumerate(asked):
        keys.add(_key_name(index), place)
        by_version.setdefault(version, []).append(index)
    found = [place for place, _ in asked]
    # No player can have the name of a key: every move counts as somebody else's.
    for version, moves in reversed(log.after(min(by_version, default=0))):
        for index in by_version.pop(version, ()):
            found[index] = keys.place(_key_name(index)) or found[index]
        keys.apply([move._replace(old=move.new, new=move.old) for move in moves])
    for indexes in by_version.values():
        for index in indexes:
            found[index] = keys.place(_key_name(index)) or found[index]
    return found


def _key_name(index: int) -> str:
    return f"/{index}"
