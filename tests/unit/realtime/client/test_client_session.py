from __future__ import annotations

import asyncio
import contextlib

import orjson
import pytest
from websockets.asyncio.server import ServerConnection

from realtime.client import session as session_module
from realtime.client.live import Status, TokenFailed, WatchRefused, connect
from realtime.core import messages
from tests.unit.realtime.client.node import (
    PLAYER,
    TIMEOUT,
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
    stand,
    window,
)

# -- out of step ---------------------------------------------------------------------------------------------------------


async def test_a_gap_asks_for_a_fresh_snapshot(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, snapshot(3, "ann"))
        await first
        await say(connection, renamed(8, 9, "Ann"))
        # What is said before the snapshot is of no use, even where it would fit.
        request = await hear(connection)
        assert request["op"] == "subscribe"
        assert "resume" not in request
        waiting = following(states)
        await say(connection, renamed(3, 4, "Ann"))
        async with contextlib.aclosing(live.player("b", "ann")) as other:
            second = following(other)
            await answer(connection, rank(stand(5, 1)), topic=PLAYER)
            await second
        assert not waiting.done()
        await say(connection, messages.subscribed(request["id"], TOPIC, "snapshot"), snapshot(9, "bob"))
        assert [entry.player for entry in (await waiting).entries] == ["bob"]
        assert (live.out_of_step, live.snapshots) == (1, 3)


async def test_a_list_that_is_not_the_nodes_asks_for_a_fresh_snapshot(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, snapshot(3, "ann"))
        await first
        await say(connection, messages.check(TOPIC, window(3, "bob"), 10))
        await answer(connection, snapshot(3, "bob"))
        assert [entry.player for entry in (await following(states)).entries] == ["bob"]


async def test_a_rank_that_is_not_the_nodes_asks_for_the_true_one(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.player("b", "ann")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, rank(stand(3, 12)), topic=PLAYER)
        await first
        await say(connection, messages.check_player(PLAYER, "ann", stand(3, 13)))
        # A rank that leads on from what was found wrong is of no use.
        await say(connection, rank(stand(4, 14), stand(3, 13)))
        await answer(connection, rank(stand(4, 14)), topic=PLAYER)
        assert (await following(states)).rank == 14
        assert live.out_of_step == 1


async def test_a_node_that_leads_on_what_was_not_asked_for_is_asked_for_a_snapshot(node: Node) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await answer(connection, mode="resumed")
        await answer(connection, snapshot(3, "ann"))
        assert (await first).version == 3
        assert (live.resumed, live.out_of_step) == (0, 1)


# -- what is refused -----------------------------------------------------------------------------------------------------


async def test_a_refused_watch_says_why(node: Node) -> None:
    async with connect(node.url) as live, contextlib.aclosing(live.top("nowhere")) as states:
        first = following(states)
        connection = await node.accept()
        request = await hear(connection)
        await say(connection, messages.error("board_unknown", "there is no board nowhere", request["id"]))
        with pytest.raises(WatchRefused, match="there is no board nowhere") as caught:
            await first
        assert (caught.value.code, caught.value.problem) == ("board_unknown", "board_unknown")
        # The connection stays, and who asks again is heard.
        again = following(live.top("nowhere"))
        assert (await answer(connection, snapshot(1)))["id"] != request["id"]
        await again


@pytest.mark.parametrize("problem", ["ranking_unavailable", "store_unavailable", "rate_limited"])
async def test_a_refusal_that_passes_is_asked_again(node: Node, problem: str) -> None:
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        request = await hear(connection)
        await say(connection, messages.error(problem, "", request["id"]))
        await answer(connection, snapshot(3, "ann"))
        assert (await first).version == 3


async def test_a_topic_that_ends_ends_its_watch_and_no_other(node: Node) -> None:
    async with (
        connect(node.url) as live,
        contextlib.aclosing(live.top("b")) as states,
        contextlib.aclosing(live.player("b", "ann")) as player,
    ):
        first = following(states)
        connection = await node.accept()
        await answer(connection, snapshot(3, "ann"))
        await first
        other = following(player)
        await answer(connection, rank(stand(3, 12)), topic=PLAYER)
        await other
        await say(connection, messages.error("board_unknown", "gone", topic=TOPIC), rank(stand(4, 11), stand(3, 12)))
        with pytest.raises(WatchRefused, match="gone"):
            await following(states)
        assert (await following(player)).rank == 11


async def test_an_error_that_is_about_nothing_of_ours_is_passed_over(node: Node) -> None:
    async with connect(node.url) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await say(
            connection,
            messages.error("topic_unknown", "not watched", 77),
            messages.error("topic_unknown", "not watched", "who"),
            messages.error("board_unknown", "gone", topic="other/top/10"),
            messages.error("message_invalid", ""),
            messages.error("unavailable", ""),
            messages.pong(),
            orjson.dumps({"type": "confetti"}),
        )
        await answer(connection, snapshot(3, "ann"))
        assert (await first).version == 3


# -- tokens --------------------------------------------------------------------------------------------------------------


async def test_the_token_goes_first(node: Node) -> None:
    async with connect(node.url, token="secret") as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        assert await hear(connection) == {"op": "auth", "token": "secret"}
        await answer(connection, snapshot(1))
        await first


