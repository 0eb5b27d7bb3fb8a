from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from infra.cli.tables import arrow, board_table, clock, counted, shown
from realtime.client.reducer import Entry

DOCUMENT: dict[str, Any] = {
    "board": "b",
    "title": "Best [of] all",
    "columns": [{"name": "solved", "decimals": 0}, {"name": "time", "decimals": 3}],
}


def printed(width: int = 80, **arguments: Any) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(board_table(DOCUMENT, **arguments))
    return capture.get()


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 players"), (1, "1 player"), (2, "2 players"), (1_500, "1,500 players")]
)
def test_one_of_something_is_not_many(number: int, text: str) -> None:
    assert counted(number, "player") == text


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0, 0, "0"),
        (55_500, 0, "55,500"),
        (-12, 0, "-12"),
        (12_345, 3, "12.345"),
        (5, 3, "0.005"),
        (-5, 3, "-0.005"),
        (1_234_567, 2, "12,345.67"),
        (-(2**63), 9, "-9,223,372,036.854775808"),
    ],
)
def test_a_value_is_shown_as_people_read_it(value: int, decimals: int, text: str) -> None:
    assert shown(value, decimals) == text


def test_a_row_has_rank_name_and_each_column() -> None:
    text = printed(entries=[Entry(1, "ann", "Ann", (11, 55_500), 3, None, None)])
    assert "Best [of] all" in text
    assert text.splitlines()[-1].split() == ["1", "Ann", "11", "55.500"]


def test_a_name_is_text_whatever_it_looks_like() -> None:
    assert "[red]x[/]" in printed(entries=[Entry(1, "ann", "[red]x[/]", (1, 2), 3, None, None)])


def test_a_player_without_a_name_is_shown_by_its_id() -> None:
    assert "ann" in printed(entries=[Entry(1, "ann", None, (1, 2), 3, None, None)])


def test_movement_has_a_column_of_its_own() -> None:
    rows = [Entry(rank, player, player, (1, 2), 3, None, None) for rank, player in enumerate("abcd", 1)]
    text = printed(entries=rows, moves={"a": 3, "b": -1, "c": None})
    assert [line.split()[1] for line in text.splitlines()[-4:]] == ["▲3", "▼1", "●", "d"]


def test_who_did_not_move_has_no_arrow() -> None:
    assert arrow(0).plain == ""


def test_a_span_reads_as_hours_minutes_and_seconds() -> None:
    assert clock(0) == "0:00:00"
    assert clock(17_985.9) == "4:59:45"
