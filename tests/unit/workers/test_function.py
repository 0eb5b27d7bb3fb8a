from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from infra.settings import Settings
from realtime.core.errors import SettingInvalid, StoreUnavailable
from workers import function
from workers.function import Kept, seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# These are called as AWS calls a function: from outside any loop.
pytestmark = pytest.mark.usefixtures("environ")


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function, "configure", lambda: None)
    named = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1"}
    for name, value in (named | {"ISSUER": "https://issuer", "JWKS_URL": "file:///nowhere"}).items():
        monkeypatch.setenv(f"RANKCAST_{name}", value)


class Opened:
    """Parts that count how often they were opened and closed."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0
        self.fail = 0

    @asynccontextmanager
    async def open(self, settings: Settings) -> AsyncIterator[Settings]:
        if self.fail:
            self.fail -= 1
            raise StoreUnavailable("away")
        self.opened += 1
        yield settings
        self.closed += 1


async def address(settings: Settings) -> str:
    return settings.redis_url


def test_what_the_first_invocation_opened_the_next_ones_find_open() -> None:
    parts = Opened()
    kept = Kept(parts.open)
    assert [kept.run(address) for _ in range(3)] == ["redis://127.0.0.1:1"] * 3
    assert (parts.opened, parts.closed) == (1, 0)
    kept.close()
    assert (parts.opened, parts.closed) == (1, 1)
    kept.close()


def test_what_did_not_open_is_opened_by_the_next_invocation() -> None:
    parts = Opened()
    parts.fail = 2
    kept = Kept(parts.open)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            kept.run(address)
    assert kept.run(address) == "redis://127.0.0.1:1"
    kept.close()


def test_what_the_work_raises_is_told_and_the_parts_stay() -> None:
    async def fail(_: Settings) -> None:
        raise ZeroDivisionError

    parts = Opened()
    kept = Kept(parts.open)
    with pytest.raises(ZeroDivisionError):
        kept.run(fail)
    kept.run(address)
    assert parts.opened == 1
    kept.close()


def test_nothing_is_opened_or_read_before_the_first_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANKCAST_DATABASE_URL")
    kept = Kept(Opened().open)
    with pytest.raises(SettingInvalid, match="RANKCAST_DATABASE_URL"):
        kept.run(address)
    kept.close()


def test_functions_without_a_queue_do_not_start() -> None:
    kept = Kept(function.functions)

    async def nothing(_: object) -> None:
        raise AssertionError

    with pytest.raises(SettingInvalid, match="RANKCAST_QUEUE_URL"):
        kept.run(nothing)
    kept.close()


class Left:
    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


@pytest.mark.parametrize(("left", "work"), [(60_000, 55.0), (900_000, 895.0), (8000, 4.0), (1000, 0.5)])
def test_some_of_the_time_is_kept_for_what_comes_after_the_work(left: int, work: float) -> None:
    assert seconds(Left(left)) == work


def test_by_hand_there_is_a_minute() -> None:
    assert seconds(None) == 60
