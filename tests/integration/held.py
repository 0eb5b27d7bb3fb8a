"""A stack whose every answer, and a watcher whose every frame, is held against the contract documents."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import orjson
from websockets.asyncio.client import connect

from realtime.client.reducer import checksum
from realtime.core.messages import SUBPROTOCOL
from tests import documents
from tests.harness import PATIENCE, Node, Stack, Watcher, eventually, ranked_top

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx


class HeldStack(Stack):
    """The real stack; an answer that openapi.json does not have is a failure."""

    @contextlib.asynccontextmanager
    async def node(self, **changes: Any) -> AsyncIterator[Node]:
        async with super().node(**changes) as node:
            node.http.event_hooks = {"response": [documents.check_answer]}
            yield node


class HeldWatcher(Watcher):
    """A watcher; a frame that asyncapi.json does not have is a failure, and so is a check that does not fit the list."""

    @classmethod
    @contextlib.asynccontextmanager
    async def talking(cls, url: str) -> AsyncIterator[HeldWatcher]:
        """Connected and welcomed; what follows is up to the test."""
        async with connect(url, subprotocols=[SUBPROTOCOL], max_size=None, proxy=None) as opened:
            watcher = cls(opened)
            await watcher.step("welcome")
            yield watcher

    async def watch(self, board: str, limit: int = 10) -> None:
        """Subscribe, and take the snapshot."""
        await self.ask("subscribed", op="subscribe", id=1, board=board, view="top", limit=limit)
        await self.step("snapshot")

    async def say(self, **message: Any) -> None:
        await self.socket.send(orjson.dumps(message).decode())

    async def ask(self, wanted: str, **message: Any) -> dict[str, Any]:
        """Say something, and take frames up to the first of type `wanted`."""
        await self.say(**message)
        return await self.next(wanted)

    async def next(self, wanted: str) -> dict[str, Any]:
        """Take frames up to the first of type `wanted`."""
        while (frame := await self.step())["type"] != wanted:
            pass
        return frame

    async def raw(self) -> dict[str, Any]:
        """One frame, not reduced: for connections that watch more than one topic."""
        async with asyncio.timeout(PATIENCE):
            frame: dict[str, Any] = orjson.loads(await self.socket.recv())
        documents.check_frame(frame)
        return frame

    async def told(self) -> dict[str, Any]:
        """One frame that is no check, not reduced: of the topics a connection watches, any may be checked any time."""
        while (frame := await self.raw())["type"] == "check":
            pass
        return frame

    async def step(self, wanted: str | None = None) -> dict[str, Any]:
        frame = await super().step(wanted)
        documents.check_frame(frame)
        if frame["type"] == "check":
            assert frame["crc"] == checksum(self.entries)
        return frame


def problem(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a problem document."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    document = response.json()
    assert document["status"] == response.status_code
    return response.status_code, document["code"]


async def put_board(node: Node, board: str, **document: Any) -> dict[str, Any]:
    """A board with the column `points`, unless the document says otherwise."""
    answer = await node.http.put(f"/v1/boards/{board}", json={"columns": [{"name": "points"}], **document})
    assert answer.status_code in {200, 201}, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def submit(node: Node, board: str, player: str, score: object, **fields: object) -> dict[str, Any]:
    """An accepted submission's answer."""
    answer = await node.http.post(f"/v1/boards/{board}/scores", json={"player": player, "score": score, **fields})
    assert answer.status_code == 200, answer.text
    outcome: dict[str, Any] = answer.json()
    return outcome


async def submit_all(node: Node, board: str, scores: dict[str, Any]) -> None:
    """Submit one score a player in one batch."""
    rows = [{"player": player, "score": score} for player, score in scores.items()]
    answer = await node.http.post(f"/v1/boards/{board}/scores/batch", json=rows)
    results = answer.json()["results"]
    assert all("seq" in one for one in results), results


async def rank_all(node: Node, board: str, scores: dict[str, Any]) -> None:
    """Submit the first scores of a board, and return when all of them are ranked."""
    await submit_all(node, board, scores)

    async def ranked() -> bool:
        # Too long for the window: this asks Redis, and does not make the node follow the board.
        top = await ranked_top(node.http, board, limit=101)
        return top is not None and top["total"] == len(scores)

    await eventually(ranked)


async def hot(node: Node, path: str) -> httpx.Response:
    """The answer once the node holds the board in memory, as new as Redis does."""
    service, name = node.service, path.split("/")[3]

    async def followed() -> bool:
        await node.http.get(path)
        board = await service.directory.get(name)
        feed = service.hub.feed(board)
        return feed is not None and (feed.window.epoch, feed.window.version) == await service.ranking.position(
            board.key
        )

    await eventually(followed)
    return await node.http.get(path)
