from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from realtime.core.board import BoardState
from realtime.core.errors import PlayerUnknown
from realtime.core.model import Profile
from realtime.core.pictures import Portrait
from tests.contract.adapters import follow
from tests.contract.sending import board as new_board
from tests.contract.sending import send, standing, submission, take

if TYPE_CHECKING:
    from realtime.core.model import Board
    from tests.contract.adapters import Stored


@pytest.fixture
async def board(stored: Stored) -> Board:
    return await new_board(stored)


async def test_who_never_set_anything_has_the_empty_profile(stored: Stored) -> None:
    assert await stored.players.get("ada") == Profile()


async def test_what_is_named_is_set_and_the_rest_stays(stored: Stored) -> None:
    first = await stored.players.put("ada", {"name": "Ada", "country": "GB"})
    assert first == Profile("Ada", "GB", None, first.seq)
    second = await stored.players.put("ada", {"picture": "ada.png"})
    assert second == Profile("Ada", "GB", "ada.png", second.seq)
    assert 0 < first.seq < second.seq
    assert await stored.players.get("ada") == second


async def test_null_clears_a_field(stored: Stored) -> None:
    await stored.players.put("ada", {"name": "Ada", "country": "GB"})
    cleared = await stored.players.put("ada", {"country": None})
    assert (cleared.name, cleared.country) == ("Ada", None)


async def test_setting_what_is_set_is_no_change(stored: Stored, board: Board) -> None:
    await take(stored, submission(board, "ada", 1, 1))
    profile = await stored.players.put("ada", {"name": "Ada"})
    await stored.sent()
    assert await stored.players.put("ada", {"name": "Ada", "country": None}) == profile
    assert await stored.sent() == []


async def test_a_profile_reaches_every_board_of_the_player_and_no_other(stored: Stored, board: Board) -> None:
    other, never = await new_board(stored, name="other"), await new_board(stored, name="never")
    for one in (board, other):
        await take(stored, submission(one, "ada", 1, 1, metadata=b'{"x":1}'))
    states = {one.key: await stored.state(one) for one in (board, other, never)}
    await stored.sent()
    await stored.players.put("ada", {"name": "Ada", "country": "GB"})
    sent = await stored.sent()
    assert {key for key, _ in sent} == {board.key, other.key}
    follow(states, sent)
    for one in (board, other):
        (row,) = states[one.key].window().rows
        assert (row.name, row.country, row.score) == ("Ada", "GB", (1, 1))
        assert states[one.key].records == (await stored.state(one)).records


async def test_a_profile_without_a_board_sends_nothing(stored: Stored) -> None:
    await stored.players.put("ada", {"name": "Ada"})
    assert await stored.sent() == []


async def test_a_profile_from_before_the_first_score_shows_with_it(stored: Stored, board: Board) -> None:
    await stored.players.put("ada", {"name": "Ada", "country": "GB"})
    await take(stored, submission(board, "ada", 1, 1))
    states = {board.key: BoardState(board.spec.columns, 1)}
    follow(states, await stored.sent())
    (row,) = states[board.key].window().rows
    assert (row.name, row.country) == ("Ada", "GB")


async def test_profiles_and_first_scores_at_once_end_alike_in_store_and_ranking(stored: Stored, board: Board) -> None:
    for n in range(12):
        player = f"p{n}"
        await asyncio.gather(
            stored.players.put(player, {"name": "Name", "country": "GB"}),
            send(stored, submission(board, player, 1, 1)),
            stored.players.put(player, {"picture": "p.png"}),
        )
    states = {board.key: BoardState(board.spec.columns, 1)}
    follow(states, await stored.sent())
    held = await stored.state(board)
    assert states[board.key].records == held.records
    assert {(row.name, row.country, row.picture) for row in held.stretch(0, 99)} == {("Name", "GB", "p.png")}


async def test_a_removal_leaves_a_tombstone_under_a_newer_seq(stored: Stored, board: Board) -> None:
    (outcome,) = await take(stored, submission(board, "ada", 3, 1, metadata=b'{"x":1}'))
    late = await stored.sent()
    seq = await stored.players.remove(board, "ada")
    assert seq > outcome.seq
    record = (await stored.state(board)).records["ada"]
    assert (record.seq, record.key, record.metadata) == (seq, b"", b"")
    states = {board.key: BoardState(board.spec.columns, 1)}
    follow(states, [*late, *await stored.sent(), *late])
    assert states[board.key].total == 0


async def test_who_is_not_on_the_board_cannot_be_removed(stored: Stored, board: Board) -> None:
    other = await new_board(stored, name="other")
    await take(stored, submission(other, "ada", 3, 1))
    with pytest.raises(PlayerUnknown):
        await stored.players.remove(board, "ada")
    await stored.players.remove(other, "ada")
    with pytest.raises(PlayerUnknown):
        await stored.players.remove(other, "ada")


async def test_a_removal_on_one_board_leaves_the_others(stored: Stored, board: Board) -> None:
    other = await new_board(stored, name="other")
    for one in (board, other):
        await take(stored, submission(one, "ada", 3, 1))
    await stored.players.remove(board, "ada")
    assert await standing(stored, board) == {}
    assert list(await standing(stored, other)) == ["ada"]


async def test_the_picture_that_was_asked_for_last_stays_whichever_comes_last(stored: Stored, board: Board) -> None:
    await take(stored, submission(board, "ada", 1, 1))
    await stored.players.put("ada", {"name": "Ada"})
    await stored.sent()
    assert await stored.players.portray("ada", "late.webp", 20)
    assert not await stored.players.portray("ada", "early.webp", 10)
    assert await stored.players.portray("ada", "late.webp", 20), "the same once more is no other"
    profile = await stored.players.get("ada")
    assert (profile.name, profile.picture) == ("Ada", "late.webp")
    states = {board.key: BoardState(board.spec.columns, 1)}
    sent = await stored.sent()
    assert len(sent) == 1
    follow(states, sent)
    (row,) = states[board.key].window().rows
    assert row.picture == "late.webp"


async def test_a_picture_that_was_taken_away_is_not_brought_back_by_an_older_one(stored: Stored) -> None:
    assert await stored.players.portray("ada", "a.webp", 10)
    assert await stored.players.portray("ada", None, 20)
    assert not await stored.players.portray("ada", "b.webp", 15)
    assert (await stored.players.get("ada")).picture is None
    assert await stored.players.portray("ada", "b.webp", 21)
    assert (await stored.players.get("ada")).picture == "b.webp"


async def test_pictures_at_once_end_with_the_one_that_was_asked_for_last(stored: Stored) -> None:
    await asyncio.gather(*(stored.players.portray("ada", f"{at}.webp", at) for at in (3, 9, 1, 7, 5)))
    assert (await stored.players.get("ada")).picture == "9.webp"


async def test_the_newest_refusal_of_a_picture_is_known_beside_the_one_that_is_shown(stored: Stored) -> None:
    assert await stored.players.portrait("ada") == Portrait()
    await stored.players.refuse("ada", "no picture", 7)
    assert await stored.players.portrait("ada") == Portrait(None, 0, 7, "no picture")
    assert await stored.players.portray("ada", "a.png", 9)
    await stored.players.refuse("ada", "an older one, looked at later", 5)
    assert await stored.players.portrait("ada") == Portrait("a.png", 9, 7, "no picture")
    await stored.players.refuse("ada", "too large", 11)
    assert await stored.players.portrait("ada") == Portrait("a.png", 9, 11, "too large")
