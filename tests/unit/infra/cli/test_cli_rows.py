from __future__ import annotations

from io import BytesIO

import pytest

from infra.cli.rows import LONGEST, FileUnfit, Line, json_parser, read_csv, read_ndjson

ONE = ["score"]
TWO = ["solved", "penalty"]


def ndjson(content: bytes, columns: list[str]) -> list[Line]:
    return list(read_ndjson(BytesIO(content), json_parser(columns)))


def from_csv(content: bytes, columns: list[str]) -> list[Line]:
    return list(read_csv(BytesIO(content), columns))


def problems(lines: list[Line]) -> dict[int, str]:
    return {line.number: line.problem for line in lines if line.row is None}


def test_an_ndjson_line_is_a_submission_without_what_is_none_of_it() -> None:
    text = b'{"player":"ann","score":5,"name":"Ann","metadata":{"a":1},"colour":"red"}\n'
    [line] = ndjson(text, ONE)
    assert line.row == {"player": "ann", "score": 5, "name": "Ann", "metadata": {"a": 1}}
    assert (line.number, line.end) == (1, len(text))


def test_columns_by_their_names_make_the_score() -> None:
    text = b'{"at":235,"player":"F05","name":"WF","group":"x","solved":1,"penalty":180}'
    assert ndjson(text, TWO)[0].row == {"player": "F05", "score": [1, 180], "name": "WF"}
    assert ndjson(b'{"player":"a","points":7}', ["points"])[0].row == {"player": "a", "score": 7}


def test_a_score_goes_before_columns() -> None:
    assert ndjson(b'{"player":"a","score":[1,2],"solved":9,"penalty":9}', TWO)[0].row == {
        "player": "a",
        "score": [1, 2],
    }


def test_blank_lines_are_passed_over_and_counted() -> None:
    assert [line.number for line in ndjson(b'\n{"player":"a","score":1}\n \n{"player":"b","score":1}\n', ONE)] == [2, 4]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert ndjson(b'\xef\xbb\xbf{"player":"a","score":1}', ONE)[0].row == {"player": "a", "score": 1}
    assert from_csv(b"\xef\xbb\xbfplayer,score\na,1\n", ONE)[0].row == {"player": "a", "score": 1}


def test_a_bad_ndjson_line_says_why_and_the_next_is_read() -> None:
    lines = ndjson(
        b'{"player":\n[1]\n{"score":1}\n{"player":"a"}\n\xff\n{"player":"a","score":1}\n',
        ONE,
    )
    found = problems(lines)
    assert found[1].startswith("the line is not JSON: ")
    assert found[2] == "the line is no JSON object"
    assert found[3] == "the line names no player"
    assert found[4] == "the line has no score"
    assert found[5].startswith("the line is not JSON: ")
    assert lines[5].row == {"player": "a", "score": 1}


def test_a_line_longer_than_the_limit_is_bad_and_not_the_next() -> None:
    long = b'{"player":"a","score":1,"x":"' + b"y" * (3 * LONGEST) + b'"}\n'
    good = b'{"player":"b","score":2}\n'
    lines = ndjson(long + good, ONE)
    assert problems(lines) == {1: f"the line is longer than {LONGEST} bytes"}
    assert (lines[1].number, lines[1].row, lines[1].end) == (2, {"player": "b", "score": 2}, len(long + good))


def test_a_csv_record_is_a_submission() -> None:
    text = b"name,player,ignored,score\r\nAnn,ann,x,42\r\n,bob,x,-7\r\n"
    first, second = from_csv(text, ONE)
    assert first.row == {"player": "ann", "score": 42, "name": "Ann"}
    assert second.row == {"player": "bob", "score": -7}
    assert (second.number, second.end) == (3, len(text))


