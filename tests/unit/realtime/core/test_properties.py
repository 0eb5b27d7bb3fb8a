"""What must hold of every board, whatever is done to it: the sentences the design stands on, over generated cases."""

from __future__ import annotations

import random
from itertools import pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.core import delta, messages, record, sortkey
from realtime.core.board import BoardState
from realtime.core.errors import SumOverflow, VersionGap
from realtime.core.fold import Submission, fold
from realtime.core.model import (
    INT64_MAX,
    INT64_MIN,
    Board,
    BoardKey,
    BoardSpec,
    Change,
    Column,
    Direction,
    Entry,
    Operator,
    RankMode,
    Score,
)
from realtime.core.ranks import ranks
from realtime.core.window import Window

int64 = st.integers(INT64_MIN, INT64_MAX) | st.sampled_from([INT64_MIN, -1, 0, 1, 2**53, INT64_MAX])
directions = st.lists(st.sampled_from(Direction), min_size=1, max_size=4)
COLUMNS = (Column("solved", Direction.DESC), Column("penalty", Direction.ASC))
PLAYERS = [f"p{number}" for number in range(130)]


def columns(kinds: list[Direction]) -> tuple[Column, ...]:
    return tuple(Column(f"c{index}", kind) for index, kind in enumerate(kinds))


def better_first(kinds: list[Direction], score: Score) -> tuple[int, ...]:
    return tuple(-value if kind is Direction.DESC else value for kind, value in zip(kinds, score, strict=True))


@given(
    directions.flatmap(lambda kinds: st.tuples(st.just(kinds), *[st.tuples(*[int64] * len(kinds))] * 2)), int64, int64
)
def test_the_order_of_sort_keys_is_the_order_of_scores_then_of_who_came_first(
    case: tuple[list[Direction], Score, Score], first: int, second: int
) -> None:
    kinds, left, right = case
    seqs = abs(first) % 2**63, abs(second) % 2**63
    keys = [sortkey.encode(columns(kinds), score, seq) for score, seq in zip((left, right), seqs, strict=True)]
    wanted = (better_first(kinds, left), seqs[0]) < (better_first(kinds, right), seqs[1])
    assert (keys[0] < keys[1]) == wanted
    assert sortkey.decode(columns(kinds), keys[0]) == (left, seqs[0])
    assert (sortkey.columns_of(keys[0]) == sortkey.columns_of(keys[1])) == (left == right)


@st.composite
def changes(draw: st.DrawFn, seq: int) -> Change:
    """One change under a seq of its own; small scores, so that many tie."""
    score = draw(st.none() | st.tuples(st.integers(0, 3), st.integers(0, 2)) | st.tuples(int64, int64))
    key = b"" if score is None else sortkey.encode(COLUMNS, score, seq)
    named = draw(st.booleans())
    shown = orjson.dumps({"name": f"n{draw(st.integers(0, 3))}"}) if named else record.NO_DISPLAY
    return Change(draw(st.sampled_from(PLAYERS)), seq, key, seq if named else 0, shown)


@st.composite
def histories(draw: st.DrawFn) -> list[list[Change]]:
    sizes = draw(st.lists(st.integers(1, 12), max_size=12))
    seq = iter(range(1000, sum(sizes) + 1000))
    return [[draw(changes(next(seq))) for _ in range(size)] for size in sizes]


def crowd() -> list[Change]:
    """Enough players that the window has an edge; the history's seqs come after theirs."""
    return [
        Change(player, number + 1, sortkey.encode(COLUMNS, (1, number % 7), number + 1), 0, record.NO_DISPLAY)
        for number, player in enumerate(PLAYERS)
    ]


def started(*, crowded: bool) -> BoardState:
    board = BoardState(COLUMNS, epoch=1)
    if crowded:
        board.apply(crowd())
    return board


