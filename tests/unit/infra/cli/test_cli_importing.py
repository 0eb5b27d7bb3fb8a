from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from infra.cli.chunks import Chunk, chunks
from infra.cli.importing import Import
from infra.cli.rest import ProblemAnswered, Rest
from infra.cli.rows import Line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Board(Rest):
    """A service that takes scores that are numbers and remembers what it was asked."""

    def __init__(self) -> None:
        self.keys: list[str | None] = []
        self.on_their_way = 0
        self.most = 0

    async def submit_batch(self, board: str, rows: Sequence[Any], key: str | None = None) -> list[dict[str, Any]]:
        assert board == "b"
        self.keys.append(key)
        self.on_their_way += 1
        self.most = max(self.most, self.on_their_way)
        await asyncio.sleep(0)
        self.on_their_way -= 1
        return [self.answer(row) for row in rows]

    def answer(self, row: dict[str, Any] | None) -> dict[str, Any]:
        if row is None or not isinstance(row["score"], int):
            return {"code": "score_not_integer", "detail": "a score must be an integer"}
        return {"player": row["player"], "improved": row["score"] > 0, "seq": 1}


class Away(Board):
    async def submit_batch(self, board: str, rows: Sequence[Any], key: str | None = None) -> list[dict[str, Any]]:
        raise ProblemAnswered(403, "forbidden", f"no {board} {len(rows)} {key}")


def lines(*scores: object) -> list[Line]:
    return [
        Line(number, number * 10, None, "no JSON")
        if score is None
        else Line(number, number * 10, {"player": f"p{number}", "score": score})
        for number, score in enumerate(scores, 1)
    ]


def work(board: Board, *, stop: bool = False, in_flight: int = 4) -> tuple[Import, list[tuple[int, str]]]:
    bad: list[tuple[int, str]] = []
    return (
        Import(
            board,
            "b",
            in_flight=in_flight,
            stop=stop,
            heard=lambda _: None,
            refused=lambda line, problem: bad.append((line, problem)),
        ),
        bad,
    )


async def test_every_line_is_counted_by_what_became_of_it() -> None:
    task, bad = work(Board())
    tally = await task.run(chunks(lines(1, 0, None, "x", 5), "scores.csv", size=2))
    assert (tally.taken, tally.improved, tally.bad, tally.size) == (3, 2, 2, 50)
    assert sorted(bad) == [(3, "no JSON"), (4, "a score must be an integer (score_not_integer)")]


class Known(Board):
    def answer(self, row: dict[str, Any] | None) -> dict[str, Any]:
        return super().answer(row) | ({"repeated": True} if row is not None and row["score"] > 1 else {})


async def test_what_was_taken_before_is_known_and_changes_nothing() -> None:
    task, _ = work(Known())
    tally = await task.run(chunks(lines(0, 1, 2, 3, 4), "scores.csv", size=2))
    assert (tally.taken, tally.known, tally.improved) == (5, 3, 1)


async def test_no_more_batches_are_on_their_way_than_asked_for() -> None:
    board = Board()
    task, _ = work(board, in_flight=3)
    await task.run(chunks(lines(*range(40)), "scores.csv", size=2))
    assert board.most == 3


async def test_reading_does_not_run_ahead_of_sending() -> None:
    ahead = 0
    board = Board()

    def counted() -> Iterator[Chunk]:
        nonlocal ahead
        for number, chunk in enumerate(chunks(lines(*range(40)), "scores.csv", size=2)):
            ahead = max(ahead, number - len(board.keys))
            yield chunk

    task, _ = work(board, in_flight=2)
    await task.run(counted())
    assert ahead <= 2


async def test_one_batch_at_a_time_keeps_the_order_of_the_file() -> None:
    board = Board()
    task, _ = work(board, in_flight=1)
    parts = list(chunks(lines(*range(10)), "scores.csv", size=2))
    await task.run(parts)
    assert board.keys == [chunk.key for chunk in parts]


async def test_after_a_bad_line_nothing_more_is_sent_where_that_is_asked_for() -> None:
    board = Board()
    task, bad = work(board, stop=True, in_flight=1)
    tally = await task.run(chunks(lines(1, 1, "x", 1, *[1] * 20), "scores.csv", size=2))
    assert len(board.keys) == 2
    assert (tally.taken, bad) == (3, [(3, "a score must be an integer (score_not_integer)")])


async def test_a_batch_of_bad_lines_alone_is_not_sent() -> None:
    board = Board()
    task, bad = work(board)
    tally = await task.run(chunks(lines(None, None), "scores.csv"))
    assert (board.keys, tally.bad, len(bad)) == ([], 2, 2)


async def test_a_batch_that_fails_as_a_whole_fails_the_import() -> None:
    task, _ = work(Away())
    with pytest.raises(ProblemAnswered, match="forbidden"):
        await task.run(chunks(lines(1, 2, 3), "scores.csv", size=1))
