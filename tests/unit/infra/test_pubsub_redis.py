"""The listening connection against a Redis that the test plays."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis.exceptions import ConnectionError as RedisConnectionError

from infra import pubsub_redis
from infra.client_redis import BoundedRedis
from infra.local.valkey import EmbeddedValkey
from infra.pubsub_redis import PubSub
from tests.harness import free_port
from tests.unit.infra.played_redis import PlayedRedis, playing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

GREETING = [("PING",), ("CLIENT", "SETNAME", "rankcast-bus")]


class Told:
    """What a connection told."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue()
        self.confirmed: asyncio.Queue[bytes] = asyncio.Queue()

    async def next(self) -> tuple[bytes, bytes]:
        async with asyncio.timeout(5):
            return await self.heard.get()

    async def next_confirmed(self) -> bytes:
        async with asyncio.timeout(5):
            return await self.confirmed.get()


@asynccontextmanager
async def connected(url: str, told: Told, patience: float = 5.0) -> AsyncIterator[PubSub]:
    redis = BoundedRedis(url, seconds=5.0)
    connection = None
    try:
        async with asyncio.timeout(10):
            connection = await PubSub.open(
                redis, lambda channel, data: told.heard.put_nowait((channel, data)), told.confirmed.put_nowait, patience
            )
        yield connection
    finally:
        if connection is not None:
            connection.close()
        await redis.aclose()


async def refused(url: str) -> str:
    with pytest.raises((RedisConnectionError, OSError)) as refusal:
        async with connected(url, Told()):
            pass
    return str(refusal.value)


async def ended(connection: PubSub) -> str:
    with pytest.raises((RedisConnectionError, OSError)) as end:
        async with asyncio.timeout(5):
            await connection.lost()
    return str(end.value)


@pytest.fixture
async def redis() -> AsyncIterator[PlayedRedis]:
    async with playing() as played:
        yield played


# -- what it says of itself -------------------------------------------------------------------------------------------


async def test_it_asks_whether_the_server_is_there_and_gives_its_name(redis: PlayedRedis) -> None:
    async with connected(redis.url, Told()):
        assert (await redis.next()).asked == GREETING


async def test_it_comes_as_the_user_and_to_the_database_of_the_address(redis: PlayedRedis) -> None:
    host = redis.url.removeprefix("redis://")
    async with connected(f"redis://ann:s%40cret@{host}/3?client_name=mine", Told()):
        asked = (await redis.next()).asked
    assert asked == [("AUTH", "ann", "s@cret"), ("SELECT", "3"), ("PING",), ("CLIENT", "SETNAME", "mine")]


async def test_it_comes_with_a_password_alone(redis: PlayedRedis) -> None:
    async with connected(redis.url.replace("redis://", "redis://:secret@"), Told()):
        assert (await redis.next()).asked[0] == ("AUTH", "secret")


@pytest.mark.parametrize("command", ["AUTH", "SELECT", "PING"])
async def test_a_server_that_would_not_have_it_is_refused(redis: PlayedRedis, command: str) -> None:
    redis.answers[command] = b"-NO not you\r\n"
    host = redis.url.removeprefix("redis://")
    assert f"{command}: NO not you" in await refused(f"redis://:secret@{host}/3")


async def test_who_may_not_give_a_name_goes_without(redis: PlayedRedis) -> None:
    redis.answers["CLIENT"] = b"-NOPERM no names\r\n"
    async with connected(redis.url, Told()):
        pass


async def test_a_server_that_hangs_up_on_the_greeting_is_refused(redis: PlayedRedis) -> None:
    redis.answers.clear()
    refusing = asyncio.create_task(refused(redis.url))
    (await redis.next()).hang_up()
    await refusing


async def test_a_server_that_is_not_there_is_no_connection() -> None:
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system says of it
        async with connected(f"redis://127.0.0.1:{free_port()}", Told()):
            pass


async def test_who_stops_waiting_for_the_greeting_leaves_no_connection(redis: PlayedRedis) -> None:
    redis.answers.clear()
    client = BoundedRedis(redis.url, seconds=5.0)
    opening = asyncio.create_task(PubSub.open(client, lambda *_: None, lambda _: None, 5.0))
    played = await redis.next()
    await played.until(*GREETING[-1])
    opening.cancel()
    await asyncio.wait([opening])
    assert opening.cancelled()
    async with asyncio.timeout(5):
        await played.gone.wait()
    await client.aclose()


async def test_it_reaches_a_server_on_a_unix_socket(tmp_path: Path) -> None:
    async with playing(path=tmp_path / "s") as redis, connected(f"{redis.url}?db=2", Told()):
        assert (await redis.next()).asked == [("SELECT", "2"), *GREETING]


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, secret


async def test_it_speaks_tls_with_whom_the_address_trusts_and_with_nobody_else(tmp_path: Path) -> None:
    chain, secret = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, secret)
    async with playing(secure=context) as redis:
        told = Told()
        async with connected(f"{redis.url}?ssl_ca_certs={chain}", told):
            played = await redis.next()
            played.say("message", b"c", b"over TLS")
            assert await told.next() == (b"c", b"over TLS")
        with pytest.raises(ssl.SSLCertVerificationError):
            async with connected(redis.url, Told()):
                pass


