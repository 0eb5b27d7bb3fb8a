"""Score files: CSV and NDJSON, read line by line, each line a submission or the reason why it is none.

A submission is what `POST …/scores/batch` takes: player, score, and optionally name and metadata. Where a line has no
`score`, the score is made of the fields that are named as the board's columns are. Other fields are left out.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Final

import orjson

from realtime.core.errors import RankcastError, ScoreRefused
from realtime.core.scores import parse_integer, wire_integer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Row = dict[str, Any]

LONGEST: Final = 65_536
"""Bytes of a line; a longer one is bad, and never in memory."""
OPTIONAL: Final = ("name", "metadata")
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class FileUnfit(RankcastError):
    """The file as a whole cannot be read as scores."""

    code: ClassVar[str] = "file_unfit"


class LineBad(RankcastError):
    """One line is no submission; the message says why."""

    code: ClassVar[str] = "line_bad"


_NO_LINES: Final = "the file has no lines"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank. `end` is how many bytes of the file were read; `row` is None where `problem` says why."""

    number: int
    end: int
    row: Row | None
    problem: str = ""


def read_ndjson(file: BinaryIO, parse: Callable[[dict[str, Any]], Row]) -> Iterator[Line]:
    """The lines of an NDJSON file; `parse` makes a row of each object, or raises LineBad. Raises FileUnfit when there are none."""
    source, empty = _Source(file), True
    for text in source:
        if text.isspace():
            continue
        empty = False
        try:
            row = parse(_json_object(text))
        except LineBad as error:
            yield Line(source.number, source.end, None, str(error))
        else:
            yield Line(source.number, source.end, row)
    if empty:
        raise FileUnfit(_NO_LINES)


def read_csv(file: BinaryIO, columns: Sequence[str]) -> Iterator[Line]:
    """The records of a CSV file whose first line names the fields. Raises FileUnfit when it names too few, or is none."""
    source = _Source(file)
    records = csv.reader(_Decoded(source), strict=True)
    try:
        header = [field.strip() for field in next(filter(_says_something, records), [])]
    except (LineBad, csv.Error) as error:
        raise FileUnfit(f"line {source.number}: {error}") from error
    if not header:
        raise FileUnfit(_NO_LINES)
    parse = _csv_parser(header, columns, source.number)
    while True:
        first = source.number + 1
        try:
            record = next(records)
            row = parse(record) if record else None
        except StopIteration:
            return
        except (LineBad, csv.Error) as error:
            # A quotation mark without its partner takes the lines that follow with it.
            reach = f" (it goes on to line {source.number})" if source.number > first else ""
            yield Line(first, source.end, None, f"{error}{reach}")
        else:
            if row is not None:
                yield Line(first, source.end, row)


def _says_something(record: Sequence[str]) -> bool:
    return any(map(str.strip, record))


def json_parser(columns: Sequence[str]) -> Callable[[dict[str, Any]], Row]:
    """What makes a row of a JSON object, for a board of these columns."""

    def parse(document: dict[str, Any]) -> Row:
        if "player" not in document:
            raise LineBad("the line names no player")
        row = {"player": document["player"], "score": _json_score(document, columns)}
        for field in OPTIONAL:
            if document.get(field) is not None:
                row[field] = document[field]
        return row

    return parse


def _json_object(text: bytes) -> dict[str, Any]:
    if len(text) > LONGEST:
        raise LineBad(f"the line is longer than {LONGEST} bytes")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise LineBad(f"the line is not JSON: {error.msg}") from error
    if not isinstance(document, dict):
        raise LineBad("the line is no JSON object")
    return document


def _json_score(document: dict[str, Any], columns: Sequence[str]) -> Any:
    if "score" in document:
        return document["score"]
    missing = [column for column in columns if column not in document]
    if missing:
        raise LineBad(
            "the line has no score" if missing == ["score"] else f"the line has neither score nor {missing[0]}"
        )
    values = [document[column] for column in columns]
    return values[0] if len(values) == 1 else values


def _csv_parser(header: Sequence[str], columns: Sequence[str], number: int) -> Callable[[list[str]], Row]:
    """What makes a row of a record under this header, which is the line of this number."""
    places = {field: place for place, field in enumerate(header)}
    if len(columns) == 1 and "score" in places:
        columns = ["score"]
    if missing := [field for field in ("player", *columns) if field not in places]:
        raise FileUnfit(f"line {number} must name the fields player, {', '.join(columns)}: there is no {missing[0]!r}")
    player, values = places["player"], [(column, places[column]) for column in columns]
    name = places.get("name")

    def parse(record: list[str]) -> Row:
        if len(record) != len(header):
            raise LineBad(f"the line has {len(record)} fields, the first line names {len(header)}")
        score = [_integer(column, record[place]) for column, place in values]
        row: Row = {"player": record[player].strip(), "score": score[0] if len(score) == 1 else score}
        if name is not None and record[name]:
            row["name"] = record[name]
        return row

    return parse


def _integer(column: str, text: str) -> int | str:
    try:
        return wire_integer(parse_integer(text.strip()))
    except ScoreRefused as error:
        raise LineBad(f"{column} is {text[:40]!r}: {error}") from error


class _Source:
    """The lines of a file, counted. Of a line that is too long it gives the beginning, with one byte too many."""

    def __init__(self, file: BinaryIO) -> None:
        self.number = 0
        self.end = 0
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        while text := self._file.readline(LONGEST + 1):
            self.number += 1
            self.end += len(text)
            rest = text
            while len(rest) > LONGEST and not rest.endswith(b"\n"):
                rest = self._file.readline(LONGEST + 1)
                self.end += len(rest)
            yield text.removeprefix(BYTE_ORDER_MARK) if self.number == 1 else text


class _Decoded:
    """The lines as text. An iterator that goes on after it raised, as a generator would not."""

    def __init__(self, source: _Source) -> None:
        self._lines = iter(source)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        text = next(self._lines)
        if len(text) > LONGEST:
            raise LineBad(f"the line is longer than {LONGEST} bytes")
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            raise LineBad("the line is not UTF-8") from error
