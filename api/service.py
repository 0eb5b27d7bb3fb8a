"""What handlers work with: the ports and shells of one node, put together once."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from realtime.core.errors import BoardChanged, NotYet, RankingUnavailable
from realtime.core.model import check_id
from realtime.gateway.hub import may_read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from api.door import Door
    from api.editions import Editions
    from api.metrics import Metrics
    from infra.batcher import Batcher
    from infra.pictures_folder import FolderPictures
    from infra.settings import Settings
    from infra.tracing import Tracing
    from realtime.core.fold import Submission
    from realtime.core.identity import Identity, Principal
    from realtime.core.model import Board
    from realtime.core.ports import (
        Boards,
        DeadLetters,
        Fallback,
        Nodes,
        Outbox,
        Page,
        Pictures,
        Players,
        Ranking,
        Result,
        Standings,
    )
    from realtime.gateway.directory import Directory
    from realtime.gateway.hub import Hub

_EDITS: Final = 5
_AFTER_PAUSE: Final = (0.002, 0.005, 0.01, 0.02, 0.04)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One node."""

    settings: Settings
    identity: Identity
    boards: Boards
    players: Players
    ranking: Ranking
    fallback: Fallback
    pictures: Pictures | None
    """Where players' pictures are kept, where they are."""
    folder: FolderPictures | None
    """The same, where it is a folder of this machine."""
    dead_letters: DeadLetters
    batcher: Batcher
    directory: Directory
    editions: Editions
    hub: Hub
    door: Door
    nodes: Nodes
    outbox: Outbox
    """Only looked into."""
    metrics: Metrics
    tracing: Tracing | None
    rang: Callable[[], None]
    """Told after a commit that did not go through the batcher."""

    async def board(self, name: str, principal: Principal | None) -> Board:
        """The board, if this caller may read it. Raises IdInvalid, BoardUnknown, Forbidden, StoreUnavailable."""
        board = self.directory.known(name) or await self.directory.get(check_id(name, "board"))
        may_read(board, principal)
        return board

    async def submit(self, board: Board, make: Callable[[Board], Sequence[Submission]]) -> list[Result]:
        """Commit what `make` reads off the request for this board; once more where the board was edited meanwhile."""
        if self.tracing is None:
            return await self._commit(board, make)
        with self.committing():
            header = self.tracing.header()
            return await self._commit(board, lambda board: [replace(one, trace=header) for one in make(board)])

    def committing(self) -> AbstractContextManager[None]:
        """A part of the request's trace, which what is committed in it is announced under."""
        return nullcontext() if self.tracing is None else self.tracing.part("commit")

    async def _commit(self, board: Board, make: Callable[[Board], Sequence[Submission]]) -> list[Result]:
        for _ in range(_EDITS):
            submissions = make(board)
            if not submissions:
                return []
            results = await self.batcher.submit(submissions)
            if not any(isinstance(result, BoardChanged) for result in results):
                self.metrics.answered(results)
                return results
            self.directory.forget(board.name)
            board = await self.directory.get(board.name)
        raise BoardChanged("the board is being edited")

    async def page(self, board: Board, offset: int, limit: int) -> Page:
        """A stretch of a board; from the store, marked stale, while the ranking is away."""
        try:
            return await self.ranking.page(board.key, board.spec.columns, offset, limit)
        except RankingUnavailable:
            return await self.fallback.page(board, offset, limit)

    async def around(self, board: Board, player: str, radius: int) -> Page | None:
        """The neighbours of a player, likewise; None for who is not ranked."""
        try:
            return await self.ranking.around(board.key, board.spec.columns, player, radius)
        except RankingUnavailable:
            return await self.fallback.around(board, player, radius)

    async def standings(self, board: Board, players: Sequence[str]) -> Standings:
        """Where players stand, likewise."""
        try:
            return await self.ranking.standings(board.key, board.spec.columns, players)
        except RankingUnavailable:
            return await self.fallback.standings(board, players)

    async def age(self, board: Board, player: str) -> tuple[int, float] | None:
        """The seq of a player's entry, and how many seconds ago it was written. Raises StoreUnavailable."""
        return await self.fallback.age(board, player)

    async def wait_for(self, board: Board, player: str, seq: int) -> None:
        """Return once the ranking has taken this player's entry up to `seq`. Raises NotYet after a bounded time."""
        deadline = asyncio.get_running_loop().time() + self.settings.after_timeout
        attempt = 0
        while True:
            if await self._reached(board, player, seq):
                return
            pause = _AFTER_PAUSE[min(attempt, len(_AFTER_PAUSE) - 1)]
            if asyncio.get_running_loop().time() + pause > deadline:
                raise NotYet(f"the ranking has not reached {player}:{seq} yet")
            await asyncio.sleep(pause)
            attempt += 1

    async def _reached(self, board: Board, player: str, seq: int) -> bool:
        try:
            await self.ranking.position(board.key)
            return await self.ranking.seq(board.key, player) >= seq
        except RankingUnavailable:
            return False
