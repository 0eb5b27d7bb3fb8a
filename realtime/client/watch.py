"""What is watched over a connection, and by whom: a topic is asked for once, whatever the number of its readers."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from realtime.client.player import PlayerState, since

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realtime.client.topic import Held
    from realtime.core.errors import RankcastError


class Reader:
    """One who iterates. A single slot holds what it has not seen: whoever is slow gets the newest state only."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._shown: Held | None = None
        self._unseen: Held | None = None
        self._error: RankcastError | None = None

    def put(self, held: Held) -> None:
        """Show a state, unless it is older than one that was shown: a node that lags is not followed backwards."""
        newest = self._unseen or self._shown
        if newest is not None and held.epoch == newest.epoch and held.version < newest.version:
            return
        if isinstance(held, PlayerState) and isinstance(self._shown, PlayerState) and held.topic == self._shown.topic:
            held = since(self._shown, self._unseen if isinstance(self._unseen, PlayerState) else None, held)
        self._unseen = held
        self._changed.set()

    def end(self, error: RankcastError) -> None:
        """Let it end with an error, behind what it has not seen."""
        self._error = error
        self._changed.set()

    async def next(self) -> Held:
        """The newest state that was not seen yet. Raises the error that the watch ended with."""
        await self._changed.wait()
        held, self._unseen = self._unseen, None
        if held is None:
            assert self._error is not None  # noqa: S101 - nothing else sets the event
            raise self._error
        self._shown = held
        if self._error is None:
            self._changed.clear()
        return held


class Watch:
    """One subscription: what it asks for, what is held of it, and where asking stands. Times are the loop's."""

    def __init__(self, number: int, request: dict[str, Any]) -> None:
        self.id = number
        self.request = request
        self.readers: list[Reader] = []
        self.topic: str | None = None
        """As the node named it on this connection; None until it has answered."""
        self.held: Held | None = None
        self.in_step = False
        """Whether `held` is what the node told, to the last version that came: then the next node can lead on from it."""
        self.ask_at: float | None = 0.0
        """When to ask next; None when nothing is to be asked."""
        self.asked_at: float | None = None
        """When we asked for what has not come yet."""
        self.attempt = 0

    @property
    def waits(self) -> bool:
        """Whether it is asked for, or about to be: what comes before the answer is of no use."""
        return self.asked_at is not None or self.ask_at is not None

    @property
    def unanswered(self) -> bool:
        """Whether the node may be making a topic of it whose name we do not know yet."""
        return self.asked_at is not None and self.topic is None

    def asked(self, now: float) -> None:
        """It was asked for."""
        self.ask_at, self.asked_at = None, now

    def again(self, at: float) -> None:
        """Ask again then."""
        self.ask_at, self.asked_at = at, None

    def restart(self, at: float) -> None:
        """What is held may not be the truth: ask for all of it."""
        self.in_step = False
        self.again(at)

    def go_on(self) -> None:
        """The node leads on from what is held. Whether the ranking is away, it says anew."""
        self.asked_at, self.attempt = None, 0
        if self.held is not None and self.held.stale:
            self.show(replace(self.held, stale=False))

    def begin(self, held: Held) -> None:
        """A state came that needs none before it."""
        self.asked_at, self.attempt, self.in_step = None, 0, True
        self.show(held)

    def show(self, held: Held) -> None:
        """Hand out a state to all who read."""
        self.held = held
        for reader in self.readers:
            reader.put(held)

    def lose(self) -> None:
        """The connection is gone: ask on the next."""
        self.topic = None
        self.again(0.0)


class Watches:
    """All that is watched, by id, over one connection after the other; and how often it had to be asked for, and how."""

    def __init__(self) -> None:
        self.resumed = 0
        self.snapshots = 0
        self.out_of_step = 0
        self._watches: dict[int, Watch] = {}
        self._numbers = itertools.count(1)

    def __iter__(self) -> Iterator[Watch]:
        return iter(list(self._watches.values()))

    def get(self, number: object) -> Watch | None:
        """The watch of an id."""
        return self._watches.get(number) if isinstance(number, int) else None

    def of(self, topic: str) -> list[Watch]:
        """Those that the node knows under this topic: more than one where a player is watched as `me`, too."""
        return [watch for watch in self._watches.values() if watch.topic == topic]

    def join(self, request: dict[str, Any], reader: Reader) -> Watch:
        """The watch of a request, made where nobody watches it; it is shown what is held."""
        watch = next((one for one in self._watches.values() if one.request == request), None)
        if watch is None:
            watch = Watch(next(self._numbers), request)
            self._watches[watch.id] = watch
        elif watch.in_step and watch.held is not None:
            reader.put(watch.held)
        watch.readers.append(reader)
        return watch

    def drop(self, watch: Watch) -> None:
        """Forget a watch."""
        self._watches.pop(watch.id, None)

    def resume(self, watch: Watch) -> dict[str, int] | None:
        """The epoch and version to lead on from. One watch of a topic resumes: the node would repeat it for the next."""
        held = watch.held
        if held is None or not watch.in_step:
            return None
        first = next(one for one in self if one.in_step and one.held is not None and one.held.topic == held.topic)
        return {"epoch": held.epoch, "version": held.version} if first is watch else None

    def lose(self) -> None:
        """The connection is gone."""
        for watch in self:
            if watch.readers:
                watch.lose()
            else:
                self.drop(watch)

    def fail(self, watch: Watch, error: RankcastError) -> None:
        """End one watch."""
        self.drop(watch)
        for reader in watch.readers:
            reader.end(error)

    def end(self, error: RankcastError) -> None:
        """End all."""
        for watch in self:
            self.fail(watch, error)
