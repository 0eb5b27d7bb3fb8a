from __future__ import annotations

import dataclasses

import pytest

from api import editions
from api.editions import Editions
from realtime.core.errors import BoardUnknown
from realtime.core.model import Board, BoardKey, BoardSpec, Column

FIRST = Board(BoardKey(1, 1), "points", BoardSpec(title="", columns=(Column("points"),)), 1)
EDITED = dataclasses.replace(FIRST, revision=2)


class Shelf:
    """A directory of one board, that counts how often it is looked up afresh."""

    def __init__(self, board: Board | None) -> None:
        self.board = board
        self.asked = 0

    def forget(self, _: str) -> None:
        self.asked += 1

    async def get(self, name: str) -> Board:
        if self.board is None:
            raise BoardUnknown(name)
        return dataclasses.replace(self.board, name=name)


async def test_a_board_is_read_again_with_each_new_epoch_and_only_then() -> None:
    shelf = Shelf(FIRST)
    kept = Editions(shelf)  # type: ignore[arg-type]
    for _ in range(3):
        assert await kept.of(FIRST, 7) == (FIRST, True)
    assert shelf.asked == 1
    shelf.board = EDITED
    assert await kept.of(FIRST, 8) == (EDITED, True)
    assert await kept.of(EDITED, 8) == (EDITED, True)
    assert shelf.asked == 2


async def test_a_document_and_an_epoch_that_are_not_of_one_time_do_not_belong_together() -> None:
    shelf = Shelf(FIRST)
    kept = Editions(shelf)  # type: ignore[arg-type]
    await kept.of(FIRST, 7)
    # Edited, and the ranking has not got there.
    assert await kept.of(EDITED, 7) == (EDITED, False)
    shelf.board = EDITED
    await kept.of(EDITED, 8)
    # Read from a ranking, or with a document, from before.
    assert await kept.of(EDITED, 7) == (EDITED, False)
    assert await kept.of(FIRST, 8) == (FIRST, False)


async def test_a_board_that_is_gone_has_no_edition() -> None:
    with pytest.raises(BoardUnknown):
        await Editions(Shelf(None)).of(FIRST, 7)  # type: ignore[arg-type]


async def test_only_so_many_boards_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editions, "_LIMIT", 2)
    shelf = Shelf(FIRST)
    kept = Editions(shelf)  # type: ignore[arg-type]
    for number in (1, 2, 3, 1):
        shelf.board = dataclasses.replace(FIRST, key=BoardKey(number, 1))
        assert (await kept.of(shelf.board, 7))[1]
    assert shelf.asked == 4
    await kept.of(dataclasses.replace(FIRST, key=BoardKey(3, 1)), 7)
    assert shelf.asked == 4
