from __future__ import annotations

import asyncio
import bisect
from typing import TYPE_CHECKING

import orjson
import pytest

from infra.identity_jwt import JwtIdentity, rules_of
from infra.jwks import KeySet
from infra.local.issuer import LocalIssuer
from infra.settings import Settings
from realtime.core.errors import SettingInvalid, Unauthenticated, Unavailable
from realtime.core.identity import Identity, IdentityRules, Role
from tests.forger import KEYED, UNKEYED, Forger, tampered

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000
PATIENCE = 20.0
"""Seconds for a fetch: on a busy machine the certificates alone take some of them."""


class Clock:
    """Unix seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def forger(tmp_path_factory: pytest.TempPathFactory) -> Forger:
    return Forger(tmp_path_factory.mktemp("issuer"), lambda: NOW)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rules(forger: Forger) -> IdentityRules:
    return rules_of(Settings(database_url="", redis_url="", issuer=forger.issuer.issuer, jwks_url=""))


@pytest.fixture
def identity(forger: Forger, rules: IdentityRules, clock: Clock) -> JwtIdentity:
    return JwtIdentity(KeySet(forger.issuer.jwks_url, timeout=PATIENCE), rules, clock=clock)


async def test_a_token_of_the_issuer_makes_its_principal(forger: Forger, identity: JwtIdentity) -> None:
    port: Identity = identity
    found = await port.verify(forger.good())
    assert (found.subject, found.client_id, found.role, found.expires_at) == (
        "E10",
        "rankcast",
        Role.PLAYER,
        NOW + 3600,
    )
    assert (await port.verify(forger.issuer.token("server"))).role is Role.SERVER
    assert (await port.verify(forger.issuer.token("admin"))).role is Role.ADMIN


class Untouchable(KeySet):
    """Keys that nobody may ask for."""

    async def key(self, kid: str) -> dict[str, str]:
        raise AssertionError(f"a key was asked for: {kid}")


@pytest.mark.parametrize("case", UNKEYED)
async def test_a_token_of_a_wrong_form_or_algorithm_is_refused_before_any_key_is_touched(
    forger: Forger, rules: IdentityRules, clock: Clock, case: str
) -> None:
    identity = JwtIdentity(Untouchable(forger.issuer.jwks_url), rules, clock=clock)
    with pytest.raises(Unauthenticated):
        await identity.verify(UNKEYED[case](forger))


@pytest.mark.parametrize("case", UNKEYED | KEYED)
async def test_every_refusal_is_the_same_problem_remembers_nothing_and_says_nothing_of_keys(
    forger: Forger, identity: JwtIdentity, case: str
) -> None:
    await identity.verify(forger.good())
    token = (UNKEYED | KEYED)[case](forger)
    for _ in range(2):
        with pytest.raises(Unauthenticated) as refusal:
            await identity.verify(token)
        assert type(refusal.value) is Unauthenticated
        message = str(refusal.value)
        assert not any(part in message for part in token.split(".") if part)
        assert forger.public["n"] not in message
        assert "\n" not in message
    assert identity.known(token) is None


async def test_a_token_at_the_size_limit_is_taken_and_one_above_it_is_not(
    forger: Forger, identity: JwtIdentity
) -> None:
    def sized(padding: int) -> str:
        # The padding is in a group name: base64 makes four characters of three.
        return forger.signed(**{"cognito:groups": ["x" * padding]})

    above = range(6000)[bisect.bisect_right(range(6000), 8192, key=lambda size: len(sized(size)))]
    assert len(sized(above - 1)) >= 8190
    assert (await identity.verify(sized(above - 1))).subject == "E10"
    with pytest.raises(Unauthenticated, match="longer"):
        await identity.verify(sized(above))


async def test_what_was_verified_is_known_without_its_key(forger: Forger, identity: JwtIdentity) -> None:
    token = forger.good()
    assert identity.known(token) is None
    found = await identity.verify(token)
    identity._keys = Untouchable(forger.issuer.jwks_url)
    assert identity.known(token) is found
    assert await identity.verify(token) is found
    assert identity.known(tampered(token)) is None


async def test_a_known_token_ends_with_its_expiry_and_is_then_refused(
    forger: Forger, rules: IdentityRules, clock: Clock
) -> None:
    identity = JwtIdentity(KeySet(forger.issuer.jwks_url, timeout=PATIENCE), rules, recheck=10_000, clock=clock)
    token = forger.issuer.token("player", "E10", lifetime=60)
    await identity.verify(token)
    clock.now = NOW + 59.9
    assert identity.known(token) is not None
    clock.now = NOW + 60
    assert identity.known(token) is None
    assert len(identity._verified) == 0
    # Clocks differ: for the leeway it is still taken, and verified each time.
    assert (await identity.verify(token)).subject == "E10"
    assert len(identity._verified) == 0
    clock.now = NOW + 90
    with pytest.raises(Unauthenticated, match="expired"):
        await identity.verify(token)


async def test_no_more_tokens_are_remembered_than_the_limit_and_the_least_used_go_first(
    forger: Forger, rules: IdentityRules, clock: Clock
) -> None:
    identity = JwtIdentity(KeySet(forger.issuer.jwks_url, timeout=PATIENCE), rules, limit=3, clock=clock)
    tokens = [forger.good(f"E{number}") for number in range(5)]
    for token in tokens[:3]:
        await identity.verify(token)
    assert identity.known(tokens[0]) is not None
    for token in tokens[3:]:
        await identity.verify(token)
    assert [identity.known(token) is not None for token in tokens] == [True, False, False, True, True]


async def test_a_token_is_verified_anew_after_the_recheck_so_that_a_withdrawn_key_ends_it(
    tmp_path: Path, rules: IdentityRules, clock: Clock
) -> None:
    forger = Forger(tmp_path, lambda: NOW)
    identity = JwtIdentity(
        KeySet(forger.issuer.jwks_url, timeout=PATIENCE, refetch_interval=0, max_age=0, clock=clock),
        rules,
        recheck=100,
        clock=clock,
    )
    token = forger.good()
    await identity.verify(token)
    (tmp_path / "jwks.json").unlink()
    (tmp_path / "key.pem").unlink()
    LocalIssuer(tmp_path)
    clock.now += 99
    assert identity.known(token) is not None
    clock.now += 1
    # The first to come is still served with the old keys and starts the fetch; the next is not.
    await identity.verify(token)
    fetch = identity._keys._fetch
    assert fetch is not None
    await asyncio.wait([fetch])
    clock.now += 100
    with pytest.raises(Unauthenticated, match="does not have"):
        await identity.verify(token)


async def test_a_rotation_of_the_issuer_behind_http_is_followed_without_a_restart(
    tmp_path: Path, rules: IdentityRules, clock: Clock
) -> None:
    forger = Forger(tmp_path, lambda: NOW)
    requests = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += 1
        await reader.readuntil(b"\r\n\r\n")
        body = (tmp_path / "jwks.json").read_bytes()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/.well-known/jwks.json"
        identity = JwtIdentity(KeySet(url, timeout=PATIENCE, refetch_interval=5, clock=clock), rules, clock=clock)
        old = forger.good("E1")
        assert (await identity.verify(old)).subject == "E1"
        forger.issuer.rotate()
        new = forger.good("E2")
        with pytest.raises(Unauthenticated):
            await identity.verify(new)
        clock.now += 5
        assert (await identity.verify(new)).subject == "E2"
        assert (await identity.verify(forger.signed(sub="E3"))).subject == "E3"
        assert requests == 2
        await identity.aclose()


async def test_while_no_key_was_ever_had_a_good_token_is_not_called_bad(
    tmp_path: Path, forger: Forger, rules: IdentityRules, clock: Clock
) -> None:
    identity = JwtIdentity(KeySet((tmp_path / "none.json").as_uri()), rules, clock=clock)
    with pytest.raises(Unavailable):
        await identity.verify(forger.good())


async def test_a_published_key_that_is_none_refuses_its_tokens_only(
    tmp_path: Path, forger: Forger, rules: IdentityRules, clock: Clock
) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(orjson.dumps({"keys": [forger.public | {"kid": "broken", "e": "AA"}, forger.public]}))
    identity = JwtIdentity(KeySet(path.as_uri(), timeout=PATIENCE), rules, clock=clock)
    with pytest.raises(Unauthenticated, match="cannot be used"):
        await identity.verify(forger.signed({"kid": "broken"}))
    assert (await identity.verify(forger.good())).subject == "E10"


async def test_the_settings_alone_make_an_identity(tmp_path: Path) -> None:
    issuer = LocalIssuer(tmp_path)
    settings = Settings(database_url="", redis_url="", issuer=issuer.issuer, jwks_url=issuer.jwks_url)
    identity = JwtIdentity.from_settings(settings)
    assert (await identity.verify(issuer.token("admin"))).role is Role.ADMIN
    await identity.aclose()


def test_settings_with_a_wrong_address_make_none() -> None:
    settings = Settings(database_url="", redis_url="", issuer="x", jwks_url="jwks.json")
    with pytest.raises(SettingInvalid):
        JwtIdentity.from_settings(settings)
