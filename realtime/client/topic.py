"""What any topic's messages make of what is held of it: one step, whichever the view."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from realtime.client import player, reducer
from realtime.client.player import PlayerState
from realtime.client.reducer import Message, OutOfStep, State

Held = State | PlayerState
"""A list, or where a player stands, at one version."""

_NOTICES: Final = frozenset({"stale", "fresh"})
_OF_LISTS: Final = {"delta": reducer.apply_delta, "check": reducer.apply_check}
_OF_PLAYERS: Final = {"rank": player.apply_rank, "check": player.apply_player_check}


def stands_alone(message: Message) -> bool:
    """Whether a message makes a state by itself, whatever was held before."""
    kind = message["type"]
    return kind == "snapshot" or (kind == "rank" and player.stands_alone(message))


def follow(held: Held | None, message: Message) -> Held:
    """The state after a `snapshot`, `delta`, `rank`, `check`, `stale` or `fresh`; the same object where it says nothing new.

    Raises OutOfStep when it does not follow from what is held.
    """
    kind = message["type"]
    if stands_alone(message):
        return reducer.from_snapshot(message) if kind == "snapshot" else player.from_rank(message)
    if held is not None and kind in _NOTICES:
        stale = kind == "stale"
        return held if held.stale is stale else replace(held, stale=stale)
    if isinstance(held, State) and kind in _OF_LISTS:
        return _OF_LISTS[kind](held, message)
    if isinstance(held, PlayerState) and kind in _OF_PLAYERS:
        return _OF_PLAYERS[kind](held, message)
    raise OutOfStep(f"a {kind!r} that does not fit what is held")
