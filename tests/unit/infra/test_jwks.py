from __future__ import annotations

import asyncio
import base64
import gzip
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import structlog

from infra.jwks import KeySet
from realtime.core.errors import SettingInvalid, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATIENCE = 20.0
"""Seconds for a fetch: on a busy machine the certificates alone take some of them."""


class Clock:
    """Monotonic seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Origin:
    """An issuer on the loopback: answers each request with `head` and `body`, once `open` is set.

    With a `declared` length it never finishes: a byte trickles in now and then, until the client goes.
    """

    def __init__(self) -> None:
        self.url = ""
        self.head = "200 OK"
        self.body = b""
        self.declared: int | None = None
        self.requests = 0
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    def publish(self, *kids: str) -> None:
        self.body = orjson.dumps({"keys": [jwk(kid) for kid in kids]})

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            self.asked.set()
            await self.open.wait()
            length = len(self.body) if self.declared is None else self.declared
            writer.write(f"HTTP/1.1 {self.head}\r\ncontent-length: {length}\r\n\r\n".encode() + self.body)
            await writer.drain()
            while self.declared is not None and not reader.at_eof():
                writer.write(b" ")
                await writer.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.02)
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(origin: Origin, port: int = 0) -> AsyncIterator[None]:
    server = await asyncio.start_server(origin.answer, "127.0.0.1", port)
    origin.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks.json"
    try:
        yield
    finally:
        origin.open.set()
        server.close()
        await server.wait_closed()


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    made = Origin()
    made.publish("one")
    async with serving(made):
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


def jwk(kid: str, **changed: Any) -> dict[str, Any]:
    modulus = base64.urlsafe_b64encode(b"\xc1" * 256).rstrip(b"=").decode()
    return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": modulus, "e": "AQAB"} | changed


async def test_a_key_is_fetched_once_and_then_served_from_memory(origin: Origin, clock: Clock) -> None:
    keys = KeySet(origin.url, timeout=PATIENCE, clock=clock)
    first = await keys.key("one")
    assert first["kid"] == "one"
    assert await keys.key("one") is first
    assert origin.requests == 1


async def test_callers_that_come_together_share_one_fetch(origin: Origin, clock: Clock) -> None:
    keys = KeySet(origin.url, timeout=PATIENCE, clock=clock)
    found = await asyncio.gather(*(keys.key("one") for _ in range(100)))
    assert {key["kid"] for key in found} == {"one"}
    assert origin.requests == 1


async def test_a_file_is_read_like_an_address(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "the keys.json"
    path.write_bytes(orjson.dumps({"keys": [jwk("one")]}))
    keys = KeySet(path.as_uri(), timeout=PATIENCE, clock=clock)
    assert (await keys.key("one"))["kid"] == "one"
    path.write_bytes(orjson.dumps({"keys": [jwk("two"), jwk("one")]}))
    clock.now += 5
    assert (await keys.key("two"))["kid"] == "two"


async def test_a_rotation_is_picked_up_without_a_restart(origin: Origin, clock: Clock) -> None:
    keys = KeySet(origin.url, timeout=PATIENCE, refetch_interval=5, clock=clock)
    await keys.key("one")
    origin.publish("two", "one")
    clock.now += 5
    assert (await keys.key("two"))["kid"] == "two"
    assert (await keys.key("one"))["kid"] == "one"
    assert origin.requests == 2


async def test_a_flood_of_unknown_keys_asks_the_issuer_once_an_interval(origin: Origin, clock: Clock) -> None:
    keys = KeySet(origin.url, timeout=PATIENCE, refetch_interval=5, clock=clock)
    await keys.key("one")
    for round_ in range(3):
        clock.now += 5
        for _ in range(2):
            flood = [keys.key(f"forged-{number}") for number in range(300)]
            refused = await asyncio.gather(*flood, return_exceptions=True)
            assert {type(error) for error in refused} == {Unauthenticated}
            clock.now += 2
        clock.now -= 4
        assert origin.requests == 2 + round_


async def test_a_known_key_does_not_wait_for_the_fetch_of_an_unknown_one(origin: Origin, clock: Clock) -> None:
    keys = KeySet(origin.url, timeout=PATIENCE, refetch_interval=5, clock=clock)
    await keys.key("one")
    clock.now += 5
    origin.open.clear()
    origin.asked.clear()
    waiting = asyncio.create_task(keys.key("forged"))
    await origin.asked.wait()
    assert (await keys.key("one"))["kid"] == "one"
    assert not waiting.done()
    origin.open.set()
    with pytest.raises(Unauthenticated):
        await waiting


async def test_one_who_gives_up_does_not_end_the_fetch_of_the_others(origin: Origin, clock: Clock) -> None:
    keys = KeySet(origin.url, timeout=PATIENCE, clock=clock)
    origin.open.clear()
    first, second = (asyncio.create_task(keys.key("one")) for _ in range(2))
    await origin.asked.wait()
    first.cancel()
    await asyncio.wait([first])
    origin.open.set()
    assert (await second)["kid"] == "one"
    assert first.cancelled()
    assert origin.requests == 1


async def test_while_the_issuer_is_down_cached_keys_serve_on(clock: Clock) -> None:
    origin = Origin()
    origin.publish("one")
    async with serving(origin):
        keys = KeySet(origin.url, timeout=PATIENCE, refetch_interval=5, max_age=60, clock=clock)
        await keys.key("one")
    clock.now += 1000
    with pytest.raises(Unauthenticated):
        await keys.key("two")
    assert (await keys.key("one"))["kid"] == "one"
    await keys.aclose()


async def test_before_the_first_fetch_succeeds_the_service_is_unavailable_and_then_recovers(clock: Clock) -> None:
    origin = Origin()
    origin.publish("one")
    async with serving(origin):
        port = int(origin.url.split(":")[2].split("/")[0])
    keys = KeySet(origin.url, timeout=PATIENCE, refetch_interval=5, clock=clock)
    with pytest.raises(Unavailable):
        await keys.key("one")
    async with serving(origin, port):
        with pytest.raises(Unavailable):
            await keys.key("one")
        assert origin.requests == 0
        clock.now += 5
        assert (await keys.key("one"))["kid"] == "one"


@pytest.mark.parametrize(
    ("head", "body"),
    [
        pytest.param("200 OK", b"<html>", id="no JSON"),
        pytest.param("200 OK", b"[]", id="no object"),
        pytest.param("200 OK", b'{"keys": {}}', id="no list"),
        pytest.param("200 OK", b'{"keys": []}', id="no keys"),
        pytest.param("200 OK", orjson.dumps({"keys": [1, None, {}, jwk("one", kty="EC")]}), id="no RSA key"),
        pytest.param("500 Internal Server Error", orjson.dumps({"keys": [jwk("one")]}), id="an error"),
        pytest.param("302 Found\r\nlocation: /other", orjson.dumps({"keys": [jwk("one")]}), id="a redirect"),
        pytest.param("200 OK", orjson.dumps({"keys": [jwk("one")], "x": "x" * 65_536}), id="too long"),
        pytest.param(
            "200 OK\r\ncontent-encoding: gzip",
            gzip.compress(orjson.dumps({"keys": [jwk("one")]})),
            id="compressed unasked",
        ),
    ],
)
async def test_an_answer_that_is_no_key_set_is_not_taken_and_replaces_nothing(
    origin: Origin, clock: Clock, head: str, body: bytes
) -> None:
    good = origin.body
    origin.head, origin.body = head, body
    keys = KeySet(origin.url, timeout=PATIENCE, refetch_interval=5, clock=clock)
    with pytest.raises(Unavailable):
        await keys.key("one")
    origin.head, origin.body = "200 OK", good
    clock.now += 5
    kept = await keys.key("one")
    origin.head, origin.body = head, body
    clock.now += 5
    with pytest.raises(Unauthenticated):
        await keys.key("two")
    assert await keys.key("one") is kept
    assert origin.requests == 3


async def test_a_long_file_is_not_read_to_its_end(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(orjson.dumps({"keys": [jwk("one")]}) + b" " * 65_536)
    with pytest.raises(Unavailable):
        await KeySet(path.as_uri(), timeout=PATIENCE, clock=clock).key("one")


async def test_a_missing_file_makes_the_service_unavailable(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(Unavailable):
        await KeySet((tmp_path / "none.json").as_uri(), clock=clock).key("one")


async def test_an_issuer_that_trickles_its_answer_without_end_is_given_up(
    origin: Origin, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = structlog.testing.LogCapture()
    logger = structlog.wrap_logger(None, processors=[lines], wrapper_class=structlog.BoundLogger)
    monkeypatch.setattr("infra.jwks.log", logger)
    origin.declared = 10_000
    keys = KeySet(origin.url, timeout=0.1, clock=clock)
    with pytest.raises(Unavailable):
        await keys.key("one")
    assert [(line["log_level"], line["url"], line["reason"]) for line in lines.entries] == [
        ("warning", origin.url, "TimeoutError")
    ]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"alg": "RS512"}, id="another algorithm"),
        pytest.param({"use": "enc"}, id="for encryption"),
        pytest.param({"kty": "oct", "k": "c2VjcmV0"}, id="a shared secret"),
        pytest.param({"n": "wc" * 85}, id="1,024 bits"),
        pytest.param({"n": "wc" * 1000}, id="16,000 bits"),
        pytest.param({"n": "!!" * 200}, id="no base64"),
        pytest.param({"n": None}, id="no modulus"),
        pytest.param({"e": 65537}, id="an exponent that is no text"),
        pytest.param({"kid": 2}, id="a key id that is no text"),
    ],
)
async def test_a_key_that_cannot_check_rs256_is_left_out_and_its_neighbours_stay(
    origin: Origin, clock: Clock, changed: dict[str, Any]
) -> None:
    origin.body = orjson.dumps({"keys": [jwk("two") | changed, jwk("one")]})
    keys = KeySet(origin.url, timeout=PATIENCE, clock=clock)
    with pytest.raises(Unauthenticated):
        await keys.key("two")
    assert (await keys.key("one"))["kid"] == "one"


async def test_private_parts_that_an_issuer_publishes_by_mistake_are_dropped(origin: Origin, clock: Clock) -> None:
    origin.body = orjson.dumps({"keys": [jwk("one", d="AQAB", p="AQAB")]})
    assert set(await KeySet(origin.url, timeout=PATIENCE, clock=clock).key("one")) == {"kty", "alg", "kid", "n", "e"}


async def test_a_key_that_the_issuer_withdraws_ends_after_the_age_without_making_anybody_wait(
    origin: Origin, clock: Clock
) -> None:
    keys = KeySet(origin.url, timeout=PATIENCE, max_age=60, clock=clock)
    await keys.key("one")
    origin.publish("two")
    clock.now += 59
    await keys.key("one")
    assert origin.requests == 1
    clock.now += 1
    origin.open.clear()
    assert (await keys.key("one"))["kid"] == "one"
    fetch = keys._fetch
    assert fetch is not None
    origin.open.set()
    await asyncio.wait([fetch])
    with pytest.raises(Unauthenticated):
        await keys.key("one")
    assert origin.requests == 2


async def test_closing_ends_a_fetch_under_way(origin: Origin, clock: Clock) -> None:
    keys = KeySet(origin.url, timeout=PATIENCE, clock=clock)
    origin.open.clear()
    waiting = asyncio.create_task(keys.key("one"))
    await origin.asked.wait()
    await keys.aclose()
    with pytest.raises(Unavailable):
        await waiting
    await keys.aclose()


@pytest.mark.parametrize("url", ["", "jwks.json", "ftp://host/jwks.json", "http://", "https:///jwks.json", "http://[x"])
def test_an_address_of_another_kind_cannot_start(url: str) -> None:
    with pytest.raises(SettingInvalid, match="http, https or file"):
        KeySet(url)
