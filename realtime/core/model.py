"""The words of the domain, as values: boards, entries, players, changes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from realtime.core.errors import IdInvalid

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
MAX_COLUMNS: Final = 4
WINDOW: Final = 100
"""Rows of a board's top that are announced, cached and held in a node's memory."""

_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")

Score = tuple[int, ...]
"""One int64 per column, as stored."""


class Direction(StrEnum):
    """Which end of a column is the better one."""

    ASC = "asc"
    DESC = "desc"


class Operator(StrEnum):
    """What a submission does to the standing score."""

    BEST = "best"
    LATEST = "latest"
    SUM = "sum"


class RankMode(StrEnum):
    """`competition` shares ranks (1 2 2 4), `ordinal` gives the better one to who got there first."""

    COMPETITION = "competition"
    ORDINAL = "ordinal"


class Writes(StrEnum):
    """Who may submit."""

    SERVER = "server"
    PLAYER = "player"


@dataclass(frozen=True, slots=True)
class Column:
    """One value that a board ranks by. `decimals` is for display: 12.345 with 3 decimals is stored as 12345."""

    name: str
    direction: Direction = Direction.DESC
    decimals: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardSpec:
    """What a board's owner decides. Bounds are one value per column, None where there is none."""

    title: str
    columns: tuple[Column, ...]
    operator: Operator = Operator.BEST
    ranks: RankMode = RankMode.COMPETITION
    writes: Writes = Writes.SERVER
    public: bool = True
    minimum: tuple[int | None, ...] | None = None
    maximum: tuple[int | None, ...] | None = None


@dataclass(frozen=True, slots=True, order=True)
class BoardKey:
    """What all state is by. `board` is the internal id, never reused."""

    board: int
    season: int


@dataclass(frozen=True, slots=True)
class Board:
    """A board as the store knows it. `revision` rises with every edit."""

    key: BoardKey
    name: str
    spec: BoardSpec
    revision: int


@dataclass(frozen=True, slots=True)
class Profile:
    """A player's display data. `seq` 0 means that nothing was ever set."""

    name: str | None = None
    country: str | None = None
    picture: str | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """What the store holds of a player on a board. No score: never ranked (`seq` 0) or removed (a tombstone)."""

    score: Score | None = None
    seq: int = 0
    metadata: bytes = b""


@dataclass(frozen=True, slots=True)
class Change:
    """The whole state of one player on one board, as it travels from the store to the ranking.

    Entry part and profile part are each taken where their own seq is newer, so any order and any number of
    deliveries end in the same state; a part with seq 0 says nothing. `key` is the sort key, empty for a tombstone;
    `display` and `metadata` are JSON.
    """

    player: str
    seq: int
    key: bytes
    profile_seq: int
    display: bytes
    metadata: bytes = b""


class Row(NamedTuple):
    """One ranked player as everything above the ranking sees it.

    A tuple, because a node makes and compares thousands a second: as a frozen dataclass making one costs six times as much.
    """

    player: str
    key: bytes
    score: Score
    seq: int
    name: str
    country: str | None = None
    picture: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one player stands. `position` counts from 0, `rank` is the shared (competition) rank, from 1."""

    row: Row
    position: int
    rank: int
    metadata: bytes = b""


def check_id(value: object, what: str) -> str:
    """Return `value` if it is an id ([A-Za-z0-9_.-]{1,64}). Raises IdInvalid naming `what`."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise IdInvalid(f"{what} must match [A-Za-z0-9_.-]{{1,64}}")
    return value


def shown(letter: str) -> bool:
    """Whether a character may stand in a name or a title: not a control character, not a line or paragraph separator."""
    return not (letter < " " or "\x7f" <= letter <= "\x9f" or letter in "\u2028\u2029")
