from __future__ import annotations

import asyncio
import base64
import bisect
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from jose import jws

from infra.identity_jwt import JwtIdentity, rules_of
from infra.jwks import KeySet
from infra.local.issuer import LocalIssuer
from infra.settings import Settings
from realtime.core.errors import SettingInvalid, Unauthenticated, Unavailable
from realtime.core.identity import Identity, IdentityRules, Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = 1_800_000_000


class Clock:
    """Unix seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


class Forger:
    """Makes tokens the issuer would never make, some of them signed with its own key."""

    def __init__(self, folder: Path) -> None:
        self.issuer = LocalIssuer(folder, clock=lambda: NOW)
        self.folder = folder
        self.pem = (folder / "key.pem").read_text()
        self.public = orjson.loads((folder / "jwks.json").read_bytes())["keys"][0]

    def good(self, player: str = "E10") -> str:
        return self.issuer.token("player", player)

    def signed(self, header: dict[str, Any] | None = None, **changed: Any) -> str:
        claims = orjson.loads(unpacked(self.good())[1]) | changed
        return jws.sign(claims, self.pem, {"kid": self.public["kid"]} | (header or {}), "RS256")

    def raw(self, header: dict[str, Any], payload: bytes | None = None, signature: bytes = b"") -> str:
        good = unpacked(self.good())
        return packed(orjson.dumps(header), good[1] if payload is None else payload, signature)

    def hs256(self, secret: bytes) -> str:
        header = {"alg": "HS256", "typ": "JWT", "kid": self.public["kid"]}
        signed = self.raw(header).rpartition(".")[0]
        return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def packed(*parts: bytes) -> str:
    return ".".join(encoded(part) for part in parts)


def unpacked(token: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]


def tampered(token: str) -> str:
    header, payload, signature = unpacked(token)
    assert b"E10" in payload
    return packed(header, payload.replace(b"E10", b"E11"), signature)


def respelled(token: str) -> str:
    """Change unused bits of the last character only: it decodes to the same signature."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = token[:-1] + alphabet[alphabet.index(token[-1]) + 1]
    assert unpacked(other) == unpacked(token)
    return other


def stranger(forger: Forger, folder: Path) -> str:
    """A token signed by another issuer's key, under the name of ours."""
    other = Forger(folder)
    other.public = forger.public
    return other.signed()


@pytest.fixture(scope="module")
def forger(tmp_path_factory: pytest.TempPathFactory) -> Forger:
    return Forger(tmp_path_factory.mktemp("issuer"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rules(forger: Forger) -> IdentityRules:
    return rules_of(Settings(database_url="", redis_url="", issuer=forger.issuer.issuer, jwks_url=""))


@pytest.fixture
def identity(forger: Forger, rules: IdentityRules, clock: Clock) -> JwtIdentity:
    return JwtIdentity(KeySet(forger.issuer.jwks_url), rules, clock=clock)


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


# Refused on the header alone, or on the form: no key may be touched for these.
UNKEYED: dict[str, Callable[[Forger], str]] = {
    "nothing": lambda _: "",
    "no token": lambda _: "hello",
    "two parts": lambda f: f.good().rpartition(".")[0],
    "four parts": lambda f: f.good() + ".x",
    "an empty signature": lambda f: f.good().rpartition(".")[0] + ".",
    "spaces": lambda f: f" {f.good()} ",
    "a line end": lambda f: f.good() + "\n",
    "beyond ASCII": lambda f: f.good() + "é",
    "padding": lambda f: f.good() + "==",
    "a length that base64 does not have": lambda f: "A" + f.good(),
    "respelled": lambda f: respelled(f.good()),
    "oversized": lambda f: f.signed(padding="x" * 8192),
    "alg none": lambda f: f.raw({"alg": "none", "kid": f.public["kid"]}, signature=b"x"),
    "alg None": lambda f: f.raw({"alg": "None", "kid": f.public["kid"]}, signature=b"x"),
    "no alg": lambda f: f.raw({"kid": f.public["kid"]}, signature=b"x"),
    "alg as a list": lambda f: f.raw({"alg": ["RS256"], "kid": f.public["kid"]}, signature=b"x"),
    "HS256 with the public modulus": lambda f: f.hs256(f.public["n"].encode()),
    "HS256 with the public JWK": lambda f: f.hs256(orjson.dumps(f.public)),
    "RS512 with the right key": lambda f: jws.sign({}, f.pem, {"kid": f.public["kid"]}, "RS512"),
    "no kid": lambda f: f.signed({"kid": None}),
    "an empty kid": lambda f: f.signed({"kid": ""}),
    "kid as a number": lambda f: f.signed({"kid": 1}),
    "an over-long kid": lambda f: f.signed({"kid": "k" * 257}),
    "a critical extension": lambda f: f.signed({"crit": ["b64"], "b64": False}),
    "a header that is a list": lambda f: packed(b"[]", unpacked(f.good())[1], b"x"),
    "a header that is no JSON": lambda f: packed(b"{", unpacked(f.good())[1], b"x"),
}

KEYED: dict[str, Callable[[Forger], str]] = {
    "expired": lambda f: f.issuer.token("player", "E10", lifetime=-31),
    "not yet valid": lambda f: f.signed(nbf=NOW + 31),
    "issued in the future": lambda f: f.signed(iat=NOW + 31),
    "wrong issuer": lambda f: f.signed(iss="https://elsewhere.test"),
    "an id token": lambda f: f.signed(token_use="id", aud="rankcast"),
    "wrong client": lambda f: f.signed(client_id="other"),
    "no scope": lambda f: f.signed(scope="openid"),
    "a bad player id": lambda f: f.signed(sub="../etc"),
    "unknown kid": lambda f: f.signed({"kid": "unknown"}),
    "an own key in the header": lambda f: f.signed({"kid": "unknown", "jwk": f.public, "jku": f.issuer.jwks_url}),
    "a truncated signature": lambda f: f.good()[:-4],
    "tampered payload": lambda f: tampered(f.good()),
    "tampered header": lambda f: packed(
        orjson.dumps({"alg": "RS256", "kid": f.public["kid"], "x": 1}), *unpacked(f.good())[1:]
    ),
    "another token's signature": lambda f: ".".join([*f.good().split(".")[:2], f.good("E11").split(".")[2]]),
    "signed by a stranger": lambda f: stranger(f, f.folder / "stranger"),
    "a signature of zeros": lambda f: packed(*unpacked(f.good())[:2], bytes(256)),
    "claims that are a list": lambda f: jws.sign(b"[]", f.pem, {"kid": f.public["kid"]}, "RS256"),  # type: ignore[arg-type]
    "claims that are no JSON": lambda f: jws.sign(b"{", f.pem, {"kid": f.public["kid"]}, "RS256"),
    "an expiry that is not a number": lambda f: jws.sign(b'{"exp": NaN}', f.pem, {"kid": f.public["kid"]}, "RS256"),
}


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
    identity = JwtIdentity(KeySet(forger.issuer.jwks_url), rules, recheck=10_000, clock=clock)
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
    identity = JwtIdentity(KeySet(forger.issuer.jwks_url), rules, limit=3, clock=clock)
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
    forger = Forger(tmp_path)
    identity = JwtIdentity(
        KeySet(forger.issuer.jwks_url, refetch_interval=0, max_age=0, clock=clock), rules, recheck=100, clock=clock
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
    forger = Forger(tmp_path)
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
        identity = JwtIdentity(KeySet(url, refetch_interval=5, clock=clock), rules, clock=clock)
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
    identity = JwtIdentity(KeySet(path.as_uri()), rules, clock=clock)
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
