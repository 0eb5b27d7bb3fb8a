from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from api.scores import answer, check_name, may_submit, parse, row_answer
from realtime.core.errors import FieldInvalid, Forbidden, IdInvalid, ScoreColumns
from realtime.core.fold import Outcome
from realtime.core.identity import Principal, Role
from realtime.core.model import Board, BoardKey, BoardSpec, Column, Writes

BOARD = Board(BoardKey(1, 1), "points", BoardSpec(title="", columns=(Column("points"),)), 1)
OPEN = dataclasses.replace(BOARD, spec=dataclasses.replace(BOARD.spec, writes=Writes.PLAYER))
TWO = dataclasses.replace(BOARD, spec=dataclasses.replace(BOARD.spec, columns=(Column("a"), Column("b"))))
ADA = Principal("ada", "rankcast", Role.PLAYER, 0)
SERVER = Principal("game", "rankcast", Role.SERVER, 0)
ADMIN = Principal("root", "rankcast", Role.ADMIN, 0)
SENT = {"player": "ada", "score": 7}


def sent(
    document: Any, key: str | None = None, row: int = 0, principal: Principal = SERVER, board: Board = BOARD
) -> Any:
    return parse(board, principal, document, key, row)


def test_a_submission_is_what_was_sent() -> None:
    one = sent(SENT | {"name": "Ada", "metadata": {"level": 3}})
    assert (one.board, one.player, one.score, one.name, one.metadata) == (BOARD, "ada", (7,), "Ada", b'{"level":3}')
    assert (one.key, one.body) == (b"", b"")
    assert sent({"player": "ada", "score": [7]}) == sent({"player": "ada", "score": "7"}) == sent(SENT)
    assert sent({"player": "ada", "score": [7, "8"]}, board=TWO).score == (7, 8)


def test_a_player_may_leave_itself_out_and_a_server_may_not() -> None:
    assert sent({"score": 7}, principal=ADA, board=OPEN).player == "ada"
    for principal in (SERVER, ADMIN):
        with pytest.raises(FieldInvalid, match="names the player"):
            sent({"score": 7}, principal=principal)


def test_a_player_submits_for_itself_only() -> None:
    with pytest.raises(Forbidden):
        sent({"player": "bob", "score": 7}, principal=ADA, board=OPEN)
    may_submit(OPEN, ADA)
    with pytest.raises(Forbidden):
        may_submit(BOARD, ADA)
    for principal in (SERVER, ADMIN):
        may_submit(BOARD, principal)


@pytest.mark.parametrize("document", [None, [], 7, {}, {"player": "ada"}, SENT | {"seq": 1}])
def test_what_is_no_submission_is_refused(document: Any) -> None:
    with pytest.raises(FieldInvalid):
        sent(document)


def test_a_submission_has_a_player_and_a_value_for_each_column() -> None:
    with pytest.raises(IdInvalid):
        sent({"player": "a b", "score": 7})
    with pytest.raises(ScoreColumns):
        sent(SENT, board=TWO)


@pytest.mark.parametrize("metadata", [[], "x", 7, True, {"a": "x" * 1018}])
def test_metadata_is_a_small_object(metadata: Any) -> None:
    with pytest.raises(FieldInvalid):
        sent(SENT | {"metadata": metadata})
    assert len(sent(SENT | {"metadata": {"a": "x" * 1016}}).metadata) == 1024
    assert sent(SENT | {"metadata": None}).metadata == b""


@pytest.mark.parametrize("name", ["", "x" * 65, "a\tb", "a\x7f", "a\x9f", "a\u2028", "a\u2029", 7, True, []])
def test_a_name_that_cannot_be_shown_is_refused(name: object) -> None:
    with pytest.raises(FieldInvalid):
        check_name(name)


@pytest.mark.parametrize("name", ["A", "x" * 64, "Ada Lovelace", "队伍", "🎈" * 64, "a\u00a0b", None])
def test_a_name_that_can_be_shown_is_taken(name: str | None) -> None:
    assert check_name(name) == name


def test_an_idempotency_key_is_by_caller_board_and_row_and_a_body_by_what_was_meant() -> None:
    one = sent(SENT, "k")
    assert len(one.key) == len(one.body) == 16
    assert sent({"score": "7", "player": "ada", "name": None}, "k") == one
    others = [
        sent(SENT, "k2"),
        sent(SENT, "k", row=1),
        sent(SENT, "k", principal=ADMIN),
        sent(SENT, "k", principal=dataclasses.replace(SERVER, client_id="other")),
        sent(SENT, "k", board=dataclasses.replace(BOARD, key=BoardKey(2, 1))),
    ]
    assert len({one.key, *(other.key for other in others)}) == 6
    assert {other.body for other in others} == {one.body}
    bodies = [SENT | {"score": 8}, SENT | {"player": "bob"}, SENT | {"name": "Ada"}, SENT | {"metadata": {}}]
    assert len({one.body, *(sent(body, "k").body for body in bodies)}) == 5


def test_an_answer_writes_integers_as_the_wire_has_them() -> None:
    assert answer(Outcome("ada", (7,), (2**53,), True, 9)) == {
        "player": "ada",
        "score": 7,
        "best": str(2**53),
        "improved": True,
        "seq": 9,
    }
    assert answer(Outcome("ada", (1, 2), (3, 4), False, 9))["best"] == [3, 4]


def test_a_row_that_was_taken_before_says_so_and_one_alone_is_answered_as_the_first_was() -> None:
    first, again = (Outcome("ada", (7,), (7,), True, 9, repeated=repeated) for repeated in (False, True))
    assert row_answer(first) == answer(first) == answer(again)
    assert row_answer(again) == answer(first) | {"repeated": True}
