from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from realtime.core.board import BoardState
from realtime.core.model import WINDOW, Operator
from tests.changes import COLUMNS
from tests.contract.adapters import Stored, follow
from tests.contract.sending import board as new_board
from tests.contract.sending import send, submission, take

if TYPE_CHECKING:
    from realtime.core.model import Board


@pytest.fixture
async def board(stored: Stored) -> Board:
    return await new_board(stored)


# -- what the ranking is told ---------------------------------------------------------------------------------------


async def test_what_is_sent_brings_a_ranking_to_what_the_store_holds(stored: Stored, board: Board) -> None:
    other = await new_board(stored, Operator.SUM, name="other")
    dice = random.Random(4)
    states = {one.key: BoardState(one.spec.columns, 1) for one in (board, other)}
    sent = []
    for _ in range(40):
        batch = [_random_submission(dice, dice.choice((board, other))) for _ in range(dice.randint(1, 6))]
        await send(stored, *batch)
        if dice.random() < 0.2:
            await stored.players.put(f"p{dice.randrange(8)}", {"name": f"n{dice.randrange(99)}"})
        if dice.random() < 0.2:
            found = list((await stored.state(board)).stretch(0, WINDOW))
            if found:
                await stored.players.remove(board, dice.choice(found).player)
        sent.extend(await stored.sent())
    # Delivered in any order, and some of it twice.
    deliveries = sent + dice.sample(sent, len(sent) // 3)
    dice.shuffle(deliveries)
    follow(states, deliveries)
    for one in (board, other):
        held = await stored.state(one)
        assert states[one.key].members == held.members
        assert states[one.key].records == held.records


def _random_submission(dice: random.Random, board: Board) -> Any:
    name = f"n{dice.randrange(99)}" if dice.random() < 0.3 else None
    return submission(board, f"p{dice.randrange(8)}", dice.randrange(5), dice.randrange(3), name=name)


async def test_a_tombstone_is_sent_with_what_stands_for_it(stored: Stored, board: Board) -> None:
    await take(stored, submission(board, "ada", 3, 1))
    await stored.players.remove(board, "ada")
    states = {board.key: BoardState(COLUMNS, 1)}
    follow(states, await stored.sent())
    assert (states[board.key].total, list(states[board.key].records)) == (0, ["ada"])


# -- names ----------------------------------------------------------------------------------------------------------


async def test_a_name_sent_with_a_score_is_the_players_profile(stored: Stored, board: Board) -> None:
    (outcome,) = await take(stored, submission(board, "ada", 3, 1, name="Ada"))
    profile = await stored.players.get("ada")
    assert (profile.name, profile.seq) == ("Ada", outcome.seq)
    assert (await stored.state(board)).window().rows[0].name == "Ada"


async def test_a_new_name_reaches_every_board_of_the_player(stored: Stored, board: Board) -> None:
    other = await new_board(stored, name="other")
    left = await new_board(stored, name="left")
    never = await new_board(stored, name="never")
    for one in (board, other, left):
        await take(stored, submission(one, "ada", 3, 1, name="Ada"))
    await stored.players.remove(left, "ada")
    states = {one.key: await stored.state(one) for one in (board, other, left, never)}
    await stored.sent()
    await take(stored, submission(board, "ada", 3, 1, name="Countess"))
    sent = await stored.sent()
    assert {key for key, _ in sent} == {board.key, other.key, left.key}
    follow(states, sent)
    assert [states[one.key].window().rows[0].name for one in (board, other)] == ["Countess", "Countess"]
    assert states[left.key].total == 0


async def test_a_name_counts_even_if_the_score_does_not_improve(stored: Stored, board: Board) -> None:
    await take(stored, submission(board, "ada", 3, 1))
    (outcome,) = await take(stored, submission(board, "ada", 1, 1, name="Ada"))
    assert not outcome.improved
    assert (await stored.players.get("ada")).name == "Ada"


async def test_the_same_name_again_is_no_change(stored: Stored, board: Board) -> None:
    await take(stored, submission(board, "ada", 3, 1, name="Ada"))
    profile = await stored.players.get("ada")
    await take(stored, submission(board, "ada", 3, 1, name="Ada"))
    await take(stored, submission(board, "ada", 3, 1))
    assert await stored.players.get("ada") == profile


async def test_the_last_name_in_a_batch_stands(stored: Stored, board: Board) -> None:
    await take(stored, submission(board, "ada", 3, 1, name="One"), submission(board, "ada", 4, 1, name="Two"))
    assert (await stored.players.get("ada")).name == "Two"
    assert (await stored.state(board)).window().rows[0].name == "Two"


async def test_a_name_leaves_country_and_picture_as_they_are(stored: Stored, board: Board) -> None:
    await stored.players.put("ada", {"country": "GB", "picture": "ada.png"})
    await take(stored, submission(board, "ada", 3, 1, name="Ada"))
    row = (await stored.state(board)).window().rows[0]
    assert (row.name, row.country, row.picture) == ("Ada", "GB", "ada.png")