async def test_nobody_is_heard_before_the_token_is_there(node: Node) -> None:
    wanted, given = asyncio.Event(), asyncio.Event()

    async def token() -> str:
        wanted.set()
        await given.wait()
        return "secret"

    async with connect(node.url, token) as live, contextlib.aclosing(live.top("b")) as states:
        connection = await node.accept()
        await asyncio.wait_for(wanted.wait(), TIMEOUT)
        first = following(states)
        for _ in range(10):
            # It is as far as it can come.
            await asyncio.sleep(0)
        given.set()
        assert await hear(connection) == {"op": "auth", "token": "secret"}
        await answer(connection, snapshot(3, "ann"))
        await first


async def test_a_token_is_renewed_while_the_connection_goes_on(node: Node) -> None:
    tokens = iter(["first", "second", "third"])

    async def token() -> str:
        return next(tokens)

    async with connect(node.url, token) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        assert (await hear(connection))["token"] == "first"
        await answer(connection, messages.authenticated(1_893_456_000), snapshot(3, "ann"))
        await first
        for expected in ("second", "third"):
            await say(connection, messages.error("token_expiring", "the token expires in 30 s"))
            assert await hear(connection) == {"op": "auth", "token": expected}
            await say(connection, messages.authenticated(1_893_456_000))
        await say(connection, renamed(3, 4, "Ann"))
        assert (await following(states)).version == 4
        assert live.reconnects == 0


async def test_frames_go_on_while_a_new_token_is_waited_for(node: Node) -> None:
    given = asyncio.Event()
    asked = 0

    async def token() -> str:
        nonlocal asked
        asked += 1
        if asked > 1:
            await given.wait()
        return f"token {asked}"

    async with connect(node.url, token) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await hear(connection)
        await answer(connection, snapshot(3, "ann"))
        await first
        expiring = messages.error("token_expiring", "the token expires in 30 s")
        await say(connection, expiring, expiring, renamed(3, 4, "Ann"))
        assert (await following(states)).version == 4
        given.set()
        assert await hear(connection) == {"op": "auth", "token": "token 2"}
        assert asked == 2


async def test_a_token_that_cannot_be_renewed_is_asked_for_again_on_the_next_connection(node: Node) -> None:
    failing = iter([None, OSError("the issuer is away"), None])

    def token() -> str:
        error = next(failing)
        if error is not None:
            raise error
        return "secret"

    async with connect(node.url, token, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await hear(connection)
        await answer(connection, snapshot(3, "ann"))
        await first
        await say(connection, messages.error("token_expiring", "the token expires in 30 s"), renamed(3, 4, "Ann"))
        await following(states)
        await connection.close(4004, "the token has expired: come back with a new one")
        connection = await node.accept()
        assert await hear(connection) == {"op": "auth", "token": "secret"}
        assert (await answer(connection, mode="resumed"))["resume"] == {"epoch": 1, "version": 4}


async def test_a_token_given_as_text_is_not_renewed(node: Node) -> None:
    async with connect(node.url, "secret") as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        connection = await node.accept()
        await hear(connection)
        await answer(connection, snapshot(3, "ann"))
        await first
        await say(connection, messages.error("token_expiring", "the token expires in 30 s"), renamed(3, 4, "Ann"))
        await following(states)
        async with contextlib.aclosing(live.player("b", "ann")) as other:
            second = following(other)
            await answer(connection, rank(stand(4, 1)), topic=PLAYER)
            await second


async def test_a_refused_token_ends_every_watch(node: Node) -> None:
    async with connect(node.url, token="old") as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        await say(await node.accept(), messages.error("unauthenticated", "the token has expired"))
        with pytest.raises(WatchRefused, match="expired"):
            await first
        with pytest.raises(WatchRefused, match="expired"):
            await anext(live.top("other"))
        assert live.status is Status.CLOSED


async def test_a_token_that_cannot_be_verified_now_is_presented_again(node: Node) -> None:
    async with connect(node.url, "secret", chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        await say(await node.accept(), messages.error("unavailable", "the issuer's keys cannot be had"))
        connection = await node.accept()
        assert (await hear(connection))["op"] == "auth"
        await answer(connection, messages.authenticated(1_893_456_000), snapshot(3, "ann"))
        assert (await first).version == 3


async def test_a_token_that_is_not_there_yet_is_asked_for_again(node: Node) -> None:
    errors = iter([ConnectionRefusedError(), TimeoutError(), None])

    def token() -> str | None:
        error = next(errors)
        if error is not None:
            raise error
        return None

    async with connect(node.url, token, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        for _ in range(2):
            await node.accept()
        await answer(await node.accept(), snapshot(3, "ann"))
        assert (await first).version == 3


async def test_a_function_that_fails_to_give_a_token_ends_the_client(node: Node) -> None:
    def token() -> str:
        raise KeyError("session")

    async with connect(node.url, token) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        await node.accept()
        with pytest.raises(TokenFailed, match="session"):
            await first


# -- silence -------------------------------------------------------------------------------------------------------------


async def test_a_node_that_owes_an_answer_is_left(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def patience(seconds: float) -> None:
        monkeypatch.setattr(session_module, "ANSWER_TIMEOUT", seconds)

    async def left(connection: ServerConnection) -> None:
        patience(0.02)
        await asyncio.wait_for(connection.wait_closed(), TIMEOUT)
        patience(TIMEOUT)

    monkeypatch.setattr(session_module, "LONGEST_WAIT", 0.01)
    async with connect(node.url, chance=Impatient()) as live, contextlib.aclosing(live.top("b")) as states:
        first = following(states)
        await left(await node.accept(welcome=False))
        connection = await node.accept()
        request = await hear(connection)
        await say(connection, messages.subscribed(request["id"], TOPIC, "snapshot"))
        await left(connection)
        await answer(await node.accept(), snapshot(3, "ann"))
        assert (await first).version == 3
