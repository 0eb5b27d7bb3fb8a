"""Boards as tables in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from realtime.client.reducer import Entry

UP, DOWN, NEW = Text("▲", "green"), Text("▼", "red"), Text("●", "cyan")


def board_table(
    document: Mapping[str, Any], entries: Sequence[Entry], moves: Mapping[str, int | None] | None = None
) -> Group:
    """A stretch of a board under its title. `moves` has ranks gained (positive) or lost by player, None for who is new on the list."""
    table = Table(box=None, pad_edge=False)
    table.add_column("#", justify="right", style="bold")
    if moves is not None:
        table.add_column("", justify="left", width=4)
    table.add_column("player", overflow="ellipsis", no_wrap=True, max_width=40)
    for column in document["columns"]:
        table.add_column(column["name"], justify="right")
    for entry in entries:
        values = [
            shown(value, column["decimals"]) for value, column in zip(entry.score, document["columns"], strict=True)
        ]
        moved = [] if moves is None else [arrow(moves.get(entry.player, 0))]
        table.add_row(Text(str(entry.rank)), *moved, Text(entry.name or entry.player), *map(Text, values))
    return Group(Text(document["title"] or document["board"], "bold"), table)


def shown(value: int, decimals: int) -> str:
    """A stored value as people read it: 12345 with 3 decimals is 12.345."""
    if decimals == 0:
        return f"{value:,}"
    digits = f"{abs(value):0{decimals + 1}d}"
    return f"{'-' if value < 0 else ''}{int(digits[:-decimals]):,}.{digits[-decimals:]}"


def counted(number: int, noun: str) -> str:
    """So many of something: 1 line, 2,000 lines."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def arrow(move: int | None) -> Text:
    """How a player moved: ranks gained or lost, None for who is new."""
    if move is None:
        return NEW
    if move == 0:
        return Text("")
    return Text.assemble(UP if move > 0 else DOWN, f"{abs(move)}")


def clock(seconds: float) -> str:
    """A span as h:mm:ss."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
