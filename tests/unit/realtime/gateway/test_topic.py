from __future__ import annotations

import orjson
import pytest

from realtime.client.reducer import State, apply_delta, from_snapshot
from realtime.core.board import BoardState
from realtime.core.model import RankMode
from realtime.core.window import Window
from realtime.gateway import topic as topics
from realtime.gateway.topic import Topic
from tests.changes import COLUMNS, Change, gone, ranked, renamed

MODE = RankMode.COMPETITION


class Board:
    """A board's state, and a topic that is told of each version."""

    def __init__(self, limit: int = 10) -> None:
        self.state = BoardState(COLUMNS, 1)
        self.topic = Topic("b/top/10", limit, MODE)
        self.topic.advance(self.state.window(), MODE)

    def apply(self, *changes: Change) -> bool:
        assert self.state.apply(changes) is not None
        return self.topic.advance(self.state.window(), MODE)

    def fresh(self) -> State:
        return from_snapshot(orjson.loads(self.topic.snapshot()))

    def is_shown_after(self, held: State, frame: bytes) -> bool:
        """Whether a frame leads from a state to the newest one."""
        message = orjson.loads(frame)
        led = from_snapshot(message) if message["type"] == "snapshot" else apply_delta(held, message)
        fresh = self.fresh()
        return (led.epoch, led.version, led.total, led.entries) == (
            fresh.epoch,
            fresh.version,
            fresh.total,
            fresh.entries,
        )


def crowd(count: int) -> list[Change]:
    return [
        ranked(f"player-{n:03}", 1000 - n, seq=n + 1, name=f"The player {n}", profile_seq=n + 1) for n in range(count)
    ]


def test_versions_that_were_missed_are_merged_into_one_frame() -> None:
    board = Board()
    board.apply(*crowd(8))
    held = board.fresh()
    board.apply(ranked("eve", 2000, seq=100))
    board.apply(ranked("eve", 3000, seq=101))
    board.apply(gone("player-003", seq=102))
    board.apply(renamed("player-001", profile_seq=103, name="One"))
    frame = board.topic.frame(held.epoch, held.version)
    assert frame is not None
    message = orjson.loads(frame)
    assert (message["type"], message["from"], message["to"]) == ("delta", held.version, board.state.version)
    assert [op[0] for op in message["ops"]] == ["out", "in", "set"]
    assert board.is_shown_after(held, frame)


def test_a_frame_is_made_once_for_all_who_stand_at_the_same_version() -> None:
    board = Board()
    board.apply(*crowd(3))
    version = board.state.version
    board.apply(ranked("eve", 2000, seq=100))
    made = board.topic.frames_made
    frames = {id(board.topic.frame(1, version)) for _ in range(50)}
    assert len(frames) == 1
    assert board.topic.frames_made == made + 1
    snapshots = {id(board.topic.snapshot()) for _ in range(50)}
    assert len(snapshots) == 1
    assert board.topic.frames_made == made + 2


def test_who_shows_the_newest_rows_is_told_nothing() -> None:
    board = Board()
    board.apply(*crowd(3))
    assert board.topic.frame(1, board.state.version) is None


def test_a_version_that_changes_nothing_of_this_topic_makes_no_frame() -> None:
    board = Board(limit=10)
    board.apply(*crowd(12))
    held = board.state.version
    assert not board.apply(ranked("low", -1, seq=100))
    assert board.topic.frame(1, held) is None
    check = orjson.loads(board.topic.check())
    assert (check["version"], check["total"]) == (board.state.version, 13)


def test_a_frame_leads_to_the_newest_version_also_after_quiet_ones() -> None:
    """Who comes late for a change must be told the version that it is taken to have from then on."""
    board = Board(limit=10)
    board.apply(*crowd(12))
    held = board.fresh()
    board.apply(ranked("eve", 2000, seq=100))
    first = board.topic.frame(held.epoch, held.version)
    board.apply(ranked("low", -1, seq=101))
    late = board.topic.frame(held.epoch, held.version)
    assert first is not None
    assert late is not None
    assert [orjson.loads(frame)["to"] for frame in (first, late)] == [3, 4]
    assert board.is_shown_after(held, late)


def test_where_the_whole_list_is_smaller_it_is_sent_instead() -> None:
    board = Board(limit=10)
    board.apply(*crowd(40))
    held = board.fresh()
    # All ten leave, and ten with short names come: the operations name every one of them.
    board.apply(*(gone(f"player-{n:03}", seq=100 + n) for n in range(40)))
    board.apply(*(ranked(f"p{n}", n, seq=200 + n) for n in range(10)))
    frame = board.topic.frame(held.epoch, held.version)
    assert frame is not None
    assert orjson.loads(frame)["type"] == "snapshot"
    assert board.is_shown_after(held, frame)


def test_another_epoch_begins_with_the_whole_list() -> None:
    board = Board()
    board.apply(*crowd(3))
    held = board.fresh()
    rows = board.state.stretch(0, 100)
    assert board.topic.advance(Window(2, 1, 3, rows), MODE)
    frame = board.topic.frame(held.epoch, held.version)
    assert frame is not None
    assert orjson.loads(frame)["type"] == "snapshot"
    assert board.topic.frame(2, 1) is None


def test_another_way_to_rank_is_shown_in_the_next_snapshot() -> None:
    board = Board()
    board.apply(ranked("a", 1, seq=1), ranked("b", 1, seq=2))
    assert board.topic.advance(Window(2, 1, 2, board.state.stretch(0, 100)), RankMode.ORDINAL)
    assert [entry["rank"] for entry in orjson.loads(board.topic.snapshot())["entries"]] == [1, 2]


def test_who_is_further_behind_than_states_are_kept_gets_the_whole_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "STATES", 4)
    board = Board()
    versions = []
    for seq in range(1, 8):
        board.apply(ranked("ada", seq, seq=seq))
        versions.append(board.state.version)
    kinds = [orjson.loads(frame)["type"] for version in versions[:-1] if (frame := board.topic.frame(1, version))]
    assert kinds == ["snapshot"] * 3 + ["delta"] * 3


def test_a_state_between_two_changes_is_the_one_before() -> None:
    board = Board(limit=10)
    board.apply(*crowd(12))
    board.apply(ranked("low", -1, seq=100))
    held = board.fresh()
    board.apply(ranked("eve", 2000, seq=101))
    frame = board.topic.frame(held.epoch, held.version)
    assert frame is not None
    assert orjson.loads(frame)["from"] == held.version == 3
    assert board.is_shown_after(held, frame)


def test_a_topic_without_a_window_cannot_show_anything() -> None:
    with pytest.raises(LookupError):
        Topic("b/top/10", 10, MODE).snapshot()
