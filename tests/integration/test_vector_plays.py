"""The golden plays: a contest in a plain sorted list says what is true, the node's encoders say what is told of it."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson
import pytest

from realtime.core import delta, messages, sortkey
from realtime.core.messages import Around
from realtime.core.model import BoardSpec, Column, Direction, RankMode, Row
from realtime.core.points import AroundPoint, PlayerPoint
from tests import documents

ME = "E07"
RADIUS = 2
COLUMNS = (Column("solved"), Column("penalty", Direction.ASC))
TEAMS = [f"E{number:02}" for number in range(1, 15)]
AROUND, PLAYER = f"harbin/around/{ME}/{RADIUS}", f"harbin/player/{ME}"
LONGEST = 40

Step = dict[str, Any]


class Team(NamedTuple):
    solved: int
    penalty: int
    seq: int
    name: str

    @property
    def columns(self) -> tuple[int, int]:
        """Smaller is better."""
        return -self.solved, self.penalty

    @property
    def key(self) -> tuple[int, int, int]:
        return *self.columns, self.seq


class Contest:
    """Few teams with few scores: they meet, tie and pass each other all the time."""

    def __init__(self, seed: int, mode: RankMode) -> None:
        self.dice = random.Random(seed)
        self.mode = mode
        self.spec = BoardSpec(title="", columns=COLUMNS, ranks=mode)
        self.epoch, self.version, self.seq = 7, 1, 1000
        self.teams: dict[str, Team] = {}
        for team in self.dice.sample(TEAMS, 8):
            if team != ME:
                self.score(team)

    def score(self, team: str) -> None:
        self.seq += 1
        name = self.teams[team].name if team in self.teams else self.dice.choice([team, f"Ämter {team}"])
        self.teams[team] = Team(self.dice.randrange(4), 20 * self.dice.randint(1, 2), self.seq, name)

    def change(self) -> None:
        """The next version. Ours comes and goes more often than the others."""
        self.version += 1
        for _ in range(self.dice.randint(1, 2)):
            team = ME if self.dice.random() < 0.15 else self.dice.choice(TEAMS)
            lot = self.dice.random()
            if lot < 0.15:
                self.teams.pop(team, None)
            elif lot < 0.25 and team in self.teams:
                self.teams[team] = self.teams[team]._replace(name=f"Team {team}")
            else:
                self.score(team)

    @property
    def order(self) -> list[str]:
        return sorted(self.teams, key=lambda team: self.teams[team].key)

    def rank(self, team: str) -> int:
        """As the board shows it, counted one by one."""
        mine = self.teams[team]
        if self.mode is RankMode.ORDINAL:
            return 1 + sum(other.key < mine.key for other in self.teams.values())
        return self.shared(team)

    def shared(self, team: str) -> int:
        return 1 + sum(other.columns < self.teams[team].columns for other in self.teams.values())

    def near(self) -> tuple[int | None, list[str]]:
        """The position of the first row around us, and who is there."""
        if ME not in self.teams:
            return None, []
        order = self.order
        place = order.index(ME)
        start = max(0, place - RADIUS)
        return start, order[start : place + RADIUS + 1]

    def row(self, team: str) -> Row:
        one = self.teams[team]
        key = sortkey.encode(COLUMNS, (one.solved, one.penalty), one.seq)
        return Row(team, key, (one.solved, one.penalty), one.seq, one.name)


def said(frame: bytes) -> Step:
    return {"message": orjson.loads(frame)}


def crc(lines: str) -> int:
    return zlib.crc32(lines.encode())


# -- around --------------------------------------------------------------------------------------------------------------


def around_point(contest: Contest) -> AroundPoint:
    position, teams = contest.near()
    rank = contest.shared(teams[0]) if teams else None
    rows = tuple(contest.row(team) for team in teams)
    return AroundPoint(contest.epoch, contest.version, len(contest.teams), contest.spec, position, rank, rows)


def around_then(contest: Contest) -> Step:
    position, teams = contest.near()
    entries = []
    for team in teams:
        one = contest.teams[team]
        display = {"country": None, "picture": None}
        score = [one.solved, one.penalty]
        row = {"rank": contest.rank(team), "player": team, "name": one.name, "score": score, "seq": one.seq, **display}
        entries.append(row)
    return {
        "epoch": contest.epoch,
        "version": contest.version,
        "total": len(contest.teams),
        "stale": False,
        "position": position,
        "crc": crc("".join(f"{team}\t{contest.teams[team].seq}\t{contest.teams[team].name}\n" for team in teams)),
        "entries": entries,
    }


def around_play(contest: Contest) -> Iterator[Step]:
    told = around_point(contest)
    yield said(messages.snapshot_around(AROUND, Around(ME, RADIUS), told)) | {"then": around_then(contest)}
    for _ in range(LONGEST):
        for _ in range(contest.dice.randint(1, 2)):
            contest.change()
        point = around_point(contest)
        if contest.dice.random() < 0.05:
            contest.epoch += 1
            point = around_point(contest)
            frame = messages.snapshot_around(AROUND, Around(ME, RADIUS), point)
        elif point.stands() == told.stands():
            frame = messages.check_around(AROUND, point)
        else:
            ops = delta.diff(told.rows, point.rows)
            frame = messages.delta_around(AROUND, point, told.version, ops)
            if contest.dice.random() < 0.1:
                skipped = messages.delta_around(AROUND, point, told.version + 1, ops)
                yield {"says": "a version is missing"} | said(skipped) | {"outOfStep": True}
        yield said(frame) | {"then": around_then(contest)}
        told = point


# -- a player ------------------------------------------------------------------------------------------------------------


def player_point(contest: Contest) -> PlayerPoint:
    if ME not in contest.teams:
        return PlayerPoint(contest.epoch, contest.version, len(contest.teams), contest.spec)
    place = contest.order.index(ME), contest.shared(ME)
    return PlayerPoint(contest.epoch, contest.version, len(contest.teams), contest.spec, contest.row(ME).key, *place)


def passed_by(before: dict[str, Team], now: dict[str, Team], mode: RankMode) -> list[str]:
    """Who changed, was not ahead of us and is now, the nearest first: looked at one by one."""
    if ME not in before or ME not in now:
        return []

    def ahead(one: Team, other: Team) -> bool:
        return one.key < other.key if mode is RankMode.ORDINAL else one.columns < other.columns

    passed = [
        team
        for team, one in now.items()
        if one.key != (before[team].key if team in before else None)
        and team != ME
        and ahead(one, now[ME])
        and not (team in before and ahead(before[team], before[ME]))
    ]
    return sorted(passed, key=lambda team: now[team].key, reverse=True)[:3]


def player_then(contest: Contest, moved: int, passed: list[str]) -> Step:
    mine = contest.teams.get(ME)
    return {
        "epoch": contest.epoch,
        "version": contest.version,
        "of": len(contest.teams),
        "stale": False,
        "crc": crc("" if mine is None else f"{ME}\t{mine.seq}\t\n"),
        "player": ME,
        "rank": None if mine is None else contest.rank(ME),
        "position": None if mine is None else contest.order.index(ME),
        "score": None if mine is None else [mine.solved, mine.penalty],
        "seq": None if mine is None else mine.seq,
        "moved": moved,
        "passed_by": passed,
    }


def player_play(contest: Contest) -> Iterator[Step]:
    told, then = player_point(contest), player_then(contest, 0, [])
    yield said(messages.rank(PLAYER, told, told, ())) | {"then": then}
    for _ in range(LONGEST):
        before, rank = dict(contest.teams), contest.rank(ME) if ME in contest.teams else None
        for _ in range(contest.dice.randint(1, 3)):
            contest.change()
        if anew := contest.dice.random() < 0.05:
            contest.epoch += 1
        point = player_point(contest)
        moved = contest.rank(ME) if ME in contest.teams else None
        if anew:
            won, passed = 0, []
            frame = messages.rank(PLAYER, point, point, ())
        elif point.stands() == told.stands():
            won, passed = 0, []
            frame = messages.check_player(PLAYER, ME, point)
        else:
            won = 0 if rank is None or moved is None else rank - moved
            passed = passed_by(before, contest.teams, contest.mode)
            frame = messages.rank(PLAYER, point, told, passed)
            if contest.dice.random() < 0.1:
                skipped = messages.rank(PLAYER, point, told._replace(version=told.version + 1), passed)
                if orjson.loads(skipped)["from"] != point.version:
                    yield {"says": "a version is missing"} | said(skipped) | {"outOfStep": True}
        yield said(frame) | {"then": player_then(contest, won, passed)}
        told = point


PLAYS: dict[str, tuple[Callable[[Contest], Iterator[Step]], int, RankMode]] = {
    "around-play": (around_play, 11, RankMode.COMPETITION),
    "around-play-ordinal": (around_play, 12, RankMode.ORDINAL),
    "player-play": (player_play, 13, RankMode.COMPETITION),
    "player-play-ordinal": (player_play, 14, RankMode.ORDINAL),
}


def played(name: str) -> list[Step]:
    play, seed, mode = PLAYS[name]
    return list(play(Contest(seed, mode)))


@pytest.mark.parametrize("name", sorted(PLAYS))
def test_a_golden_play_is_what_the_node_makes_of_the_contest(name: str) -> None:
    assert documents.vectors("reducer")[name]["steps"] == played(name)


@pytest.mark.parametrize("name", sorted(PLAYS))
def test_in_a_play_everything_happens(name: str) -> None:
    steps = played(name)
    types = {step["message"]["type"] for step in steps}
    assert types == ({"snapshot", "delta", "check"} if name.startswith("around") else {"rank", "check"})
    assert any(step.get("outOfStep") for step in steps)
    thens = [step["then"] for step in steps if "then" in step]
    assert len({then["epoch"] for then in thens}) > 1
    assert {then["position"] is None for then in thens} == {True, False}
    if name.startswith("around"):
        assert {op[0] for step in steps for op in step["message"].get("ops", ())} == {"out", "in", "move", "set"}
        assert any(step["message"].get("ops") == [] for step in steps), "a stretch that only moved"
    else:
        assert {then["moved"] > 0 for then in thens if then["moved"]} == {True, False}
        assert max(len(then["passed_by"]) for then in thens) >= 2
