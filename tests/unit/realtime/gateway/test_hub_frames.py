from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from realtime.core import messages
from realtime.core.model import WINDOW, Board
from tests.changes import gone, ranked, renamed
from tests.unit.realtime.gateway.world import TICK, Viewer, World, climb, fill, types


def count_deltas(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The topics of the deltas that are made from now on."""
    made: list[str] = []
    make = messages.delta

    def counted(topic: str, *rest: Any) -> bytes:
        made.append(topic)
        return make(topic, *rest)

    monkeypatch.setattr(messages, "delta", counted)
    return made


# -- frames ---------------------------------------------------------------------------------------------------------


async def test_the_first_change_goes_out_at_once_then_one_frame_a_tick(
    world: World, board: Board, viewer: Viewer
) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    await world.apply(board, climb(50))
    (first,) = await viewer.drain()
    assert (first["from"], first["to"], loop.time()) == (2, 3, start)
    for seq in range(51, 60):
        await world.apply(board, climb(seq))
        await asyncio.sleep(TICK / 20)
    assert await viewer.drain() == []
    await asyncio.sleep(TICK)
    (second,) = await viewer.drain()
    assert (second["from"], second["to"]) == (3, 12)
    assert viewer.shows(await world.truth(board))


async def test_under_a_steady_stream_frames_are_a_tick_apart(world: World, board: Board, viewer: Viewer) -> None:
    loop = asyncio.get_running_loop()
    times = []
    for seq in range(50, 250):
        await world.apply(board, climb(seq))
        if await viewer.drain():
            times.append(loop.time())
        await asyncio.sleep(TICK / 10)
    assert len(times) >= 19
    assert all(later - sooner >= TICK * 0.99 for sooner, later in itertools.pairwise(times))


async def test_after_a_quiet_tick_the_next_change_goes_out_at_once(world: World, board: Board, viewer: Viewer) -> None:
    await world.apply(board, climb(50))
    await asyncio.sleep(TICK * 2)
    await viewer.drain()
    await world.apply(board, climb(51))
    assert types(await viewer.drain()) == ["delta"]


async def test_all_watchers_share_the_bytes_of_a_frame(
    world: World, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = count_deltas(monkeypatch)
    viewers = [await world.watching(board) for _ in range(5)]
    await world.apply(board, climb(50))
    for viewer in viewers:
        assert types(await viewer.drain()) == ["delta"]
    assert len(made) == 1
    assert world.fanout.deliveries == 5


async def test_a_change_below_what_a_topic_shows_makes_no_frame(world: World, board: Board, viewer: Viewer) -> None:
    await world.apply(board, ranked("low", -1, seq=50))
    await asyncio.sleep(TICK * 3)
    assert await viewer.drain() == []


async def test_after_quiet_versions_the_next_delta_follows_what_the_viewer_holds(
    world: World, board: Board, viewer: Viewer
) -> None:
    for seq in range(50, 55):
        await world.apply(board, ranked("low", -1, seq, seq=seq))
    await world.apply(board, climb(60))
    (delta,) = await viewer.drain()
    assert (delta["from"], delta["to"]) == (2, 8)
    assert viewer.shows(await world.truth(board))


# -- who lags -------------------------------------------------------------------------------------------------------


async def test_a_full_socket_is_skipped_and_gets_one_merged_delta_when_it_drains(
    world: World, board: Board, viewer: Viewer
) -> None:
    other = await world.watching(board)
    await fill(viewer)
    for seq in range(50, 60):
        await world.apply(board, climb(seq))
        await asyncio.sleep(TICK * 2)
        await other.drain()
    assert world.fanout.skipped == 9
    first, merged = await viewer.drain()
    # The frame that the kernel would not take waits in the transport; all others are one.
    assert [(delta["from"], delta["to"]) for delta in (first, merged)] == [(2, 3), (3, 12)]
    assert world.fanout.merged == 1
    assert viewer.shows(await world.truth(board))
    assert other.shows(await world.truth(board))


async def test_who_drained_is_sent_frames_again_as_they_come(world: World, board: Board, viewer: Viewer) -> None:
    await fill(viewer)
    await world.apply(board, climb(50))
    await viewer.drain()
    await asyncio.sleep(TICK * 2)
    await world.apply(board, climb(51))
    assert types(await viewer.drain()) == ["delta"]
    assert viewer.shows(await world.truth(board))


async def test_one_that_lags_does_not_hold_back_the_others(world: World, board: Board, viewer: Viewer) -> None:
    others = [await world.watching(board) for _ in range(3)]
    await fill(viewer)
    await world.apply(board, climb(50))
    for other in others:
        assert types(await other.drain()) == ["delta"]


async def test_laggards_at_the_same_version_share_the_bytes(
    world: World, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewers = [await world.watching(board) for _ in range(4)]
    for viewer in viewers:
        await fill(viewer)
    for seq in range(50, 55):
        await world.apply(board, climb(seq))
        await asyncio.sleep(TICK * 2)
    made = count_deltas(monkeypatch)
    for viewer in viewers:
        await viewer.drain()
        assert viewer.shows(await world.truth(board))
    assert len(made) == 1
    assert world.fanout.merged == 4


async def test_a_laggard_that_drains_after_a_quiet_version_can_follow_the_next_one(
    world: World, board: Board, viewer: Viewer
) -> None:
    other = await world.watching(board)
    await fill(viewer)
    await world.apply(board, climb(50))
    await other.drain()
    # A frame from that version was made for the other one; then the board moves where nobody looks.
    laggard = await world.watching(board)
    await world.apply(board, ranked("low", -1, seq=51))
    await viewer.drain()
    await asyncio.sleep(TICK * 2)
    await world.apply(board, climb(52))
    for one in (viewer, other, laggard):
        await one.drain()
        assert one.shows(await world.truth(board))


async def test_many_topics_of_a_slow_socket_take_turns(world: World) -> None:
    boards = [await world.board(f"b{n}") for n in range(6)]
    viewer = world.viewer()
    for board in boards:
        await viewer.subscribe(board.name)
    await viewer.drain()
    viewer.connection.room = 0
    seen: set[str] = set()
    for seq in range(1, 40):
        for board in boards:
            await world.apply(board, ranked("ada", seq, seq=seq))
        # The socket takes one frame in the time in which every board moves.
        viewer.connection.room = 0
        while not (taken := await viewer.read_one()):
            viewer.connection.grow(1)
        seen.add(taken["topic"])
        await asyncio.sleep(TICK)
    assert seen == {f"b{n}/top/10" for n in range(6)}
    await viewer.drain()
    for board in boards:
        assert viewer.shows(await world.truth(board), board.name)


# -- all of it ------------------------------------------------------------------------------------------------------


async def test_a_removed_player_and_a_new_name_reach_the_viewer(world: World, board: Board, viewer: Viewer) -> None:
    await world.apply(board, gone("p0", seq=50), renamed("p1", profile_seq=51, name="One"))
    (delta,) = await viewer.drain()
    assert [op[0] for op in delta["ops"]] == ["out", "set", "in"]
    assert viewer.shows(await world.truth(board))


async def test_the_largest_window_is_followed_over_its_edge(world: World) -> None:
    board = await world.board()
    await world.apply(board, *(ranked(f"p{n}", 1000 - n, seq=n + 1) for n in range(WINDOW + 20)))
    viewer = await world.watching(board, limit=WINDOW)
    for seq in range(500, 540):
        await world.apply(board, gone(f"p{seq - 500}", seq=seq), ranked(f"n{seq}", seq, seq=seq + 100))
        await asyncio.sleep(TICK)
        await viewer.drain()
        assert viewer.shows(await world.truth(board), limit=WINDOW)