def test_csv_columns_by_their_names_make_the_score() -> None:
    assert from_csv(b"player,solved,penalty\na,3,120\n", TWO)[0].row == {"player": "a", "score": [3, 120]}
    assert from_csv(b"player,points\na,3\n", ["points"])[0].row == {"player": "a", "score": 3}
    assert from_csv(b"player,score\na,3\n", ["points"])[0].row == {"player": "a", "score": 3}


def test_csv_takes_the_whole_of_int64_exactly_and_no_more() -> None:
    lines = from_csv(f"player,score\na,{2**63 - 1}\nb,{-(2**63)}\nc,{2**63}\nd,{2**53 - 1}\n".encode(), ONE)
    assert [line.row and line.row["score"] for line in lines] == [str(2**63 - 1), str(-(2**63)), None, 2**53 - 1]
    assert "must fit into 64 bits" in problems(lines)[4]


@pytest.mark.parametrize("text", ["", "1.5", "1e3", "x", "1_000", "٣", "0x1", "true", "+1"])
def test_a_csv_score_that_is_no_integer_is_named(text: str) -> None:
    [line] = from_csv(f"player,score\na,{text}\n".encode(), ONE)
    assert line.problem == f"score is {text!r}: a score must be an integer"


def test_a_bad_csv_line_says_why_and_the_next_is_read() -> None:
    lines = from_csv(b'player,score\na\nb,1,2\n\xff,1\nc,"1"x\nd,4\n', ONE)
    found = problems(lines)
    assert found[2] == "the line has 1 fields, the first line names 2"
    assert found[3] == "the line has 3 fields, the first line names 2"
    assert found[4] == "the line is not UTF-8"
    assert 5 in found
    assert (lines[-1].number, lines[-1].row) == (6, {"player": "d", "score": 4})


def test_a_csv_record_over_several_lines_is_named_by_its_first() -> None:
    lines = from_csv(b'player,score,name\na,1,"two\nlines"\nb,x,\n', ONE)
    assert lines[0].number == 2
    assert lines[0].row == {"player": "a", "score": 1, "name": "two\nlines"}
    assert list(problems(lines)) == [4]


def test_a_quotation_mark_without_its_partner_says_how_far_it_reaches() -> None:
    [line] = from_csv(b'player,score\na,"1\nb,2\nc,3\n', ONE)
    assert (line.number, line.problem) == (2, "unexpected end of data (it goes on to line 4)")


def test_a_csv_line_longer_than_the_limit_is_bad_and_not_the_next() -> None:
    lines = from_csv(b"player,score\n" + b"a" * (2 * LONGEST) + b",1\nb,2\n", ONE)
    assert problems(lines) == {2: f"the line is longer than {LONGEST} bytes"}
    assert lines[1].row == {"player": "b", "score": 2}


@pytest.mark.parametrize("content", [b"name,score\n", b"player,solved\n", b"a;b\n", b"\xff\n"])
def test_a_csv_file_whose_first_line_names_too_little_is_refused(content: bytes) -> None:
    with pytest.raises(FileUnfit, match="line 1"):
        from_csv(content, TWO)


def test_lines_are_read_as_they_are_asked_for() -> None:
    class Counting(BytesIO):
        read_lines = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            self.read_lines += 1
            return super().readline(size)

    file = Counting(b'{"player":"a","score":1}\n' * 1000)
    lines = read_ndjson(file, json_parser(ONE))
    next(lines)
    assert file.read_lines < 3


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b" \n\t\n"])
def test_a_file_without_a_word_has_no_lines(content: bytes) -> None:
    with pytest.raises(FileUnfit, match=r"^the file has no lines$"):
        from_csv(content, ONE)


def test_blank_lines_before_the_first_are_passed_over() -> None:
    (line,) = from_csv(b"\n \nplayer,score\nann,1\n", ONE)
    assert (line.number, line.row) == (4, {"player": "ann", "score": 1})
    with pytest.raises(FileUnfit, match=r"^line 2 must name the fields player, score: there is no 'player'$"):
        from_csv(b"\nname,score\n", ONE)
