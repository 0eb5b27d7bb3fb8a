"""A board's moves as a node follows them: one tracker of all who are watched, exact at every version."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from realtime.core import announcement, sortkey
from realtime.core.errors import VersionGap
from realtime.core.passing import MoveLog
from realtime.core.watched import Place, Watched
from realtime.gateway.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from realtime.core.announcement import Move, Moved, Origin
    from realtime.core.model import Board
    from realtime.core.ports import Bus, Ranking
    from realtime.core.watched import Tracking


def _nothing() -> None:
    """Nobody waits."""


class Read(Protocol):
    """What was read from the ranking, at one version."""

    @property
    def epoch(self) -> int: ...  # noqa: D102 - as everywhere
    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def total(self) -> int: ...  # noqa: D102


class _Parked(NamedTuple):
    read: Read
    then: Callable[[], None]
    dropped: Callable[[], None]


class Moves(Tail["Moved"]):
    """Holds where the watched stand after `version` of `epoch`; `board` is as that epoch has it.

    `board_at` gives the board as an epoch has it, None where that is not known yet. `moved` is told of each version with
    the moves of watched players; `started` when an epoch begins or a hole could not be mended: then nobody is watched any
    more and all have to be looked up again.
    """

    def __init__(
        self,
        board: Board,
        board_at: Callable[[int], Board | None],
        ranking: Ranking,
        bus: Bus,
        make: Callable[[int], Tracking],
        *,
        moved: Callable[[Sequence[Move], list[Move]], None],
        started: Callable[[], None],
    ) -> None:
        super().__init__(board, ranking, bus, "moves")
        self._board_at = board_at
        self.epoch = 0
        self.version = 0
        self.total = 0
        self.origin: Origin | None = None
        """Where the newest version comes from."""
        self.log = MoveLog()
        self._make = make
        self._moved = moved
        self._started = started
        self._parked: list[_Parked] = []
        self.watched = self._nobody()

    def _nobody(self) -> Watched:
        return Watched(self._make, sortkey.width(self.board.spec.columns))

    # -- following -----------------------------------------------------------------------------------------------------

    def holds(self) -> tuple[int, int]:
        """See the base."""
        return self.epoch, self.version

    async def _read(self) -> Sequence[Moved] | None:
        """What was missed; nothing where that cannot be had, and an epoch begins anew."""
        past = await self._since(self.epoch, self.version) if self.epoch else None
        if past is not None:
            return [one.moved for one in past]
        return () if self._start(*await self._ranking.position(self._key)) else None

    def _start(self, epoch: int, version: int) -> bool:
        """Begin an epoch anew; False while it is not known what the board is in it."""
        board = self._board_at(epoch)
        if board is None:
            return False
        self.board = board
        self.epoch, self.version = epoch, version
        self.log.clear()
        self.watched = self._nobody()
        parked, self._parked = self._parked, []
        self._started()
        for one in parked:
            one.dropped()
        return True

    def _decode(self, payload: bytes) -> Moved:
        return announcement.decode_moves(payload)

    def _advance(self, moved: Moved) -> bool:
        if (moved.epoch, moved.version) <= (self.epoch, self.version):
            return False
        if moved.epoch != self.epoch or moved.version != self.version + 1:
            raise VersionGap(f"holding {self.epoch}/{self.version}, heard {moved.epoch}/{moved.version}")
        own = self.watched.apply(moved.moves)
        self.version, self.total, self.origin = moved.version, moved.total, moved.origin
        self.log.append(moved.version, moved.moves)
        self._moved(moved.moves, own)
        if self._parked:
            self._unpark()
        return True

    async def reach(self, version: int) -> bool:
        """Whether the log holds what moved since a version; read from the board's stream, once for all who come back."""
        async with self._reaching:
            if version == self.version or self.log.reaches(version):
                return True
            epoch = self.epoch
            past = await self._back_to(epoch, self.version, version)
            if epoch == self.epoch:
                moved = [one.moved for one in past]
                self.log.prepend([(one.version, one.moves) for one in moved if one.version <= self.version])
        return self.log.reaches(version)

    # -- who joins -----------------------------------------------------------------------------------------------------

    def when(self, read: Read, then: Callable[[], None], dropped: Callable[[], None] = _nothing) -> bool:
        """Do `then` once we stand at least where something was read; False where we never come there: another epoch's.

        What was read from the ranking is often ahead of what was heard from it. `dropped` is called instead where all
        begins anew before: what was read then is to be read again.
        """
        if read.epoch != self.epoch:
            return False
        if read.version <= self.version:
            self._meet(read, then)
        else:
            self._parked.append(_Parked(read, then, dropped))
        return True

    def _meet(self, read: Read, then: Callable[[], None]) -> None:
        if read.version == self.version:
            self.total = read.total
        then()

    def _unpark(self) -> None:
        due = [one for one in self._parked if one.read.version <= self.version]
        self._parked = [one for one in self._parked if one.read.version > self.version]
        for one in due:
            self._meet(one.read, one.then)

    def admit(self, version: int, places: Sequence[tuple[str, Place | None]]) -> bool:
        """Watch those who stood so after a version that we have reached; False where we no longer know what came since."""
        if version != self.version and not self.log.reaches(version):
            return False
        for name, place in self.watched.brought(places, self.log, version).items():
            self.watched.add(name, place)
        return True
