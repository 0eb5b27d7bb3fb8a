from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from realtime.core import outbox as payloads
from tests.contract.sending import board as new_board
from tests.contract.sending import submission, take

if TYPE_CHECKING:
    from realtime.core.model import Board
    from tests.contract.adapters import Stored


@pytest.fixture
async def board(stored: Stored) -> Board:
    return await new_board(stored)


async def fill(stored: Stored, board: Board, batches: int) -> None:
    for n in range(batches):
        await take(stored, submission(board, f"p{n}", 1, 1))


def players(rows: list[tuple[int, bytes]]) -> list[str]:
    return [player.decode() for _, payload in rows for _, changes in payloads.decode(payload) for player, _ in changes]


async def test_the_oldest_rows_come_first_and_at_most_as_many_as_asked(stored: Stored, board: Board) -> None:
    await fill(stored, board, 5)
    assert players(await stored.outbox.claim(3)) == ["p0", "p1", "p2"]
    assert players(await stored.outbox.claim(3)) == ["p3", "p4"]


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
    await stored.outbox.settle([rows[0][0], rows[2][0]])
    await stored.expire()
    assert players(await stored.outbox.claim(10)) == ["p1"]


async def test_what_is_released_without_delay_is_free_at_once(stored: Stored, board: Board) -> None:
    await fill(stored, board, 1)
    rows = await stored.outbox.claim(10)
    await stored.outbox.release([row for row, _ in rows], -0.001)
    assert await stored.outbox.claim(10) == rows


async def test_what_is_released_with_a_delay_is_free_after_it(stored: Stored, board: Board) -> None:
    await fill(stored, board, 1)
    rows = await stored.outbox.claim(10)
    await stored.outbox.release([row for row, _ in rows], 5)
    assert await stored.outbox.claim(10) == []
    await stored.expire()
    assert await stored.outbox.claim(10) == rows


async def test_settling_or_releasing_what_is_gone_does_nothing(stored: Stored, board: Board) -> None:
    await fill(stored, board, 1)
    ((row, _),) = await stored.outbox.claim(10)
    await stored.outbox.settle([row])
    await stored.outbox.settle([row])
    await stored.outbox.release([row], 0)
    await stored.expire()
    assert await stored.outbox.claim(10) == []


async def test_an_empty_outbox_has_nothing(stored: Stored) -> None:
    assert await stored.outbox.claim(10) == []
    await stored.outbox.settle([])
    await stored.outbox.release([], 1)
