"""Both nodes are drained and restarted, one after the other, while the large contest is played to two thousand spectators."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from realtime.client.player import PlayerState
from realtime.client.reducer import State
from tests.acceptance.crowd import Crowd, Spectator, View, around, player, room_for, top
from tests.acceptance.test_contests import DATA, DOCUMENT, whole_board
from tests.harness import PATIENCE, Node, eventually, free_port, without_rank

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from tests.harness import Stack

BOARD = "online"
CROWD = 2000
DRAIN_WINDOW = 3.0
ENDING = 7.0
"""Seconds past its window that a node is given to end; a loaded machine is slow."""
BATCH = 40
EVERY = 0.06
"""Seconds from one batch of scores to the next."""
LIMITS = (10, 25, 50, 100)
RADIUS = 5


class NodeProcess:
    """A node as its own process, which comes back on its port."""

    def __init__(self, stack: Stack, opened: AsyncExitStack) -> None:
        self.port = free_port()
        self._stack = stack
        self._opened = opened
        self._child: Process | None = None
        url = f"http://127.0.0.1:{self.port}"
        http = httpx.AsyncClient(base_url=url, timeout=PATIENCE, headers=stack.headers("admin"))
        self.seen = Node(url, url.replace("http", "ws") + "/v1/live", http, None)

    async def start(self) -> None:
        running = self._stack.process(
            "api",
            port=self.port,
            drain_window=DRAIN_WINDOW,
            max_per_address=3 * CROWD,
            tick_ms=100,
            # The first come while the worker may still be starting.
            subscribe_timeout=PATIENCE,
        )
        self._child = await self._opened.enter_async_context(running)
        await eventually(self._ready)

    async def _ready(self) -> bool:
        try:
            return (await self.seen.http.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    async def stop(self) -> float:
        """Ask it to end; the seconds until it has."""
        assert self._child is not None
        began = time.monotonic()
        self._child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DRAIN_WINDOW + ENDING):
            assert await self._child.wait() == 0
        return time.monotonic() - began


class Contest:
    """The events, sent in batches to whichever node is up."""

    def __init__(self, nodes: tuple[NodeProcess, NodeProcess]) -> None:
        self.acknowledged = 0
        self.after = ""
        """The last score as `?after=` names it."""
        self.taken: Counter[int] = Counter()
        self._nodes = nodes

    async def play(self, batches: list[list[dict[str, Any]]]) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for batch in batches:
            await self._send(batch)
            due += EVERY
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _send(self, batch: list[dict[str, Any]]) -> None:
        turn = self.acknowledged
        async with asyncio.timeout(PATIENCE):
            while not await self._taken(turn % 2, batch):
                turn += 1
        self.acknowledged += 1

    async def _taken(self, at: int, batch: list[dict[str, Any]]) -> bool:
        """Whether a node took it; where one leaves in between, the other is told again what may have been taken."""
        try:
            answer = await self._nodes[at].seen.http.post(f"/v1/boards/{BOARD}/scores/batch", json=batch)
        except httpx.TransportError:
            return False
        if answer.status_code == 503:
            return False
        assert answer.status_code == 200, answer.text
        self.after = f"{batch[-1]['player']}:{answer.json()['results'][-1]['seq']}"
        self.taken[at] += 1
        return True


def events() -> list[list[dict[str, Any]]]:
    lines = (DATA / "contest-online.events.ndjson").read_text().splitlines()
    rows = [
        {"player": event["player"], "score": [event["solved"], event["penalty"]], "name": event["name"]}
        for event in map(json.loads, lines)
    ]
    return [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]


def views(number: int, teams: list[str]) -> list[View]:
    """What a spectator watches: most a top, a fifth also a team of theirs, some a team and those around it."""
    if number % 10 < 7:
        return [top(BOARD, LIMITS[number // 2 % len(LIMITS)])]
    team = teams[number // 20 * 13 % len(teams)]
    if number % 10 < 9:
        return [top(BOARD, LIMITS[number // 10 % len(LIMITS)]), player(BOARD, team)]
    return [player(BOARD, team), around(BOARD, team, RADIUS)]


async def roll(node: NodeProcess, crowd: Crowd, contest: Contest) -> float:
    """Drain a node, and start it again once everybody is at the other; the seconds that it took to leave."""
    before = contest.acknowledged
    took = await node.stop()
    # One may have been under way before. How many it is depends on how busy the machine is.
    assert contest.acknowledged > before + 1, "scores came in while it was drained"
    await crowd.settled()
    await node.start()
    return took


@pytest.mark.timeout(300)
async def test_nodes_are_restarted_one_after_the_other_and_every_client_ends_on_the_official_standings(
    stack: Stack,
) -> None:
    official = json.loads((DATA / "contest-online.standings.json").read_text())["standings"]
    teams = [one["player"] for one in official]
    with room_for(2 * CROWD):
        async with AsyncExitStack() as opened:
            await opened.enter_async_context(stack.process("workers"))
            nodes = NodeProcess(stack, opened), NodeProcess(stack, opened)
            for node in nodes:
                await opened.enter_async_context(node.seen.http)
            await asyncio.gather(*(node.start() for node in nodes))
            created = await nodes[0].seen.http.put(f"/v1/boards/{BOARD}", json=DOCUMENT)
            assert created.status_code == 201
            crowd = Crowd((nodes[0].port, nodes[1].port), DRAIN_WINDOW)
            crowd.spectators = [Spectator(crowd, number % 2, views(number, teams)) for number in range(CROWD)]
            async with crowd.watching():
                await crowd.settled()
                took, contest = await rolled(nodes, crowd)
                await stack.settled()
                after = {"limit": 100, "after": contest.after}
                version = (await nodes[0].seen.http.get(f"/v1/boards/{BOARD}/top", params=after)).json()["version"]
                await crowd.settled(version)
                standings = await whole_board(nodes[0].seen, BOARD, contest.after)
        print(f"ended in {took} s; version {version}, {len(crowd.book)} states; {contest.taken}; {crowd.counts}")
    assert {one["player"]: (one["rank"], *one["score"]) for one in standings} == {
        one["player"]: (one["rank"], one["solved"], one["penalty"]) for one in official
    }
    for held in set(crowd.held()):
        assert_is_official(held.value, standings)
    assert_counts(crowd)
    assert min(contest.taken.values()) > contest.acknowledged // 10, "both nodes took scores"


async def rolled(nodes: tuple[NodeProcess, NodeProcess], crowd: Crowd) -> tuple[list[float], Contest]:
    """Play the contest, and meanwhile restart one node, the other, and the first again."""
    contest = Contest(nodes)
    batches = events()
    part = len(batches) // 10
    await contest.play(batches[:part])
    took = []
    for turn, node in enumerate((nodes[0], nodes[1], nodes[0])):
        async with asyncio.TaskGroup() as both:
            both.create_task(contest.play(batches[part * (1 + 3 * turn) : part * (4 + 3 * turn)]))
            rolling = both.create_task(roll(node, crowd, contest))
        took.append(round(rolling.result(), 1))
    await contest.play(batches[part * 10 :])
    return took, contest


def assert_is_official(value: State | PlayerState | None, standings: list[dict[str, Any]]) -> None:
    """What is held at the end is a part of the official standings."""
    assert value is not None
    if isinstance(value, PlayerState):
        official = next(one for one in standings if one["player"] == value.player)
        assert value.position == standings.index(official)
        assert (value.rank, list(value.score or ()), value.of) == (official["rank"], official["score"], len(standings))
        return
    assert value.position is not None
    size = int(value.topic.rpartition("/")[2])
    first, last = 0, size
    if "/around/" in value.topic:
        centre = next(at for at, one in enumerate(standings) if one["player"] == value.topic.split("/")[2])
        first, last = max(0, centre - size), centre + size + 1
    assert value.position == first
    assert value.total == len(standings)
    assert list(value.rows) == without_rank(standings[first:last])
    assert [one.rank for one in value.entries] == [one["rank"] for one in standings[first:last]]


def assert_counts(crowd: Crowd) -> None:
    """Everybody was drained as often as its node left, and each time led on from where it was."""
    assert not crowd.faults
    assert not crowd.snapshots, f"{len(crowd.snapshots)} snapshots where a resume was due: {crowd.snapshots[:20]}"
    # Those of the first node left it, then all left the second one, then all the first one.
    first, again = Counter[str](), Counter[str]()
    drained = 0
    for number, spectator in enumerate(crowd.spectators):
        moves = 3 - number % 2
        drained += moves
        for held in spectator.held.values():
            first[held.kind] += 1
            again[held.kind] += moves
    counts = crowd.counts
    assert drained == 5 * CROWD // 2
    assert counts["drained"] == counts["left"] + counts["sent away"] == drained
    assert counts["connected"] == CROWD + drained
    for kind in ("top", "player", "around"):
        assert counts[f"{kind} first afresh"] == first[kind]
        assert counts[f"{kind} again resumed"] + counts[f"{kind} again afresh"] == again[kind]
