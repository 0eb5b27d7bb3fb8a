"""Where one player stands, and what the messages of such a topic make of it: pure functions, no clock and no network."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from realtime.client.reducer import Message, OutOfStep, same_epoch
from realtime.core.scores import parse_integer

if TYPE_CHECKING:
    from realtime.core.model import Score

NAMED: Final = 3
"""At most this many players are named who passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayerState:
    """One player at one version of the board.

    `rank` counts from 1 in the board's own mode, `position` from 0; `score` has one integer per column; `of` is how many
    are ranked. Rank, position, score and seq are None while the player is not ranked. `moved` and `passed_by` tell what
    happened since the state before: ranks won (negative: lost; 0 where either state has none), and who came past, the
    nearest first, three at the most. `stale` is set while the node answers from what it has because the ranking is away.
    """

    topic: str
    player: str
    epoch: int
    version: int
    of: int
    rank: int | None = None
    position: int | None = None
    score: Score | None = None
    seq: int | None = None
    moved: int = 0
    passed_by: tuple[str, ...] = ()
    stale: bool = False


def stands_alone(message: Message) -> bool:
    """Whether a `rank` needs no state before it: the first answer, and the first of a new epoch."""
    return bool(message["from"] == message["version"])


def from_rank(message: Message) -> PlayerState:
    """The state that a `rank` says. Raises OutOfStep when it cannot be read, or leads on from a version not held."""
    try:
        if not stands_alone(message):
            raise OutOfStep(f"a rank from {message['from']}, and nothing is held")
        return _read(message)
    except (KeyError, TypeError, ValueError) as error:
        raise OutOfStep(f"a rank that this client cannot read: {error!r}") from error


def apply_rank(state: PlayerState, message: Message) -> PlayerState:
    """The state after a `rank`. Raises OutOfStep when it neither follows nor stands alone."""
    if stands_alone(message):
        return from_rank(message)
    same_epoch(state.epoch, message)
    if message["from"] != state.version:
        raise OutOfStep(f"a rank from {message['from']} at {state.version}")
    return replace(_read(message), stale=state.stale)


def apply_player_check(state: PlayerState, message: Message) -> PlayerState:
    """The state that a `check` proves, at its version and total. Raises OutOfStep when the node has another."""
    same_epoch(state.epoch, message)
    # An answer to us alone may be newer than what the node last told everybody.
    if message["version"] < state.version:
        return state
    if message["crc"] != player_checksum(state) or message["rank"] != state.rank:
        raise OutOfStep(f"the player stands elsewhere at {message['version']}")
    if (message["version"], message["total"]) == (state.version, state.of):
        return state
    return replace(state, version=message["version"], of=message["total"], moved=0, passed_by=())


def player_checksum(state: PlayerState) -> int:
    r"""CRC-32 of the one line `player\tseq\t\n`, of nothing while the player is not ranked."""
    return zlib.crc32(b"" if state.seq is None else f"{state.player}\t{state.seq}\t\n".encode())


def since(shown: PlayerState, skipped: PlayerState | None, newest: PlayerState) -> PlayerState:
    """The newest state as it looks to somebody who last saw `shown`; `skipped` is the state between that was not seen."""
    before, now = shown.rank, newest.rank
    named = (*newest.passed_by, *(skipped.passed_by if skipped is not None else ()))
    return replace(
        newest,
        moved=0 if before is None or now is None else before - now,
        passed_by=tuple(dict.fromkeys(named))[:NAMED],
    )


def _read(message: Message) -> PlayerState:
    score, seq = message["score"], message["seq"]
    columns = score if score is None or isinstance(score, list) else [score]
    return PlayerState(
        topic=message["topic"],
        # Whom `me` stands for is said by the name of the topic alone.
        player=message["topic"].rpartition("/")[2],
        epoch=message["epoch"],
        version=message["version"],
        of=message["of"],
        rank=message["rank"],
        position=message["position"],
        score=None if columns is None else tuple(parse_integer(value) for value in columns),
        seq=None if seq is None else parse_integer(seq),
        moved=message["moved"],
        passed_by=tuple(message["passed_by"]),
    )
