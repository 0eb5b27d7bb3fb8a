"""A channel that is followed by somebody who only counts: every version once and in order, whatever goes wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from realtime.core import announcement
from realtime.core.announcement import Moved
from realtime.core.errors import BoardChanged, RankingUnavailable, VersionGap
from realtime.gateway import tail
from realtime.gateway.tail import PATIENCE, Tail
from tests.turned import settle
from tests.unit.realtime.gateway.world import climb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from realtime.core.model import Board
    from tests.unit.realtime.gateway.world import World


class Counter(Tail[Moved]):
    """Holds the last version that it was told of. What it does is in `log`."""

    def __init__(self, world: World, board: Board) -> None:
        super().__init__(board, world.ranking, world.bus, "moves")
        self.version = 2
        self.log: list[str | int] = []
        self.reading: Callable[[], Awaitable[Sequence[Moved] | None]] = self._missed

    def holds(self) -> tuple[int, int]:
        return 1, self.version

    async def _missed(self) -> Sequence[Moved] | None:
        past = await self._since(1, self.version)
        return None if past is None else [one.moved for one in past]

    async def _read(self) -> Sequence[Moved] | None:
        self.log.append("read")
        return await self.reading()

    def _decode(self, payload: bytes) -> Moved:
        if payload == b"other columns":
            raise BoardChanged("other columns")
        return announcement.decode_moves(payload)

    def _advance(self, change: Moved) -> bool:
        if change.version <= self.version:
            return False
        if change.version != self.version + 1:
            raise VersionGap("a hole")
        self.version = change.version
        self.log.append(change.version)
        return True

    def _caught_up(self) -> None:
        self.log.append("caught up")
        super()._caught_up()

    def _broken(self) -> None:
        self.log.append("broken")

    def _lost(self) -> None:
        self.log.append("lost")

    def said(self) -> list[str | int]:
        said, self.log = self.log, []
        return said


@pytest.fixture
async def counter(world: World, board: Board) -> AsyncIterator[Counter]:
    counter = Counter(world, board)
    running = world.spawn(counter.run())
    await settle()
    assert counter.said() == ["read", "caught up"]
    yield counter
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert world.bus._listeners == {}, "who is cancelled leaves the bus"


# -- following ---------------------------------------------------------------------------------------------------------


async def test_each_version_is_taken_once_and_in_order(world: World, board: Board, counter: Counter) -> None:
    for seq in (50, 51):
        await world.apply(board, climb(seq))
    for one in world.ranking.announced(board.key):
        world.bus.publish(board.key, "moves", one.moves)
    assert counter.said() == [3, "caught up", 4, "caught up"]
    assert counter.resyncs == 0


async def test_a_hole_is_read_and_what_is_announced_meanwhile_is_taken_behind_it(
    world: World, board: Board, counter: Counter
) -> None:
    async def slowly() -> Sequence[Moved] | None:
        missed = await counter._missed()
        await world.apply(board, climb(60))
        return missed

    counter.reading = slowly
    world.bus.losing_moves = 1
    await world.apply(board, climb(50))
    await world.apply(board, climb(51))
    await settle()
    assert counter.said() == ["read", 3, 4, 5, "caught up"]
    assert counter.resyncs == 1


async def test_what_is_lost_while_it_is_read_is_read_again(world: World, board: Board, counter: Counter) -> None:
    async def while_the_bus_is_lost() -> Sequence[Moved] | None:
        counter.reading = counter._missed
        missed = await counter._missed()
        world.bus.losing_moves = 1
        await world.apply(board, climb(50))
        world.bus.lose()
        return missed

    counter.reading = while_the_bus_is_lost
    counter.resync()
    await settle()
    assert counter.said() == ["read", "caught up", "read", 3, "caught up"]


async def test_more_than_can_be_kept_does_not_fit_and_is_read_again(
    world: World, board: Board, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "BUFFER", 3)

    async def slowly() -> Sequence[Moved] | None:
        counter.reading = counter._missed
        missed = await counter._missed()
        for seq in range(50, 55):
            await world.apply(board, climb(seq))
        return missed

    counter.reading = slowly
    counter.resync()
    await asyncio.sleep(1)
    assert counter.said() == ["read", "broken", "read", 3, 4, 5, 6, 7, "caught up"]


async def test_what_was_announced_and_cannot_be_read_is_thrown_away(
    world: World, board: Board, counter: Counter
) -> None:
    async def of_other_columns() -> Sequence[Moved] | None:
        counter.reading = counter._missed
        world.bus.publish(board.key, "moves", b"other columns")
        return ()

    counter.reading = of_other_columns
    counter.resync()
    await asyncio.sleep(1)
    assert counter.said() == ["read", "broken", "read", "caught up"]
    world.bus.publish(board.key, "moves", b"other columns")
    await settle()
    assert counter.said() == ["read", "caught up"]


async def test_who_cannot_take_what_was_read_is_asked_ever_more_slowly(counter: Counter) -> None:
    async def nothing() -> Sequence[Moved] | None:
        return None

    counter.reading = nothing
    counter.resync()
    await asyncio.sleep(10)
    assert 10 < len(counter.said()) < 20
    counter.reading = counter._missed
    await asyncio.sleep(1)
    assert counter.said() == ["read", "caught up"]


async def test_while_the_ranking_is_away_it_is_tried_again_and_nothing_is_missed(
    world: World, board: Board, counter: Counter
) -> None:
    world.ranking.away = True
    world.bus.losing_moves = 1
    await world.apply(board, climb(50))
    await world.apply(board, climb(51))
    await settle()
    assert counter.said() == ["read", "lost"]
    world.ranking.away = False
    await asyncio.sleep(1)
    assert counter.said() == ["read", 3, 4, "caught up"]


async def test_a_bus_that_does_not_confirm_is_asked_again_and_no_more_once_it_did(world: World, board: Board) -> None:
    world.bus.refusing = 2
    counter = Counter(world, board)
    world.spawn(counter.run())
    await asyncio.sleep(1)
    assert counter.said() == ["lost", "lost", "read", "caught up"]
    world.bus.refusing = 1
    counter.resync()
    await asyncio.sleep(1)
    assert counter.said() == ["read", "caught up"]
    assert world.bus.refusing == 1


async def test_a_channel_that_says_nothing_any_more_is_subscribed_to_anew(
    world: World, board: Board, counter: Counter
) -> None:
    world.bus._listeners.clear()
    await world.apply(board, climb(50))
    await settle()
    assert counter.said() == []
    # Nobody is there to hear it while the bus does not confirm.
    world.bus.refusing = 1
    counter.mistrust()
    await asyncio.sleep(1)
    assert counter.said() == ["lost", "read", 3, "caught up"]
    await world.apply(board, climb(51))
    assert counter.said() == [4, "caught up"]


# -- what is known elsewhere -------------------------------------------------------------------------------------------


async def test_a_version_that_was_told_elsewhere_is_read_for_once_and_waited_for(
    world: World, board: Board, counter: Counter
) -> None:
    world.bus.losing_moves = 1
    await world.apply(board, climb(50))
    await asyncio.gather(*(counter.reach_to(1, 3) for _ in range(10)))
    assert counter.said() == ["read", 3, "caught up"]
    await counter.reach_to(1, 3)
    assert counter.said() == []


async def test_a_version_that_never_comes_is_waited_for_in_vain_and_read_for_once_a_while(counter: Counter) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    await asyncio.gather(*(counter.reach_to(1, 99) for _ in range(10)))
    assert loop.time() - before == pytest.approx(PATIENCE)
    assert counter.said() == ["read", "caught up"]
    asking = asyncio.create_task(counter.reach_to(1, 99))
    await asyncio.sleep(PATIENCE / 2)
    assert counter.said() == ["read", "caught up"]
    await asyncio.gather(asking, counter.reach_to(1, 99))
    assert counter.said() == []


async def test_a_version_that_cannot_be_read_is_an_error(world: World, counter: Counter) -> None:
    world.ranking.away = True
    with pytest.raises(RankingUnavailable):
        await counter.reach_to(1, 3)


async def test_who_waits_for_a_version_is_woken_by_what_was_taken_before_a_hole(counter: Counter) -> None:
    async def with_a_hole() -> Sequence[Moved] | None:
        async def in_vain() -> Sequence[Moved] | None:
            await asyncio.sleep(PATIENCE * 2)
            return None

        counter.reading = in_vain
        return [Moved(1, 3, 12), Moved(1, 5, 12)]

    counter.reading = with_a_hole
    started = asyncio.get_running_loop().time()
    # Behind it more was announced than was read: nobody knows whether that is all.
    with pytest.raises(RankingUnavailable):
        await counter.reach_to(1, 3)
    assert counter.said() == ["read", 3, "broken"]
    assert asyncio.get_running_loop().time() - started < PATIENCE / 2


async def test_one_reads_back_as_far_as_the_stream_is_sure_to_go_and_less_where_it_does_not_go_that_far(
    world: World, board: Board, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seq in range(50, 60):
        await world.apply(board, climb(seq))
    monkeypatch.setattr(tail, "STREAM", 9)
    assert [one.top.version for one in await counter._back_to(1, 12, 11)] == list(range(4, 13))
    stream = world.ranking._boards[board.key].stream
    while len(stream) > 4:
        stream.popleft()
    assert [one.top.version for one in await counter._back_to(1, 12, 10)] == [11, 12]
    assert counter.version == 12


async def test_nothing_is_read_back_of_what_the_stream_has_forgotten(world: World, counter: Counter) -> None:
    world.ranking.forgetting = True
    assert await counter._back_to(1, 2, 1) == []
