"""What spectators hold of topics, and what each frame makes of it: worked out once, however many are told.

A frame leads everybody who holds the same to the same. So every check is made of every transition, and a spectator costs a
dictionary look-up a frame.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import Any

import orjson

from realtime.client.player import PlayerState, apply_player_check, apply_rank, from_rank
from realtime.client.reducer import State, apply_check, apply_delta, from_snapshot
from realtime.core import delta
from realtime.core.model import Row
from tests.harness import without_rank

Value = State | PlayerState


class Due(Enum):
    """What a topic's watcher is to be told next."""

    ANSWER = "the answer to its subscription"
    FIRST = "a snapshot, or a rank that stands for itself"
    NEXT = "what leads on from the version that it holds"


class Held:
    """What is held of a topic, None at first, and what is due. `after` is what each frame has made of it."""

    __slots__ = ("after", "due", "topic", "value")

    def __init__(self, topic: str, value: Value | None, due: Due) -> None:
        self.topic = topic
        self.value = value
        self.due = due
        self.after: dict[bytes, Held] = {}

    @property
    def version(self) -> int:
        return 0 if self.value is None else self.value.version

    @property
    def kind(self) -> str:
        return self.topic.split("/")[1]


class Book:
    """All that was ever held, each thing once: by whatever way and node it came, a topic at one version is one value."""

    def __init__(self) -> None:
        self.topics: dict[bytes, str] = {}
        self.snapshots_led_on = 0
        """Transitions in which a snapshot came for a delta, as it was the smaller one."""
        self._held: dict[tuple[str, int, int, Due], Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    def topic(self, text: bytes) -> str:
        """The topic that a message is of; empty for what is of none."""
        topic = str(orjson.loads(text).get("topic", ""))
        if topic:
            self.topics[text] = topic
        return topic

    def held(self, topic: str, value: Value | None, due: Due) -> Held:
        """The one place of this value. It must be what everybody else holds of the topic at that version."""
        mark = (topic, 0 if value is None else value.epoch, 0 if value is None else value.version, due)
        known = self._held.get(mark)
        if known is None:
            known = self._held[mark] = Held(topic, value, due)
        assert known.value == value, f"two different things are called {mark}: {known.value} and {value}"
        return known

    def step(self, held: Held, text: bytes) -> Held:
        """What is held after a message of the topic; every check is here."""
        message = orjson.loads(text)
        if message["type"] in {"stale", "fresh"}:
            after = held
        elif message["type"] == "subscribed":
            assert held.due is Due.ANSWER, f"{text!r} while {held.due.value} was due"
            after = self.held(held.topic, held.value, Due.NEXT if message["mode"] == "resumed" else Due.FIRST)
        else:
            after = self.held(held.topic, self._told(held, message, text), Due.NEXT)
        held.after[text] = after
        return after

    def _told(self, held: Held, message: dict[str, Any], text: bytes) -> Value:
        assert held.due is not Due.ANSWER, f"{text!r} came before the answer"
        if held.due is Due.FIRST:
            value = _first(message)
        else:
            assert held.value is not None, f"{text!r} leads on from nothing"
            if message["type"] == "snapshot":
                value = _first(message)
                self.snapshots_led_on += 1
                assert isinstance(held.value, State)
                assert isinstance(value, State)
                assert len(text) < _size_of_delta(held.value, value), f"no snapshot was due: {text!r}"
            else:
                value = _next(held.value, message)
        if held.value is not None:
            assert (value.epoch, held.value.version) <= (held.value.epoch, value.version), f"back to {text!r}"
            assert value.epoch == held.value.epoch, f"another epoch: {text!r}"
        return value


def _first(message: dict[str, Any]) -> Value:
    if message["type"] == "rank":
        return replace(from_rank(message), moved=0, passed_by=())
    assert message["type"] == "snapshot", message
    state = from_snapshot(message)
    assert [one["rank"] for one in message["entries"]] == [one.rank for one in state.entries]
    return replace(state, rows=tuple(without_rank(message["entries"])))


def _next(value: Value, message: dict[str, Any]) -> Value:
    """What leads on; the reducers raise OutOfStep for a delta from elsewhere, and for a checksum of something else."""
    if isinstance(value, State):
        if message["type"] == "delta":
            assert message["to"] > message["from"], message
            return apply_delta(value, message)
        assert message["type"] == "check", message
        assert message["version"] >= value.version
        return apply_check(value, message)
    if message["type"] == "check":
        assert message["version"] >= value.version, f"{message} after {value}"
        return apply_player_check(value, message)
    assert message["type"] == "rank", message
    assert message["version"] > message["from"] == value.version, f"{message} after {value}"
    after = apply_rank(value, message)
    assert message["moved"] == (0 if value.rank is None or after.rank is None else value.rank - after.rank)
    assert value.player not in after.passed_by
    return replace(after, moved=0, passed_by=())


def _size_of_delta(old: State, new: State) -> int:
    """Bytes of the delta that would have led from one list to the other."""
    where = {"position": new.position, "rank": new.first_rank} if "/around/" in new.topic else {}
    head = {"type": "delta", "topic": new.topic, "epoch": new.epoch, "from": old.version, "to": new.version}
    ops = delta.diff(_rows(old), _rows(new))
    return len(orjson.dumps({**head, "total": new.total, **where, "ops": ops}))


def _rows(state: State) -> list[Row]:
    return [Row(one.player, b"", one.score, one.seq, one.name or "", one.country, one.picture) for one in state.entries]
