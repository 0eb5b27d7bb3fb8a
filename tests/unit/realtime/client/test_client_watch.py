from __future__ import annotations

import asyncio

import pytest

from realtime.client.errors import LiveClosed
from realtime.client.player import PlayerState
from realtime.client.reducer import State
from realtime.client.watch import Reader, Watches
from realtime.core.model import RankMode


def top(version: int, epoch: int = 1, topic: str = "b/top/10") -> State:
    return State(topic=topic, epoch=epoch, version=version, total=0, ranks=RankMode.COMPETITION, rows=())


def ann(version: int, rank: int | None, moved: int = 0, *passed_by: str, epoch: int = 1) -> PlayerState:
    return PlayerState(
        topic="b/player/ann",
        player="ann",
        epoch=epoch,
        version=version,
        of=50,
        rank=rank,
        moved=moved,
        passed_by=passed_by,
    )


async def taken(reader: Reader) -> PlayerState:
    held = await asyncio.wait_for(reader.next(), 1)
    assert isinstance(held, PlayerState)
    return held


async def test_a_reader_is_shown_the_newest_state_once() -> None:
    reader = Reader()
    reader.put(top(1))
    reader.put(top(2))
    assert await reader.next() == top(2)
    waiting = asyncio.ensure_future(reader.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    reader.put(top(3))
    assert await waiting == top(3)


async def test_a_reader_is_never_shown_an_older_version_of_an_epoch() -> None:
    reader = Reader()
    reader.put(top(5))
    reader.put(top(4))
    assert await reader.next() == top(5)
    reader.put(top(4))
    reader.put(top(6))
    assert await reader.next() == top(6)
    reader.put(top(1, epoch=2))
    assert await reader.next() == top(1, epoch=2)


async def test_what_happened_to_a_player_between_is_told_to_who_was_slow() -> None:
    reader = Reader()
    reader.put(ann(1, 10))
    await reader.next()
    reader.put(ann(2, 12, -2, "bob", "cid"))
    reader.put(ann(3, 11, 1))
    reader.put(ann(4, 13, -2, "dee", "bob"))
    assert await taken(reader) == ann(4, 13, -3, "dee", "bob", "cid")
    reader.put(ann(5, 12, 1))
    assert await taken(reader) == ann(5, 12, 1)


async def test_who_reads_each_state_is_told_what_the_node_told() -> None:
    reader = Reader()
    for state in (ann(1, 10), ann(2, 12, -2, "bob", "cid"), ann(3, None), ann(4, 9), ann(5, 8, 1)):
        reader.put(state)
        assert await taken(reader) == state


async def test_no_more_than_three_are_named() -> None:
    reader = Reader()
    reader.put(ann(1, 10))
    await reader.next()
    reader.put(ann(2, 12, -2, "bob", "cid"))
    reader.put(ann(3, 14, -2, "dee", "eve"))
    assert (await taken(reader)).passed_by == ("dee", "eve", "bob")


async def test_an_end_comes_behind_what_was_not_seen_and_stays() -> None:
    reader = Reader()
    reader.put(top(1))
    reader.end(LiveClosed("over"))
    assert await reader.next() == top(1)
    for _ in range(2):
        with pytest.raises(LiveClosed):
            await reader.next()


async def test_who_comes_later_is_shown_what_is_held_if_that_is_true() -> None:
    watches, request = Watches(), {"board": "b"}
    watch = watches.join(request, Reader())
    watch.begin(top(3))
    reader = Reader()
    assert watches.join(dict(request), reader) is watch
    assert await reader.next() == top(3)
    watch.restart(0.0)
    other = Reader()
    watches.join(request, other)
    waiting = asyncio.ensure_future(other.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    watch.begin(top(4))
    assert await waiting == top(4)


def test_what_nobody_reads_does_not_outlive_the_connection() -> None:
    watches = Watches()
    kept, left = watches.join({"board": "b"}, Reader()), watches.join({"board": "c"}, Reader())
    left.readers.clear()
    watches.lose()
    assert list(watches) == [kept]
