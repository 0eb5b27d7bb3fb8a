from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from realtime.core.errors import PicturesUnavailable, SettingInvalid
from workers import function, pictures

if TYPE_CHECKING:
    from collections.abc import Callable

    from realtime.core.pictures import Upload

DIGEST = "ab" * 32
AT = 1_764_100_000_123


class Studio:
    def __init__(self) -> None:
        self.taken: list[Upload] = []
        self.traces: list[str | None] = []
        self.away = False

    async def take(self, upload: Upload, trace: str | None) -> bool:
        if self.away:
            raise PicturesUnavailable("away")
        self.traces.append(trace)
        self.taken.append(upload)
        return upload.player != "bob"


class Relay:
    def __init__(self) -> None:
        self.drained: list[float] = []

    async def drain(self, seconds: float) -> int:
        self.drained.append(seconds)
        return 1


class Parts:
    def __init__(self) -> None:
        self.studio: Any = Studio()
        self.relay: Any = Relay()
        self.tracing: Any = None


def event(*keys: str) -> dict[str, Any]:
    return {"Records": [{"s3": {"object": {"key": key}}} for key in keys]}


def key(player: str) -> str:
    return f"uploads/{player}/{AT}-{DIGEST}"


async def test_every_upload_of_an_event_is_taken_and_what_came_of_it_sent() -> None:
    parts: Any = Parts()
    answer = await pictures._take(parts, event(key("ann"), key("bob"), key("cid")), 9.0)
    assert answer == {"shown": 2}
    assert [upload.player for upload in parts.studio.taken] == ["ann", "bob", "cid"]
    assert parts.relay.drained == [9.0]


async def test_keys_are_read_as_s3_writes_them_and_what_is_none_of_ours_is_passed_over() -> None:
    parts: Any = Parts()
    keys = ("uploads/a+b/x", "uploads%2Fann%2F" + f"{AT}-{DIGEST}", "else", "uploads/../" + f"{AT}-{DIGEST}")
    await pictures._take(parts, event(*keys), 9.0)
    assert [upload.key for upload in parts.studio.taken] == [key("ann")]


async def test_an_event_that_tells_of_nothing_is_nothing() -> None:
    parts: Any = Parts()
    assert await pictures._take(parts, {"Event": "s3:TestEvent"}, 9.0) == {"shown": 0}


async def test_an_upload_is_looked_at_in_the_trace_of_this_invocation_which_is_sent_before_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Tracing:
        flushed = 0

        def flush(self) -> None:
            self.flushed += 1

    async def here(act: Callable[[], None]) -> None:
        act()

    # Time is turned on here as soon as everything waits, and it does not see threads.
    monkeypatch.setattr("workers.pictures.asyncio.to_thread", here)
    parts: Any = Parts()
    parts.tracing = Tracing()
    for trace in ("Root=1-a", "Root=1-b"):
        monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
        await pictures._take(parts, event(key("ann")), 9.0)
    assert parts.studio.traces == ["Root=1-a", "Root=1-b"]
    assert parts.tracing.flushed == 2
    parts.studio.away = True
    with pytest.raises(PicturesUnavailable):
        await pictures._take(parts, event(key("ann")), 9.0)
    assert parts.tracing.flushed == 3


async def test_what_is_away_fails_the_invocation_which_comes_again() -> None:
    parts: Any = Parts()
    parts.studio.away = True
    with pytest.raises(PicturesUnavailable):
        await pictures._take(parts, event(key("ann")), 9.0)


def test_without_a_bucket_the_function_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function, "configure", lambda: None)
    for name in ("DATABASE_URL", "REDIS_URL", "ISSUER", "JWKS_URL"):
        monkeypatch.setenv(f"RANKCAST_{name}", "x")
    try:
        with pytest.raises(SettingInvalid, match="PICTURES_BUCKET"):
            pictures.handler(event(key("ann")), None)
    finally:
        pictures.KEPT.close()
