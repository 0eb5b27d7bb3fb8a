"""Lost connections, nodes that leave, and how a watch is led on from what it holds."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from realtime.client.live import ConnectionRefused, Status, connect
from realtime.core import closing, messages
from tests.unit.realtime.client.node import (
    AROUND,
    PLAYER,
    TOPIC,
    Impatient,
    Node,
    answer,
    following,
    hear,
    rank,
    renamed,
    say,
    snapshot,
    snapshot_around,
    stand,
    stretch,
    window,
)

AWAY = closing.Close(1012, "restart")


async def test_a_lost_connection_is_led_on_from_the_version_held(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        assert "resume" not in await answer(connection, snapshot(3, "ann"))
        await first
        await say(connection, renamed(3, 4, "Ann"))
        await following(states)
        await connection.close(AWAY.code)
        connection = await node.accept()
        assert live.status is Status.RECONNECTING
        request = await answer(connection, renamed(4, 9, "Anna"), mode="resumed")
        assert request["resume"] == {"epoch": 1, "version": 4}
        state = await following(states)
        assert (state.version, state.entries[0].name) == (9, "Anna")
        assert live.status is Status.OPEN
        assert (live.reconnects, live.resumed, live.snapshots, live.out_of_step) == (1, 1, 1, 0)


async def test_a_check_carries_forward_the_version_to_lead_on_from(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, snapshot(3, "ann"), messages.check(TOPIC, window(8, "ann"), 10))
        await first
        await connection.close(AWAY.code)
        request = await hear(await node.accept())
        assert request["resume"] == {"epoch": 1, "version": 8}


async def test_what_has_not_changed_is_led_on_without_a_word(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, snapshot(3, "ann"))
        await first
        await connection.close(AWAY.code)
        connection = await node.accept()
        await answer(connection, mode="resumed")
        await say(connection, renamed(3, 4, "Ann"))
        assert (await following(states)).version == 4
        assert live.out_of_step == 0


async def test_every_view_is_led_on(node: Node) -> None:
    async with (
        connect(node.url, chance=Impatient()) as live,
        contextlib.aclosing(live.player("b", "ann")) as player,
        contextlib.aclosing(live.around("b", "ann", 2)) as around,
    ):
        one = following(player)
        connection = await node.accept()
        await answer(connection, rank(stand(3, 12)), topic=PLAYER)
        await one
        other = following(around)
        await answer(connection, snapshot_around(stretch(4, 10, "bob", "ann")), topic=AROUND)
        await other
        await connection.close(AWAY.code)
        connection = await node.accept()
        request = await answer(connection, rank(stand(9, 14), stand(3, 12), "bob"), topic=PLAYER, mode="resumed")
        assert request["resume"] == {"epoch": 1, "version": 3}
        moved = messages.delta_around(AROUND, stretch(9, 12, "bob", "ann"), 4, [])
        request = await answer(connection, moved, topic=AROUND, mode="resumed")
        assert request["resume"] == {"epoch": 1, "version": 4}
        assert (await following(player)).passed_by == ("bob",)
        assert (await following(around)).position == 12
        assert live.resumed == 2


async def test_a_snapshot_replaces_what_was_held(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, snapshot(3, "ann"))
        await first
        await connection.close(AWAY.code)
        await answer(await node.accept(), snapshot(1, "bob", epoch=2))
        state = await following(states)
        assert (state.epoch, [entry.player for entry in state.entries]) == (2, ["bob"])
        assert (live.resumed, live.snapshots) == (0, 2)


async def test_a_loss_before_the_answer_leads_on_from_the_same_version(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, snapshot(3, "ann"))
        await first
        for _ in range(3):
            await connection.close(AWAY.code)
            connection = await node.accept()
            assert (await hear(connection))["resume"] == {"epoch": 1, "version": 3}


async def test_a_list_that_was_found_wrong_is_not_led_on_from(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, snapshot(3, "ann"))
        await first
        await say(connection, messages.check(TOPIC, window(3, "bob"), 10))
        assert "resume" not in await hear(connection)
        await connection.close(AWAY.code)
        assert "resume" not in await answer(await node.accept(), snapshot(3, "bob"))
        assert (await following(states)).entries[0].player == "bob"


async def test_a_node_that_lags_does_not_turn_a_reader_back(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, snapshot(5, "ann"))
        await first
        await connection.close(AWAY.code)
        connection = await node.accept()
        await answer(connection, snapshot(3, "ann"), renamed(3, 4, "old"), renamed(4, 6, "new"))
        state = await following(states)
        assert (state.version, state.entries[0].name) == (6, "new")


async def test_a_watch_under_two_names_is_led_on_once(node: Node) -> None:
    async with (
        connect(node.url, chance=Impatient()) as live,
        contextlib.aclosing(live.player("b", "ann")) as named,
        contextlib.aclosing(live.player("b")) as me,
    ):
        one = following(named)
        connection = await node.accept()
        await answer(connection, rank(stand(3, 12)), topic=PLAYER)
        await one
        other = following(me)
        await answer(connection, rank(stand(3, 12)), topic=PLAYER)
        await other
        await connection.close(AWAY.code)
        connection = await node.accept()
        moved = rank(stand(9, 14), stand(3, 12))
        assert "resume" in await answer(connection, moved, topic=PLAYER, mode="resumed")
        assert "resume" not in await answer(connection, rank(stand(9, 14)), topic=PLAYER)
        await say(connection, rank(stand(10, 13), stand(9, 14)))
        while (await following(named)).version < 10:
            pass
        while (await following(me)).version < 10:
            pass
        assert live.out_of_step == 0


async def test_a_watch_that_was_let_go_under_one_of_two_names_is_asked_for_again(node: Node) -> None:
    async with (
        connect(node.url, chance=Impatient()) as live,
        contextlib.aclosing(live.player("b", "ann")) as named,
    ):
        me = live.player("b")
        one = following(me)
        connection = await node.accept()
        mine = await answer(connection, rank(stand(3, 12)), topic=PLAYER)
        await one
        other = following(named)
        request = await hear(connection)
        # It leaves before the node has said that both are one.
        await me.aclose()
        assert (await hear(connection))["id"] == mine["id"]
        await say(connection, messages.subscribed(request["id"], PLAYER, "snapshot"), rank(stand(3, 12)))
        await other
        await say(connection, messages.unsubscribed(mine["id"], PLAYER))
        assert (await answer(connection, rank(stand(4, 11)), topic=PLAYER))["id"] == request["id"]
        assert (await following(named)).rank == 11


async def test_me_may_be_another_player_on_the_next_connection(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.player("b")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, rank(stand(3, 12)), topic=PLAYER)
        await first
        await connection.close(AWAY.code)
        connection = await node.accept()
        assert "resume" in await answer(connection, topic="b/player/bob", mode="resumed")
        bob = rank(stand(3, 1)).replace(b"player/ann", b"player/bob")
        assert "resume" not in await answer(connection, bob, topic="b/player/bob")
        state = await following(states)
        assert (state.player, state.rank) == ("bob", 1)


async def test_staleness_ends_with_the_connection_that_said_it(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, snapshot(3, "ann"))
        await first
        await say(connection, messages.stale(TOPIC, 1_893_456_000))
        assert (await following(states)).stale
        await connection.close(AWAY.code)
        await answer(await node.accept(), mode="resumed")
        assert not (await following(states)).stale


# -- nodes that leave ----------------------------------------------------------------------------------------------------


async def test_a_node_that_leaves_is_left_at_its_time_and_the_watch_led_on(node: Node) -> None:
    async with connect(node.url) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, snapshot(3, "ann"))
        await first
        asked = asyncio.get_running_loop().time()
        await say(connection, messages.drain(50))
        # It goes on until then.
        await say(connection, renamed(3, 4, "Ann"))
        assert (await following(states)).version == 4
        again = await node.accept()
        assert asyncio.get_running_loop().time() - asked >= 0.05
        assert (await answer(again, mode="resumed"))["resume"] == {"epoch": 1, "version": 4}
        assert connection.close_code == 1000


async def test_a_node_that_leaves_before_its_time_is_still_not_stormed(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, snapshot(3, "ann"))
        await first
        asked = asyncio.get_running_loop().time()
        await say(connection, messages.drain(50))
        await connection.close(closing.GOING_AWAY.code)
        again = await node.accept()
        assert asyncio.get_running_loop().time() - asked >= 0.05
        assert "resume" in await answer(again, mode="resumed")


async def test_who_is_sent_away_goes_to_another_node(node: Node) -> None:
    async with (
        Node.running() as other,
        connect([node.url, other.url], chance=Impatient()) as live,
        contextlib.aclosing(live.top("b")) as states,
    ):
        first = following(states)
        connection = await node.accept()
        await answer(connection, snapshot(3, "ann"))
        await first
        await say(connection, messages.drain(0))
        request = await answer(await other.accept(), renamed(3, 5, "Ann"), mode="resumed")
        assert request["resume"] == {"epoch": 1, "version": 3}
        assert (await following(states)).version == 5
        assert live.reconnects == 1


@pytest.mark.parametrize("why", closing.ALL, ids=lambda why: str(why.code))
async def test_a_close_code_says_whether_to_come_back(node: Node, why: closing.Close) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        await (await node.accept()).close(why.code, why.reason)
        if why.come_back:
            await answer(await node.accept(), snapshot(3, "ann"))
            assert (await first).version == 3
            return
        with pytest.raises(ConnectionRefused, match=f"{why.code}: {why.reason}"):
            await first
        assert live.status is Status.CLOSED
