from __future__ import annotations

import asyncio
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from infra.cli.replaying import Event, last_second, read_events, replay
from infra.cli.rest import Rest
from infra.cli.rows import FileUnfit

if TYPE_CHECKING:
    from collections.abc import Sequence


class Board(Rest):
    """Remembers each batch, its key and when it came, on the loop's clock."""

    def __init__(self) -> None:
        self.batches: list[tuple[list[Any], str | None, float]] = []

    async def submit_batch(self, board: str, rows: Sequence[Any], key: str | None = None) -> list[dict[str, Any]]:
        assert board == "b"
        self.batches.append(([row["player"] for row in rows], key, asyncio.get_running_loop().time()))
        return [{"code": "x"} if row["score"] < 0 else {"seq": 1} for row in rows]


def event(at: float, player: str, score: int = 1) -> Event:
    return Event(at, {"player": player, "score": score})


def ignore(_event: Event, _size: int, _refused: int) -> None:
    return


def test_events_are_read_with_their_second_and_the_boards_columns() -> None:
    file = BytesIO(b'{"at":1.5,"player":"a","name":"A","group":"x","solved":1,"penalty":20}\n')
    assert list(read_events(file, ["solved", "penalty"])) == [
        Event(1.5, {"player": "a", "score": [1, 20], "name": "A"})
    ]


@pytest.mark.parametrize(
    "line", [b"{", b'{"player":"a","score":1}', b'{"at":"1","player":"a","score":1}', b'{"at":true}']
)
def test_a_bad_line_is_named(line: bytes) -> None:
    file = BytesIO(b'{"at":0,"player":"a","score":1}\n' + line)
    with pytest.raises(FileUnfit, match="line 2: "):
        list(read_events(file, ["score"]))


def test_the_last_second_is_found_without_reading_the_file() -> None:
    file = BytesIO(b'{"at":1}\n' * 100_000 + b'{"at":17985}\n')
    assert last_second(file) == 17985
    assert file.tell() == 0
    assert last_second(BytesIO(b"")) is None
    assert last_second(BytesIO(b"x\n")) is None


async def test_speed_0_sends_all_in_order_in_the_largest_batches() -> None:
    board = Board()
    await replay(board, "b", [event(at, str(at)) for at in range(2500)], speed=0, key="k", told=ignore)
    assert [len(players) for players, _, _ in board.batches] == [1000, 1000, 500]
    assert [player for players, _, _ in board.batches for player in players] == [str(at) for at in range(2500)]


async def test_each_batch_has_a_key_of_its_own() -> None:
    board = Board()
    await replay(board, "b", [event(at, str(at)) for at in range(2500)], speed=0, key="k", told=ignore)
    assert [key for _, key, _ in board.batches] == ["k-0", "k-1", "k-2"]


async def test_events_are_sent_when_they_are_due_and_those_that_are_due_together_in_one_batch() -> None:
    board = Board()
    started = asyncio.get_running_loop().time()
    events = [event(1000, "a"), event(1001, "b"), event(1010, "c"), event(1010, "d")]
    await replay(board, "b", events, speed=100, key="k", told=ignore)
    assert [players for players, _, _ in board.batches] == [["a", "b"], ["c", "d"]]
    assert board.batches[1][2] - started == pytest.approx(0.1)


async def test_how_far_it_is_is_told_after_each_batch() -> None:
    heard = []

    def told(last: Event, size: int, refused: int) -> None:
        heard.append((last.row["player"], size, refused))

    await replay(Board(), "b", [event(0, "a"), event(0, "b", -1)], speed=0, key="k", told=told)
    assert heard == [("b", 2, 1)]


async def test_no_events_are_no_batches() -> None:
    board = Board()
    await replay(board, "b", [], speed=1, key="k", told=ignore)
    assert board.batches == []
