from __future__ import annotations

from infra.cli import demo
from infra.cli.replaying import Event
from realtime.core.boarddoc import parse

SPEC = parse(demo.DOCUMENT)


def event(at: float, player: str, solved: int, penalty: int) -> Event:
    return Event(at, {"player": player, "score": [solved, penalty]})


EVENTS = [event(1, "a", 1, 10), event(2, "b", 1, 20), event(3, "a", 2, 30), event(4, "b", 2, 50)]


def test_the_contest_is_what_the_repository_says_it_is() -> None:
    events = demo.contest()
    assert len(events) == 9115
    assert len({each.row["player"] for each in events}) == 2353
    assert [each.at for each in events] == sorted(each.at for each in events)
    assert 300 < events[-1].at / demo.SPEED < 480


def test_an_empty_board_has_all_to_come() -> None:
    assert list(demo.still_to_come(EVENTS, SPEC, {})) == EVENTS


def test_an_interrupted_replay_goes_on_where_it_was() -> None:
    assert list(demo.still_to_come(EVENTS, SPEC, {"a": (1, 10), "b": (1, 20)})) == EVENTS[2:]


def test_a_complete_board_has_nothing_to_come() -> None:
    assert list(demo.still_to_come(EVENTS, SPEC, {"a": (2, 30), "b": (2, 50)})) == []


def test_who_did_better_than_in_the_contest_does_not_hold_it_up() -> None:
    assert list(demo.still_to_come(EVENTS, SPEC, {"a": (13, 0), "b": (1, 20)})) == EVENTS[3:]
