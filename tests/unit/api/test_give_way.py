from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from api.give_way import GiveWay


class Asked:
    """An application that notes how many requests were being answered when it was asked."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.fanout = SimpleNamespace(requests=0)
        self.seen: list[int] = []

    async def __call__(self, *_: Any) -> None:
        self.seen.append(self.fanout.requests)
        if self.fails:
            raise RuntimeError

    def scope(self, kind: str, path: str) -> dict[str, Any]:
        service = SimpleNamespace(hub=SimpleNamespace(shell=SimpleNamespace(fanout=self.fanout)))
        return {"type": kind, "path": path, "app": SimpleNamespace(state=SimpleNamespace(service=service))}


async def ask(app: Asked, kind: str = "http", path: str = "/v1/boards/b/top") -> None:
    await GiveWay(app)(app.scope(kind, path), None, None)  # type: ignore[arg-type]


async def test_a_request_counts_while_it_is_answered() -> None:
    app = Asked()
    await ask(app)
    assert (app.seen, app.fanout.requests) == ([1], 0)


async def test_one_that_fails_does_not_count_for_ever() -> None:
    app = Asked(fails=True)
    with pytest.raises(RuntimeError):
        await ask(app)
    assert app.fanout.requests == 0


@pytest.mark.parametrize(("kind", "path"), [("websocket", "/v1/live"), ("lifespan", ""), ("http", "/v1/boards/b/live")])
async def test_what_has_no_end_is_not_given_way_to(kind: str, path: str) -> None:
    app = Asked()
    await ask(app, kind, path)
    assert app.seen == [0]
