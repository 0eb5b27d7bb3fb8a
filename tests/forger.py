"""Tokens that no node may take, made with the issuer's own key where that is what it takes: one table for every way in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from jose import jws

from infra.local.issuer import LocalIssuer


class Forger:
    """Makes tokens the issuer would never make, some of them signed with its own key."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time, beyond: int = 31) -> None:
        """`beyond`: by how many seconds a token's times miss what is allowed; with a clock that runs, more than a test takes."""
        self.issuer = LocalIssuer(folder, clock=clock)
        self.clock = clock
        self.beyond = beyond
        self.folder = folder
        self.pem = (folder / "key.pem").read_text()
        self.public = orjson.loads((folder / "jwks.json").read_bytes())["keys"][0]

    @property
    def now(self) -> int:
        return int(self.clock())

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
    other = Forger(folder, forger.clock, forger.beyond)
    other.public = forger.public
    return other.signed()


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
    "expired": lambda f: f.issuer.token("player", "E10", lifetime=-f.beyond),
    "not yet valid": lambda f: f.signed(nbf=f.now + f.beyond),
    "issued in the future": lambda f: f.signed(iat=f.now + f.beyond),
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
