from __future__ import annotations

from infra.cli.moves import NEWS, Moves
from realtime.client.reducer import Entry


def entries(*players: str) -> list[Entry]:
    return [Entry(rank, player, player, (1,), rank, None, None) for rank, player in enumerate(players, 1)]


def test_the_first_list_is_no_news() -> None:
    moves = Moves()
    moves.see(entries("ann", "bob"), 0.0)
    assert moves.recent(0.0) == {}


def test_who_rose_fell_or_came_is_news_for_a_while() -> None:
    moves = Moves()
    moves.see(entries("ann", "bob", "cid"), 0.0)
    moves.see(entries("cid", "ann", "dee"), 1.0)
    assert moves.recent(1.0) == {"cid": 2, "ann": -1, "dee": None}
    assert moves.recent(1.0 + NEWS) == {}


def test_a_later_list_without_a_move_keeps_the_news() -> None:
    moves = Moves()
    moves.see(entries("ann", "bob"), 0.0)
    moves.see(entries("bob", "ann"), 1.0)
    moves.see(entries("bob", "ann"), 2.0)
    assert moves.recent(2.0) == {"bob": 1, "ann": -1}
