from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.core import delta
from realtime.core.model import Row

if TYPE_CHECKING:
    from collections.abc import Sequence


def row(player: str, score: int = 0, name: str = "", country: str | None = None) -> Row:
    return Row(player, b"", (score, -score), score, name or player, country)


def rows(players: str) -> list[Row]:
    return [row(player) for player in players]


def led(old: Sequence[Row], new: Sequence[Row]) -> list[delta.Op]:
    """The operations, which must lead where they should over the wire."""
    ops = delta.diff(old, new)
    held = [delta.entry(one) for one in old]
    delta.apply(held, orjson.loads(orjson.dumps(ops)))
    assert held == [delta.entry(one) for one in new]
    return ops


@st.composite
def lists(draw: st.DrawFn) -> list[Row]:
    players = draw(st.lists(st.sampled_from("abcdefghijklmnopqrst"), unique=True))
    return [
        row(player, draw(st.integers(0, 2)), draw(st.sampled_from(["", "x"])), draw(st.none() | st.just("GB")))
        for player in players
    ]


@settings(max_examples=300, deadline=None)
@given(lists(), lists())
def test_what_was_diffed_is_applied(old: list[Row], new: list[Row]) -> None:
    led(old, new)


@settings(max_examples=100, deadline=None)
@given(st.permutations("abcdefghijklmnop"))
def test_a_new_order_takes_only_moves_and_no_more_than_are_out_of_order(order: list[str]) -> None:
    old, new = rows("abcdefghijklmnop"), rows("".join(order))
    ops = led(old, new)
    assert {op[0] for op in ops} <= {"move"}
    longest = _longest(["abcdefghijklmnop".index(player) for player in order])
    assert len(ops) == 16 - longest


def _longest(values: list[int]) -> int:
    best: list[int] = []
    for index, value in enumerate(values):
        best.append(1 + max((best[before] for before in range(index) if values[before] < value), default=0))
    return max(best)


def test_equal_lists_take_nothing() -> None:
    assert led(rows("abc"), rows("abc")) == []
    assert led([], []) == []


def test_who_leaves_is_one_out() -> None:
    assert led(rows("abcd"), rows("acd")) == [("out", 1)]


def test_who_comes_is_one_in() -> None:
    new = [*rows("ab"), row("x", 7, "Ex"), *rows("c")]
    assert led(rows("abc"), new) == [("in", 2, delta.entry(new[2]))]


def test_who_climbs_is_one_move_with_what_changed() -> None:
    new = [row("d", 9), *rows("abc")]
    assert led(rows("abcd"), new) == [("move", 3, 0, {"score": [9, -9], "seq": 9})]


def test_who_falls_is_one_move() -> None:
    assert led(rows("abcd"), rows("bcda")) == [("move", 0, 3, {})]


def test_who_stays_with_a_new_name_is_set() -> None:
    new = [*rows("a"), row("b")._replace(name="Bea"), *rows("c")]
    assert led(rows("abc"), new) == [("set", 1, {"name": "Bea"})]


def test_a_patch_names_whole_fields_and_null_is_a_value() -> None:
    old, new = row("a", 1, country="GB"), row("a", 1)._replace(picture="a.png")
    assert delta.patch(old, new) == {"country": None, "picture": "a.png"}


def test_a_full_window_that_takes_a_newcomer_is_one_out_and_one_in() -> None:
    old = [row(f"p{n}") for n in range(100)]
    ops = led(old, [row("new", 5), *old[:99]])
    assert [op[:2] for op in ops] == [("out", 99), ("in", 0)]


def test_integers_beyond_what_a_browser_keeps_travel_as_text() -> None:
    big = Row("a", b"", (2**53, -(2**53) + 1), 1, "a")
    assert delta.entry(big)["score"] == ["9007199254740992", -(2**53) + 1]


def test_an_unknown_operation_is_refused() -> None:
    with pytest.raises(ValueError, match="fly"):
        delta.apply([], [["fly", 0]])
