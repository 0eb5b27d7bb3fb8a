from __future__ import annotations

import asyncio
import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from api.metrics import Metrics
from api.service import Service
from realtime.core.errors import BoardChanged, Forbidden, IdInvalid, NotYet, RankingUnavailable
from realtime.core.fold import Outcome, Submission
from realtime.core.identity import Principal, Role
from realtime.core.model import Board, BoardKey, BoardSpec, Column
from realtime.core.ports import Page, Standings

BOARD = Board(BoardKey(1, 1), "points", BoardSpec(title="", columns=(Column("points"),)), 1)
PRIVATE = dataclasses.replace(BOARD, name="private", spec=dataclasses.replace(BOARD.spec, public=False))
EDITED = dataclasses.replace(BOARD, revision=2)
DONE = Outcome("ada", (1,), (1,), True, 9)


class Directory:
    def __init__(self, *boards: Board) -> None:
        self.boards = {board.name: board for board in boards}
        self.forgotten: list[str] = []
        self.asked: list[str] = []

    def known(self, _: str) -> None:
        return None

    async def get(self, name: str) -> Board:
        self.asked.append(name)
        return self.boards[name]

    def forget(self, name: str) -> None:
        self.forgotten.append(name)


class Batcher:
    """Takes batches of one revision of the board."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self.batches: list[list[Submission]] = []

    async def submit(self, submissions: list[Submission]) -> list[Any]:
        self.batches.append(submissions)
        fits = all(one.board.revision == self.revision for one in submissions)
        return [DONE if fits else BoardChanged("points") for _ in submissions]


class Ranking:
    """Ranked, or away; `seqs` is what it holds of a player at one question after the other."""

    def __init__(self, *seqs: int, away: bool = False) -> None:
        self.seqs = list(seqs)
        self.away = away

    def _answer(self, value: Any) -> Any:
        if self.away:
            raise RankingUnavailable("away")
        return value

    async def position(self, _: BoardKey) -> tuple[int, int]:
        return self._answer((1, 1))

    async def seq(self, _: BoardKey, __: str) -> int:
        return self._answer(self.seqs.pop(0) if len(self.seqs) > 1 else self.seqs[0])

    async def page(self, *_: Any) -> Page:
        return self._answer(Page(1, 1, 0, 0, 0, ()))

    async def around(self, *_: Any) -> Page | None:
        return self._answer(None)

    async def standings(self, *_: Any) -> Standings:
        return self._answer(Standings(1, 1, 0, ()))


class Fallback:
    async def page(self, *_: Any) -> Page:
        return Page(0, 0, 0, 0, 0, (), stale=True)

    async def around(self, *_: Any) -> Page:
        return Page(0, 0, 0, 0, 0, (), stale=True)

    async def standings(self, *_: Any) -> Standings:
        return Standings(0, 0, 0, (), stale=True)


def service(**parts: Any) -> Service:
    names = {field.name: None for field in dataclasses.fields(Service)}
    given = {"fallback": Fallback(), "metrics": Metrics(), "settings": SimpleNamespace(after_timeout=20.0)}
    return Service(**names | given | parts)


def make(board: Board) -> list[Submission]:
    return [Submission(board=board, player="ada", score=(1,))]


async def test_a_board_is_for_those_who_may_read_it() -> None:
    one = service(directory=Directory(BOARD, PRIVATE))
    assert await one.board("points", None) is BOARD
    with pytest.raises(Forbidden):
        await one.board("private", None)
    assert await one.board("private", Principal("ada", "rankcast", Role.PLAYER, 0)) is PRIVATE


async def test_nobody_is_asked_for_a_board_whose_name_is_no_id() -> None:
    directory = Directory(BOARD)
    with pytest.raises(IdInvalid):
        await service(directory=directory).board("a\0b", None)
    assert directory.asked == []


async def test_what_was_read_by_an_edited_board_is_read_again_and_committed() -> None:
    batcher, directory = Batcher(revision=2), Directory(EDITED)
    assert await service(batcher=batcher, directory=directory).submit(BOARD, make) == [DONE]
    assert [batch[0].board.revision for batch in batcher.batches] == [1, 2]
    assert directory.forgotten == ["points"]


async def test_a_board_that_is_edited_again_and_again_is_given_up_on() -> None:
    batcher = Batcher(revision=3)
    with pytest.raises(BoardChanged):
        await service(batcher=batcher, directory=Directory(EDITED)).submit(BOARD, make)
    assert len(batcher.batches) == 5


async def test_where_nothing_can_be_taken_nothing_is_committed() -> None:
    batcher = Batcher(revision=1)
    assert await service(batcher=batcher).submit(BOARD, lambda _: []) == []
    assert batcher.batches == []


async def test_the_store_answers_reads_while_the_ranking_is_away() -> None:
    for away in (False, True):
        one = service(ranking=Ranking(0, away=away))
        assert (await one.page(BOARD, 0, 10)).stale is away
        assert (await one.standings(BOARD, ["ada"])).stale is away
        around = await one.around(BOARD, "ada", 5)
        assert (around is not None) is away


async def test_a_write_is_waited_for_until_the_ranking_has_it() -> None:
    ranking = Ranking(0, 8, 9)
    await service(ranking=ranking).wait_for(BOARD, "ada", 9)
    assert ranking.seqs == [9]


@pytest.mark.parametrize("ranking", [Ranking(8), Ranking(9, away=True)])
async def test_a_write_is_not_waited_for_longer_than_is_allowed(ranking: Ranking) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(NotYet):
            await service(ranking=ranking, settings=SimpleNamespace(after_timeout=0.05)).wait_for(BOARD, "ada", 9)