# -- hearing ----------------------------------------------------------------------------------------------------------


async def test_messages_are_told_however_they_are_cut_and_joined(redis: PlayedRedis) -> None:
    told = Told()
    async with connected(redis.url, told):
        played = await redis.next()
        for number in range(50):
            played.say("message", b"c%d" % number, b"\r\n$" * number)
        assert [await told.next() for _ in range(50)] == [(b"c%d" % n, b"\r\n$" * n) for n in range(50)]
        whole = b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n"
        for index in range(len(whole)):
            played.say_raw(whole[index : index + 1])
            await asyncio.sleep(0)
        assert await told.next() == (b"c", b"hello")


async def test_subscriptions_are_confirmed_one_by_one_and_the_rest_is_passed_over(redis: PlayedRedis) -> None:
    told = Told()
    async with connected(redis.url, told) as connection:
        played = await redis.next()
        connection.subscribe([b"one", b"two"])
        connection.unsubscribe(b"one")
        await played.until("SUBSCRIBE", "one", "two")
        await played.until("UNSUBSCRIBE", "one")
        played.say("subscribe", b"one")
        played.say("unsubscribe", b"one", 0)
        played.say("pong", b"", b"")
        played.say("subscribe", b"two")
        assert [await told.next_confirmed(), await told.next_confirmed()] == [b"one", b"two"]
        assert told.heard.empty()


# -- ending -----------------------------------------------------------------------------------------------------------


async def test_a_server_that_hangs_up_has_ended_it(redis: PlayedRedis) -> None:
    async with connected(redis.url, Told()) as connection:
        (await redis.next()).hang_up()
        await ended(connection)
        connection.subscribe([b"too late"])
        connection.unsubscribe(b"too late")


@pytest.mark.parametrize("said", [b"-NOPERM this channel\r\n", b"what?\r\n", b"HTTP/1.1 400 Bad Request\r\n"])
async def test_what_a_listening_connection_cannot_be_told_ends_it(redis: PlayedRedis, said: bytes) -> None:
    async with connected(redis.url, Told()) as connection:
        played = await redis.next()
        played.say_raw(said)
        await ended(connection)
        async with asyncio.timeout(5):
            await played.gone.wait()


async def test_what_a_listener_raises_ends_it_and_is_raised(redis: PlayedRedis) -> None:
    def fail(_channel: bytes, _data: bytes) -> None:
        raise ZeroDivisionError

    client = BoundedRedis(redis.url, seconds=5.0)
    connection = await PubSub.open(client, fail, lambda _: None, 5.0)
    (await redis.next()).say("message", b"c", b"word")
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(5):
            await connection.lost()
    await client.aclose()


async def test_a_message_without_end_is_given_up(redis: PlayedRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pubsub_redis, "UNREAD", 100_000)
    told = Told()
    async with connected(redis.url, told) as connection:
        played = await redis.next()
        played.say("message", b"c", b"x" * 90_000)
        assert len((await told.next())[1]) == 90_000
        played.say_raw(b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$9000000\r\n" + b"x" * 110_000)
        assert "100000 bytes" in await ended(connection)
    assert told.heard.empty()


async def test_a_server_that_takes_no_commands_is_given_up(redis: PlayedRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pubsub_redis, "UNSENT", 100_000)
    async with connected(redis.url, Told()) as connection:
        await redis.next()
        # Without a turn of the loop in between, nothing is taken beyond what the kernel holds.
        connection.subscribe([b"x" * 1000] * 20_000)
        assert "100000 bytes" in await ended(connection)


async def test_a_silent_server_is_asked_and_then_given_up(redis: PlayedRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pubsub_redis, "PING", 0.01)
    async with connected(redis.url, Told(), patience=0.05) as connection:
        played = await redis.next()
        played.answers.clear()
        assert "has said nothing" in await ended(connection)
        assert played.asked.count(("PING",)) >= 2


def time_is_over(connection: PubSub) -> None:
    """What the connection waits for by the clock comes now: by the clock a machine that stands still would be a silent server."""
    timer = connection._timer
    assert timer is not None
    timer._run()
    timer.cancel()
    assert connection._timer is not timer


async def test_a_server_that_answers_is_asked_again_and_kept(
    redis: PlayedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubsub_redis, "PING", 1000.0)
    told = Told()
    # Patience is over before the next question, as it is for good: each answer is looked for.
    async with connected(redis.url, told, patience=1000.0) as connection:
        played = await redis.next()
        played.answers["PING"] = b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"
        for times in range(2, 6):
            time_is_over(connection)
            await played.until("PING", times=times)
            while connection._silent:
                await asyncio.sleep(0)
            time_is_over(connection)
        played.say("message", b"c", b"still here")
        assert await told.next() == (b"c", b"still here")


async def test_a_real_server_frozen_in_the_middle_is_found_out(
    valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubsub_redis, "PING", 0.02)
    async with connected(valkey.url, Told(), patience=0.1) as connection:
        os.kill(valkey.pid, signal.SIGSTOP)
        try:
            assert "has said nothing" in await ended(connection)
        finally:
            os.kill(valkey.pid, signal.SIGCONT)
