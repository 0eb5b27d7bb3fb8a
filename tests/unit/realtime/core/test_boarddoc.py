from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core import boarddoc
from realtime.core.errors import BoardInvalid, IdInvalid
from realtime.core.model import INT64_MAX, INT64_MIN, BoardSpec, Column, Direction, Operator, RankMode, Writes

names = st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
columns = st.lists(
    st.builds(Column, names, st.sampled_from(Direction), st.integers(0, 9)),
    min_size=1,
    max_size=4,
    unique_by=lambda column: column.name,
).map(tuple)


titles = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=200)
values = st.none() | st.integers(INT64_MIN, INT64_MAX)


@st.composite
def specs(draw: st.DrawFn) -> BoardSpec:
    ranked_by = draw(columns)
    pairs = [draw(st.tuples(values, values)) for _ in ranked_by]
    pairs = [(low, high) if low is None or high is None else (min(low, high), max(low, high)) for low, high in pairs]
    minimum, maximum = (tuple(bounds) for bounds in zip(*pairs, strict=True))
    return BoardSpec(
        title=draw(titles),
        columns=ranked_by,
        operator=draw(st.sampled_from(Operator)),
        ranks=draw(st.sampled_from(RankMode)),
        writes=draw(st.sampled_from(Writes)),
        public=draw(st.booleans()),
        minimum=minimum if any(one is not None for one in minimum) else None,
        maximum=maximum if any(one is not None for one in maximum) else None,
    )


@given(specs())
def test_a_board_is_read_back_from_its_document(spec: BoardSpec) -> None:
    assert boarddoc.parse(orjson.loads(orjson.dumps(boarddoc.render(spec)))) == spec


def test_what_a_document_leaves_out_has_a_default() -> None:
    assert boarddoc.parse({}) == BoardSpec(title="", columns=(Column("score", Direction.DESC, 0),))
    assert boarddoc.parse({"columns": [{"name": "time", "direction": "asc"}]}).columns == (
        Column("time", Direction.ASC, 0),
    )


def test_the_documents_of_the_contract_are_read_as_they_are_meant() -> None:
    document = {
        "title": "Harbin",
        "columns": [
            {"name": "solved", "direction": "desc"},
            {"name": "penalty", "direction": "asc", "decimals": 0},
        ],
        "operator": "best",
        "ranks": "competition",
        "writes": "server",
        "public": True,
        "minimum": None,
        "maximum": None,
    }
    assert boarddoc.parse(document) == BoardSpec(
        title="Harbin", columns=(Column("solved"), Column("penalty", Direction.ASC))
    )


@pytest.mark.parametrize(
    ("bound", "columns", "read"),
    [
        (5, 1, (5,)),
        (5, 2, (5, None)),
        ([None, 7], 2, (None, 7)),
        (str(INT64_MAX), 1, (INT64_MAX,)),
        (None, 2, None),
        ([None], 1, None),
        ([None, None], 2, None),
    ],
)
def test_a_bound_is_one_value_a_column_or_a_number_for_the_first(
    bound: Any, columns: int, read: tuple[int | None, ...] | None
) -> None:
    named = [{"name": f"c{n}"} for n in range(columns)]
    assert boarddoc.parse({"columns": named, "minimum": bound, "maximum": bound}).minimum == read


@pytest.mark.parametrize(
    ("document", "wrong"),
    [
        ([], "JSON object"),
        (None, "JSON object"),
        ({"colour": "red"}, "colour"),
        ({"title": 5}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "a\nb"}, "title"),
        ({"minimum": 2, "maximum": 1}, "minimum is above maximum"),
        ({"public": 1}, "public"),
        ({"columns": []}, "1 to 4"),
        ({"columns": [{"name": f"c{n}"} for n in range(5)]}, "1 to 4"),
        ({"columns": {"name": "c"}}, "1 to 4"),
        ({"columns": ["score"]}, "column"),
        ({"columns": [{"name": "a"}, {"name": "a"}]}, "same name"),
        ({"columns": [{"name": "a", "unit": "s"}]}, "unit"),
        ({"columns": [{"name": "a", "direction": "up"}]}, "direction"),
        ({"columns": [{"name": "a", "decimals": 10}]}, "decimals"),
        ({"columns": [{"name": "a", "decimals": -1}]}, "decimals"),
        ({"columns": [{"name": "a", "decimals": True}]}, "decimals"),
        ({"operator": "max"}, "best, latest, sum"),
        ({"operator": None}, "operator"),
        ({"ranks": "dense"}, "ranks"),
        ({"writes": ["server"]}, "writes"),
        ({"minimum": [1, 2]}, "minimum"),
        ({"minimum": 1.5}, "minimum"),
        ({"maximum": True}, "maximum"),
        ({"maximum": 2**63}, "maximum"),
        ({"maximum": "much"}, "maximum"),
    ],
)
def test_a_document_that_describes_no_board_is_refused_naming_what_is_wrong(document: object, wrong: str) -> None:
    with pytest.raises(BoardInvalid, match=wrong):
        boarddoc.parse(document)


@pytest.mark.parametrize("name", [None, "", "a b", "x" * 65, 5, "ä"])
def test_a_column_is_named_by_an_id(name: object) -> None:
    with pytest.raises(IdInvalid):
        boarddoc.parse({"columns": [{"name": name}]})
