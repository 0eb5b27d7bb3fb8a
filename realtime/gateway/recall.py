"""Players who come back: where they stood at the version that they hold, worked out for many at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from realtime.core import sortkey
from realtime.core.errors import BoardChanged, Unavailable
from realtime.core.points import PlayerPoint
from realtime.core.watched import Place, stood

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from realtime.core.ports import Ranking
    from realtime.core.watched import Tracking
    from realtime.gateway.moves import Moves

AT_ONCE: Final = 250
_PATIENCE: Final = 2.0


class _Asked(NamedTuple):
    player: str
    epoch: int
    version: int
    answer: asyncio.Future[PlayerPoint | None]


class Recalls:
    """`run` answers what was asked meanwhile, together; cancel it to leave."""

    def __init__(self, moves: Moves, ranking: Ranking, make: Callable[[int], Tracking]) -> None:
        self._moves = moves
        self._ranking = ranking
        self._make = make
        self._waiting: list[_Asked] = []
        self._wanted = asyncio.Event()

    async def stood(self, player: str, epoch: int, version: int) -> PlayerPoint | None:
        """Where a watched player stood after a version, as far back as the board's stream reaches; None beyond that."""
        asked = _Asked(player, epoch, version, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        self._wanted.set()
        return await asked.answer

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._waiting:
                asked, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                await self._answer(asked)

    async def _answer(self, asked: Sequence[_Asked]) -> None:
        found: dict[int, PlayerPoint] = {}
        try:
            found = await self._find(asked)
        except (Unavailable, BoardChanged, TimeoutError):
            # Nothing is known of the past: they are told afresh.
            return
        finally:
            for index, one in enumerate(asked):
                if not one.answer.done():
                    one.answer.set_result(found.get(index))

    async def _find(self, asked: Sequence[_Asked]) -> dict[int, PlayerPoint]:
        moves = self._moves
        current = {
            index: one for index, one in enumerate(asked) if one.epoch == moves.epoch and one.version <= moves.version
        }
        if not current or not await moves.reach(min(one.version for one in current.values())):
            return {}
        left: set[bytes] = set()
        held: dict[bytes, Place] = {}
        for index, key in self._keys_then(current).items():
            place = self._place(asked[index].player)
            if place is not None and place.key == key:
                held[key] = place
            elif key:
                left.add(key)
        if not left:
            return self._undo(current, {})
        since, keys = moves.version, list(left)
        found = await self._ranking.places(moves.board.key, keys)
        answer: asyncio.Future[dict[int, PlayerPoint]] = asyncio.get_running_loop().create_future()

        def end(points: dict[int, PlayerPoint]) -> None:
            if not answer.done():
                answer.set_result(points)

        def finish() -> None:
            places = {key: Place(key, *place) for key, place in zip(keys, found.places, strict=True)}
            # Who held a key when we asked may have left it since.
            end(self._undo(current, self._brought(places, found.version) | self._brought(held, since)))

        # Where an epoch begins before, nothing leads there from what they hold.
        if not moves.when(found, finish, lambda: end({})):
            return {}
        async with asyncio.timeout(_PATIENCE):
            return await answer

    def _brought(self, places: Mapping[bytes, Place], version: int) -> dict[bytes, Place]:
        """Where keys stand now, given where they stood after a version; they need not be anybody's."""
        named = [(f"/{index}", place) for index, place in enumerate(places.values())]
        brought = self._moves.watched.brought(named, self._moves.log, version)
        return {place.key: place for place in brought.values() if place is not None}

    def _undo(self, asked: Mapping[int, _Asked], left: Mapping[bytes, Place]) -> dict[int, PlayerPoint]:
        """Where they stood, from where the keys that they had stand now; `left` are those that are nobody's now."""
        moves = self._moves
        unranked, ranked = [], {}
        for index, key in self._keys_then(asked).items():
            place = left.get(key) if key != self._key_now(asked[index].player) else self._place(asked[index].player)
            if not key:
                unranked.append(index)
            elif place is not None:
                ranked[index] = place
        stands = stood(
            self._make,
            sortkey.width(moves.board.spec.columns),
            [(place, asked[index].version) for index, place in ranked.items()],
            moves.log,
        )
        points = {
            index: PlayerPoint(moves.epoch, asked[index].version, moves.total, moves.board.spec) for index in unranked
        }
        for index, place in zip(ranked, stands, strict=True):
            points[index] = PlayerPoint(moves.epoch, asked[index].version, moves.total, moves.board.spec, *place)
        return points

    def _keys_then(self, asked: Mapping[int, _Asked]) -> dict[int, bytes]:
        """The key that each had after its version, empty where it was not ranked; without those who are not watched."""
        players = {one.player for one in asked.values()}
        left: dict[str, list[tuple[int, bytes]]] = {}
        for version, moved in self._moves.log.after(min(one.version for one in asked.values())):
            for move in moved:
                if move.player in players and move.old != move.new:
                    left.setdefault(move.player, []).append((version, move.old))
        keys = {}
        for index, one in asked.items():
            since = (key for version, key in left.get(one.player, ()) if version > one.version)
            key = next(since, self._key_now(one.player))
            if key is not None:
                keys[index] = key
        return keys

    def _key_now(self, player: str) -> bytes | None:
        if player not in self._moves.watched:
            return None
        place = self._place(player)
        return b"" if place is None else place.key

    def _place(self, player: str) -> Place | None:
        return self._moves.watched.place(player) if player in self._moves.watched else None
