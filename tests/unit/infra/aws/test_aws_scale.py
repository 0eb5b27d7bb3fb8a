"""The page on scale: its figures are the README's, and its tables follow from its formulas."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from tests.templates import templates

PAGE = Path("infra/aws/README.md").read_text()
README = Path("README.md").read_text()
PAYLOAD, AROUND = 388, 70
FULL = 0.6


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of the table whose head begins with this."""
    lines = text[text.index(f"| {heading}") :].splitlines()
    rows = []
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def number(text: str) -> float:
    return float(re.findall(r"[\d,]*\.?\d+", text)[0].replace(",", ""))


def line(start: str) -> list[str]:
    """A line of the README's figures."""
    (found,) = [one for one in README.splitlines() if one.startswith(f"| {start}")]
    return [cell.strip() for cell in found.strip("|").split("|")]


@pytest.mark.parametrize(
    ("ours", "start", "scale"),
    [
        ("CPU of a delivery", "CPU a delivery, 388 bytes to 10,000 connections : uWebSockets", 1),
        ("memory of a connection", "the same, that came all at once", 1),
        ("CPU of a client that comes back", "10,000 resume after a drain", 10),
        ("own ranks", "10,000 watch their own rank", 1),
        ("durable submissions", "durable `POST` submissions", 1),
        ("rows in batches", "batch submissions", 1),
        ("a change ranked", "refresh of one change", 1),
    ],
)
def test_a_figure_of_a_node_is_the_readmes(ours: str, start: str, scale: float) -> None:
    (row,) = [one for one in table(PAGE, "what | figure") if one[0].startswith(ours)]
    assert number(row[1]) == pytest.approx(number(line(start)[1]) / scale)


def test_the_table_of_nodes_follows_from_the_formula() -> None:
    cost = number(line("CPU a delivery, 388 bytes to 10,000 connections : uWebSockets")[1]) * 1e-6
    most = templates()["nodes.yaml"]["Mappings"]["Sizes"]["medium"]["Target"]
    rows = table(PAGE, "viewers | frames/s each")
    assert {number(row[0]) for row in rows} == {10_000, 100_000, 1_000_000}
    for row in rows:
        viewers, frames = number(row[0]), number(row[1])
        cores = viewers * frames * cost
        gigabytes = viewers * frames * (PAYLOAD + AROUND) * 3600 / 1e9
        shown = [number(cell) for cell in row[2:]]
        assert shown[0] == pytest.approx(cores, abs=0.006)
        assert shown[1] == max(2, math.ceil(viewers / most), math.ceil(cores / FULL))
        assert shown[2] == pytest.approx(gigabytes, abs=0.06)
        assert shown[3] == pytest.approx(gigabytes * 8 / 3600, abs=0.006)
        assert shown[4] == math.ceil(max(viewers / 3000, gigabytes))


def test_the_sizes_that_it_names_are_the_templates() -> None:
    sizes = templates()["nodes.yaml"]["Mappings"]["Sizes"]
    named = ", ".join(f"{sizes[size]['Target']:,}" for size in ("small", "medium"))
    assert f"{named} and {sizes['large']['Target']:,}" in PAGE


def test_the_table_of_stores_follows_from_what_a_player_takes() -> None:
    for row in table(PAGE, "| a player of a board"):
        each = number(row[1])
        for cell, players in zip(row[2:], (100_000, 1_000_000, 10_000_000), strict=True):
            unit = 1e9 if "GB" in cell else 1e6
            assert number(cell) == pytest.approx(each * players / unit, rel=0.03)


def test_no_price_is_on_the_page() -> None:
    assert not re.findall(r"[$€]\s*\d|\d\s*(?:USD|EUR)", PAGE)
