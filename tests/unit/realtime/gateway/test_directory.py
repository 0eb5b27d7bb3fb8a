from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from realtime.core.errors import BoardUnknown, StoreUnavailable
from realtime.gateway import directory as directories
from realtime.gateway.directory import KEPT, USABLE
from tests.turned import settle

if TYPE_CHECKING:
    from tests.unit.realtime.gateway.world import World


async def test_a_board_is_looked_up_once_and_kept_for_a_moment(world: World) -> None:
    board = await world.board()
    assert world.directory.known("b") is None
    assert await world.directory.get("b") == board
    assert await world.directory.get("b") is world.directory.known("b")
    assert world.boards.asked == 1
    await asyncio.sleep(KEPT + 0.1)
    assert world.directory.known("b") is None
    assert await world.directory.get("b") == board
    assert world.boards.asked == 2


async def test_many_at_once_ask_the_store_once(world: World) -> None:
    await world.board()
    world.boards.gate = asyncio.Event()
    asking = [asyncio.create_task(world.directory.get("b")) for _ in range(20)]
    await settle()
    world.boards.gate.set()
    assert len({(await one).key for one in asking}) == 1
    assert world.boards.asked == 1


async def test_that_there_is_no_board_is_kept_too(world: World) -> None:
    for _ in range(3):
        with pytest.raises(BoardUnknown):
            await world.directory.get("nothing")
    assert world.directory.known("nothing") is None
    assert world.boards.asked == 1


async def test_what_is_forgotten_is_looked_up_afresh(world: World) -> None:
    await world.board()
    await world.directory.get("b")
    edited = await world.edit(title="T")
    world.directory.forget("b")
    assert world.directory.known("b") is None
    assert await world.directory.get("b") == edited
    world.directory.forget("never seen")


async def test_what_was_being_asked_when_it_was_forgotten_does_not_count(world: World) -> None:
    """The answer on its way may be from before the edit."""
    before = await world.board()
    world.boards.gate = gate = asyncio.Event()
    early = asyncio.create_task(world.directory.get("b"))
    await settle()
    edited = await world.edit(title="T")
    world.directory.forget("b")
    world.boards.gate = None
    assert await world.directory.get("b") == edited
    gate.set()
    assert await early == before
    assert world.directory.known("b") == edited
    assert world.boards.asked == 2


async def test_while_the_store_is_away_a_known_board_is_still_usable_for_a_while(world: World) -> None:
    board = await world.board()
    await world.directory.get("b")
    world.boards.failing = StoreUnavailable("away")
    await asyncio.sleep(KEPT + 0.1)
    assert await world.directory.get("b") == board
    world.directory.forget("b")
    assert await world.directory.get("b") == board
    await asyncio.sleep(USABLE)
    with pytest.raises(StoreUnavailable):
        await world.directory.get("b")


async def test_a_board_that_was_never_seen_is_unavailable_while_the_store_is_away(world: World) -> None:
    world.boards.failing = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await world.directory.get("b")
    world.boards.failing = None
    board = await world.board()
    assert await world.directory.get("b") == board


async def test_one_who_stops_waiting_does_not_stop_the_others(world: World) -> None:
    board = await world.board()
    world.boards.gate = asyncio.Event()
    first, second = (asyncio.create_task(world.directory.get("b")) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    world.boards.gate.set()
    assert await second == board


async def test_only_so_many_names_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "_LIMIT", 3)
    await world.board()
    await world.directory.get("b")
    for name in ("x", "y", "z"):
        with pytest.raises(BoardUnknown):
            await world.directory.get(name)
    assert world.directory.known("b") is None
    assert len(world.directory._known) == 3
