"""What the browser's tests have in common: a service with boards on it, and a contest to play."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness import Node, Stack

DATA = Path(__file__).parent.parent / "data"
CONTEST = {
    "title": "Harbin",
    "columns": [{"name": "solved", "direction": "desc"}, {"name": "penalty", "direction": "asc"}],
}


@contextlib.asynccontextmanager
async def service(stack: Stack, **changes: Any) -> AsyncIterator[Node]:
    async with stack.worker(), stack.node(check_every=0.3, **changes) as node:
        yield node


async def create(node: Node, board: str, document: dict[str, Any]) -> None:
    (await node.http.put(f"/v1/boards/{board}", json=document)).raise_for_status()


async def submit(node: Node, board: str, *rows: dict[str, Any]) -> None:
    answer = await node.http.post(f"/v1/boards/{board}/scores/batch", json=list(rows))
    answer.raise_for_status()
    assert all("seq" in result for result in answer.json()["results"]), answer.text


def lost(problem: str) -> bool:
    """Whether a console error tells of a way that is cut off: refused, reset or empty, as the moment has it."""
    return "net::ERR_" in problem


def contest() -> list[dict[str, Any]]:
    """The scores of a real contest, in order."""
    with (DATA / "contest-harbin.events.ndjson").open() as events:
        told = [json.loads(line) for line in events]
    return [{"player": one["player"], "name": one["name"], "score": [one["solved"], one["penalty"]]} for one in told]
