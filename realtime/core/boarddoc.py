"""The board document: how a board is described in JSON."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar

from realtime.core.errors import BoardInvalid, ScoreRefused
from realtime.core.model import MAX_COLUMNS, BoardSpec, Column, Direction, Operator, RankMode, Writes, check_id, shown
from realtime.core.scores import parse_integer, wire_integer

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELDS: Final = {"title", "columns", "operator", "ranks", "writes", "public", "minimum", "maximum"}
_COLUMN_FIELDS: Final = {"name", "direction", "decimals"}
T = TypeVar("T", bound=StrEnum)
_MAX_TITLE: Final = 200
_MAX_DECIMALS: Final = 9


def parse(document: object) -> BoardSpec:
    """The board that a document describes; what it leaves out has a default. Raises BoardInvalid, IdInvalid."""
    fields = _object(document, _FIELDS, "a board document")
    columns = _columns(fields.get("columns", [{"name": "score"}]))
    title = fields.get("title", "")
    if not isinstance(title, str) or len(title) > _MAX_TITLE or not all(map(shown, title)):
        raise BoardInvalid(f"title must be text of at most {_MAX_TITLE} characters without control characters")
    public = fields.get("public", True)
    if not isinstance(public, bool):
        raise BoardInvalid("public must be true or false")
    minimum = _bounds(fields.get("minimum"), len(columns), "minimum")
    maximum = _bounds(fields.get("maximum"), len(columns), "maximum")
    for low, high in zip(minimum or (), maximum or (), strict=False):
        if low is not None and high is not None and low > high:
            raise BoardInvalid("minimum is above maximum")
    return BoardSpec(
        title=title,
        columns=columns,
        operator=_one_of(Operator, fields.get("operator", "best"), "operator"),
        ranks=_one_of(RankMode, fields.get("ranks", "competition"), "ranks"),
        writes=_one_of(Writes, fields.get("writes", "server"), "writes"),
        public=public,
        minimum=minimum,
        maximum=maximum,
    )


def render(spec: BoardSpec) -> dict[str, Any]:
    """The document of a board. `parse(render(spec)) == spec`."""
    return {
        "title": spec.title,
        "columns": [
            {"name": column.name, "direction": column.direction, "decimals": column.decimals} for column in spec.columns
        ],
        "operator": spec.operator,
        "ranks": spec.ranks,
        "writes": spec.writes,
        "public": spec.public,
        "minimum": _render_bounds(spec.minimum),
        "maximum": _render_bounds(spec.maximum),
    }


def _object(value: object, known: set[str], what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BoardInvalid(f"{what} is a JSON object")
    if unknown := sorted(set(value) - known):
        raise BoardInvalid(f"{what} has no field {unknown[0]!r}")
    return value


def _columns(value: object) -> tuple[Column, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_COLUMNS:
        raise BoardInvalid(f"columns is a list of 1 to {MAX_COLUMNS} columns")
    columns = tuple(_column(one) for one in value)
    if len({column.name for column in columns}) != len(columns):
        raise BoardInvalid("two columns have the same name")
    return columns


def _column(value: object) -> Column:
    fields = _object(value, _COLUMN_FIELDS, "a column")
    decimals = fields.get("decimals", 0)
    if type(decimals) is not int or not 0 <= decimals <= _MAX_DECIMALS:
        raise BoardInvalid(f"decimals must be 0 to {_MAX_DECIMALS}")
    return Column(
        check_id(fields.get("name"), "a column's name"),
        _one_of(Direction, fields.get("direction", "desc"), "direction"),
        decimals,
    )


def _one_of(kind: type[T], value: object, what: str) -> T:
    try:
        return kind(str(value))
    except ValueError as error:
        raise BoardInvalid(f"{what} must be one of {', '.join(kind)}") from error


def _bounds(value: object, columns: int, what: str) -> tuple[int | None, ...] | None:
    """One bound a column; a plain number bounds the first."""
    if value is None:
        return None
    values = value if isinstance(value, list) else [value, *[None] * (columns - 1)]
    if len(values) != columns:
        raise BoardInvalid(f"{what} has one value per column")
    if all(one is None for one in values):
        return None
    try:
        return tuple(None if one is None else parse_integer(one) for one in values)
    except ScoreRefused as error:
        raise BoardInvalid(f"{what}: {error}") from error


def _render_bounds(bounds: tuple[int | None, ...] | None) -> Any:
    if bounds is None:
        return None
    rendered = [None if one is None else wire_integer(one) for one in bounds]
    return rendered[0] if len(rendered) == 1 else rendered