@settings(max_examples=60, deadline=None)
@given(histories(), st.booleans(), st.sampled_from(RankMode), st.sampled_from(messages.TOP_LIMITS))
def test_a_snapshot_and_the_deltas_after_it_are_the_fresh_snapshot_at_every_version(
    history: list[list[Change]], crowded: bool, mode: RankMode, limit: int
) -> None:
    board = started(crowded=crowded)
    window = board.window()
    snapshot = orjson.loads(messages.snapshot("t", window, limit, mode))
    held = [{field: value for field, value in one.items() if field != "rank"} for one in snapshot["entries"]]
    shown = window
    for number, batch in enumerate(history):
        announced = board.apply(batch)
        if announced is not None:
            window = window.follow(announced[0])
        assert window == board.window()
        if number % 2:
            # Every second version is merged into the next frame.
            continue
        ops = delta.diff(shown.rows[:limit], window.rows[:limit])
        frame = orjson.loads(messages.delta("t", window, shown.version, ops))
        delta.apply(held, frame["ops"])
        shown = window
        fresh = orjson.loads(messages.snapshot("t", board.window(), limit, mode))["entries"]
        assert held == [{field: value for field, value in one.items() if field != "rank"} for one in fresh]
        assert [one["rank"] for one in fresh] == list(ranks(board.window().rows[:limit], mode))


@settings(max_examples=80, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_duplicates_and_any_order_of_delivery_end_in_the_same_state(
    history: list[list[Change]], chance: random.Random
) -> None:
    ordered = BoardState(COLUMNS, epoch=1)
    every = [change for batch in history for change in batch]
    ordered.apply(every)
    delivered = [*every, *every[::3]]
    chance.shuffle(delivered)
    shuffled = BoardState(COLUMNS, epoch=1)
    for change in delivered:
        shuffled.apply([change])
    assert shuffled.members == ordered.members
    assert shuffled.records == ordered.records
    assert shuffled.apply(every) is None, "nothing is taken a second time"


@settings(max_examples=80, deadline=None)
@given(histories())
def test_places_and_ranks_in_the_announcement_are_those_of_the_sorted_list(history: list[list[Change]]) -> None:
    board = BoardState(COLUMNS, epoch=1)
    for batch in history:
        announced = board.apply(batch)
        if announced is None:
            continue
        order = sorted(
            (change.key + change.player.encode(), change.player) for change in board.records.values() if change.key
        )
        places = {player: place for place, (_, player) in enumerate(order)}
        for move in announced[1].moves:
            if not move.new:
                assert (move.position, move.rank) == (-1, 0)
                continue
            assert move.position == places[move.player]
            before = sum(key[:16] < move.new[:16] for key, _ in order)
            assert move.rank == before + 1
        assert announced[0].total == len(order)
        assert all(one < two for one, two in pairwise(board.members))


@given(st.lists(st.tuples(int64, int64), min_size=1, max_size=30), st.sampled_from(Operator))
def test_folding_keeps_who_came_first_and_never_leaves_64_bits(scores: list[Score], operator: Operator) -> None:
    spec = BoardSpec(title="", columns=COLUMNS, operator=operator)
    board = Board(BoardKey(1, 1), "b", spec, 1)
    entry = Entry()
    for seq, score in enumerate(scores, 1):
        before = entry
        try:
            entry, improved = fold(spec, entry, Submission(board=board, player="p", score=score), seq)
        except SumOverflow:
            assert entry == before
            continue
        assert improved == (entry.score != before.score)
        assert entry.seq == (seq if improved else before.seq)
        assert entry.score is not None
        assert all(INT64_MIN <= value <= INT64_MAX for value in entry.score)
    if operator is Operator.BEST:
        assert entry.score == min(
            scores, key=lambda score: better_first([column.direction for column in COLUMNS], score)
        )
    if operator is Operator.LATEST:
        assert entry.score == scores[-1]


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(0, 2**63), st.integers(0, 2**63))
def test_a_record_is_read_back_as_it_was_written(display: bytes, metadata: bytes, seq: int, profile_seq: int) -> None:
    change = Change("p", seq, sortkey.encode(COLUMNS, (1, 2), 3), profile_seq, display, metadata)
    assert record.unpack("p", record.pack(change)) == change


def test_a_window_that_misses_a_version_says_so() -> None:
    board = BoardState(COLUMNS, epoch=1)
    window = Window(1, 1, 0, ())
    board.apply([crowd()[5]])
    second = board.apply([crowd()[6]])
    assert second is not None
    with pytest.raises(VersionGap):
        window.follow(second[0])
