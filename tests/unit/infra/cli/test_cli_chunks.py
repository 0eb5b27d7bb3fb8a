from __future__ import annotations

from infra.cli.chunks import chunks
from infra.cli.rows import Line

FILE = "scores.csv"


def line(number: int, *, bad: bool = False, score: int = 1) -> Line:
    row = None if bad else {"player": f"p{number}", "score": score}
    return Line(number, number * 10, row, "bad" if bad else "")


def test_a_file_is_cut_into_batches_that_know_their_lines_and_bytes() -> None:
    first, second = chunks([line(1), line(3), line(4)], FILE, size=2)
    assert (first.lines, first.size) == ((1, 3), 30)
    assert (second.lines, second.size) == ((4,), 10)


def test_a_file_has_the_same_keys_whatever_line_is_mended_and_another_file_has_others() -> None:
    ours = [chunk.key for chunk in chunks([line(1, bad=True), line(2), line(3)], FILE, size=2)]
    mended = [chunk.key for chunk in chunks([line(1), line(2), line(3)], FILE, size=2)]
    others = [chunk.key for chunk in chunks([line(1), line(2), line(3)], "tuesday.csv", size=2)]
    assert ours == mended
    assert len(set(ours)) == 2
    assert not set(ours) & set(others)


def test_a_key_is_short_and_printable_whatever_the_file_is_called() -> None:
    [chunk] = chunks([line(1)], "\n積分\udcff" * 200)
    assert chunk.key.isascii()
    assert chunk.key.isprintable()
    assert len(chunk.key) < 64


def test_what_was_appended_leaves_the_places_before_it_as_they_were() -> None:
    before = list(chunks([line(1), line(2), line(3)], FILE, size=2))
    after = list(chunks([line(1), line(2), line(3), line(4)], FILE, size=2))
    assert after[0] == before[0]
    assert after[1].key == before[1].key
    assert after[1].rows[:1] == before[1].rows


def test_a_bad_line_keeps_its_place_so_that_mending_it_moves_nobody() -> None:
    [broken] = chunks([line(1), line(2, bad=True), line(3)], FILE)
    [mended] = chunks([line(1), line(2), line(3)], FILE)
    assert broken.rows[1] is None
    assert broken.problems == ((2, "bad"),)
    assert broken.key == mended.key
    assert [broken.rows[0], broken.rows[2]] == [mended.rows[0], mended.rows[2]]


def test_an_empty_file_has_no_batch() -> None:
    assert list(chunks([], FILE)) == []
