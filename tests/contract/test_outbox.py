from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

import pytest

from realtime.core import outbox as payloads
from tests.contract.adapters import LEASE
from tests.contract.sending import board as new_board
from tests.contract.sending import submission, take

if TYPE_CHECKING:
    from realtime.core.letters import Letter
    from realtime.core.model import Board
    from tests.contract.adapters import Stored


@pytest.fixture
async def board(stored: Stored) -> Board:
    return await new_board(stored)


async def fill(stored: Stored, board: Board, batches: int) -> None:
    for n in range(batches):
        await take(stored, submission(board, f"p{n}", 1, 1))


def players(letters: list[Letter]) -> list[str]:
    return [
        player.decode() for letter in letters for _, changes in payloads.decode(letter.payload) for player, _ in changes
    ]


async def test_the_oldest_rows_come_first_and_at_most_as_many_as_asked(stored: Stored, board: Board) -> None:
    await fill(stored, board, 5)
    assert players(await stored.outbox.claim(3)) == ["p0", "p1", "p2"]
    assert players(await stored.outbox.claim(3)) == ["p3", "p4"]


async def test_rows_up_to_an_id_can_be_passed_over(stored: Stored, board: Board) -> None:
    await fill(stored, board, 4)
    first, second = await stored.outbox.claim(2)
    await stored.outbox.release([first.id, second.id], -0.001)
    assert players(await stored.outbox.claim(1, second.id)) == ["p2"]
    assert players(await stored.outbox.claim(10, first.id)) == ["p1", "p3"]
    assert players(await stored.outbox.claim(10)) == ["p0"]


async def test_what_is_claimed_nobody_else_sees(stored: Stored, board: Board) -> None:
    await fill(stored, board, 2)
    assert len(await stored.outbox.claim(10)) == 2
    assert await stored.outbox.claim(10) == []


async def test_claims_at_once_share_the_rows(stored: Stored, board: Board) -> None:
    await fill(stored, board, 12)
    claims = await asyncio.gather(*(stored.outbox.claim(5) for _ in range(4)))
    # One claim may pass over rows that another is just taking; none takes a row twice.
    rows = [row for claim in [*claims, await stored.outbox.claim(12)] for row in claim]
    assert sorted(players(rows)) == sorted(f"p{n}" for n in range(12))


async def test_a_lease_that_is_over_lets_others_claim(stored: Stored, board: Board) -> None:
    await fill(stored, board, 2)
    first = await stored.outbox.claim(10)
    await stored.expire()
    assert await stored.outbox.claim(10) == first


async def test_what_is_settled_is_gone_for_good(stored: Stored, board: Board) -> None:
    await fill(stored, board, 3)
    rows = await stored.outbox.claim(10)
    await stored.outbox.settle([rows[0].id, rows[2].id])
    await stored.expire()
    assert players(await stored.outbox.claim(10)) == ["p1"]


async def test_what_is_released_without_delay_is_free_at_once(stored: Stored, board: Board) -> None:
    await fill(stored, board, 1)
    rows = await stored.outbox.claim(10)
    await stored.outbox.release([row.id for row in rows], -0.001)
    assert await stored.outbox.claim(10) == rows


async def test_what_is_released_with_a_delay_is_free_after_it(stored: Stored, board: Board) -> None:
    await fill(stored, board, 1)
    rows = await stored.outbox.claim(10)
    await stored.outbox.release([row.id for row in rows], LEASE)
    assert await stored.outbox.claim(10) == []
    await stored.expire()
    assert await stored.outbox.claim(10) == rows


async def test_settling_or_releasing_what_is_gone_does_nothing(stored: Stored, board: Board) -> None:
    await fill(stored, board, 1)
    (letter,) = await stored.outbox.claim(10)
    await stored.outbox.settle([letter.id])
    await stored.outbox.settle([letter.id])
    await stored.outbox.release([letter.id], 0)
    await stored.expire()
    assert await stored.outbox.claim(10) == []


async def test_an_empty_outbox_has_nothing(stored: Stored) -> None:
    assert await stored.outbox.claim(10) == []
    await stored.outbox.settle([])
    await stored.outbox.release([], 1)
    await stored.outbox.hold([], "nothing")
    assert await stored.outbox.read([]) == []


async def test_rows_are_read_by_id_whoever_has_claimed_them(stored: Stored, board: Board) -> None:
    await fill(stored, board, 3)
    rows = await stored.outbox.claim(10)
    await stored.outbox.settle([rows[1].id])
    assert await stored.outbox.read([rows[2].id, rows[1].id, rows[0].id, -5]) == [rows[0], rows[2]]


async def test_what_is_held_nobody_claims_even_when_its_lease_is_over(stored: Stored, board: Board) -> None:
    await fill(stored, board, 2)
    held, other = await stored.outbox.claim(10)
    await stored.outbox.hold([held.id], "no changes")
    await stored.expire()
    assert await stored.outbox.claim(10) == [other]
    assert await stored.outbox.read([held.id]) == [held]


async def test_the_first_trace_of_a_batch_goes_with_its_row(stored: Stored, board: Board) -> None:
    traces = [None, "Root=1-a", "Root=1-b"]
    await take(
        stored,
        *(dataclasses.replace(submission(board, f"p{n}", 1, 1), trace=trace) for n, trace in enumerate(traces)),
    )
    await take(stored, submission(board, "q", 1, 1))
    assert [letter.trace for letter in await stored.outbox.claim(10)] == ["Root=1-a", None]


async def test_a_row_says_when_it_was_committed(stored: Stored, board: Board) -> None:
    await fill(stored, board, 2)
    first, second = await stored.outbox.claim(10)
    assert first.at <= second.at
    assert await stored.outbox.read([first.id]) == [first]


async def test_the_backlog_is_what_waits(stored: Stored, board: Board) -> None:
    assert (await stored.outbox.backlog())[0] == 0
    await fill(stored, board, 3)
    claimed = await stored.outbox.claim(2)
    rows, age = await stored.outbox.backlog()
    assert (rows, age >= 0) == (3, True), "what is being applied waits, too"
    await stored.outbox.settle([claimed[0].id])
    await stored.outbox.hold([claimed[1].id], "no changes")
    assert (await stored.outbox.backlog())[0] == 1
