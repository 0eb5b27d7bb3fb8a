"""The identity port over signed tokens (RFC 7519): access tokens of Cognito or of the local issuer, RS256 and nothing else."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from jose import jwk
from jose.exceptions import JOSEError
from jose.utils import base64url_decode, base64url_encode

from infra.jwks import KeySet
from realtime.core.errors import Unauthenticated
from realtime.core.identity import IdentityRules, Principal, principal_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jose.backends.base import Key

    from infra.settings import Settings

_ALGORITHM = "RS256"
_MAX_TOKEN = 8_192
_MAX_KID = 256
_PARTS = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


class JwtIdentity:
    """Verifies tokens against an issuer's keys and remembers the last `limit` that passed, each until it expires.

    recheck: seconds after which a remembered token is verified anew, so that a withdrawn key ends its tokens too.
    clock: Unix seconds.
    """

    def __init__(
        self,
        keys: KeySet,
        rules: IdentityRules,
        *,
        limit: int = 20_000,
        recheck: int = 600,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._rules = rules
        self._limit = limit
        self._recheck = recheck
        self._clock = clock
        self._verified: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    @classmethod
    def from_settings(cls, settings: Settings) -> JwtIdentity:
        """Make the identity that the settings describe. Raises SettingInvalid for a JWKS address that is no URL."""
        return cls(KeySet(settings.jwks_url), rules_of(settings))

    async def aclose(self) -> None:
        """Close the key set."""
        await self._keys.aclose()

    def known(self, token: str) -> Principal | None:
        """Answer for a token that `verify` took before, unless its time is over; never waits."""
        entry = self._verified.get(token)
        if entry is None:
            return None
        until, principal = entry
        if self._clock() >= until:
            del self._verified[token]
            return None
        self._verified.move_to_end(token)
        return principal

    async def verify(self, token: str) -> Principal:
        """Check form, algorithm, signature and claims. Waits only when the token's key has to be fetched.

        Raises Unauthenticated when the token is refused, whatever the reason; Unavailable while the issuer's keys
        were never had.
        """
        known = self.known(token)
        if known is not None:
            return known
        signed, payload, signature, kid = _taken_apart(token)
        public = await self._keys.key(kid)
        if not _prepared(public["n"], public["e"]).verify(signed, signature):
            raise Unauthenticated("the token's signature is wrong")
        now = self._clock()
        principal = principal_of(_json_object(payload), self._rules, int(now))
        self._remember(token, principal, now)
        return principal

    def _remember(self, token: str, principal: Principal, now: float) -> None:
        until = min(principal.expires_at, now + self._recheck)
        if until <= now:
            return
        self._verified[token] = (until, principal)
        while len(self._verified) > self._limit:
            self._verified.popitem(last=False)


def rules_of(settings: Settings) -> IdentityRules:
    """Return the rules that the settings state."""
    return IdentityRules(
        issuer=settings.issuer,
        client_ids=frozenset(settings.client_ids),
        player_scope=settings.player_scope,
        server_scope=settings.server_scope,
        admin_group=settings.admin_group,
        leeway=settings.token_leeway,
    )


@lru_cache(maxsize=32)
def _prepared(modulus: str, exponent: str) -> Key:
    try:
        # The algorithm is ours, not the token's: a public key can never be taken for an HMAC secret.
        return jwk.construct({"kty": "RSA", "n": modulus, "e": exponent}, _ALGORITHM)
    except (JOSEError, ValueError) as error:
        raise Unauthenticated("the issuer's key for this token cannot be used") from error


def _taken_apart(token: str) -> tuple[bytes, bytes, bytes, str]:
    """Split a token into signed bytes, payload, signature and key id; refuse it on its header before any key is touched."""
    if len(token) > _MAX_TOKEN:
        raise Unauthenticated(f"the token is longer than {_MAX_TOKEN} bytes")
    match = _PARTS.fullmatch(token)
    if match is None:
        raise Unauthenticated("the token is not of the form header.payload.signature")
    header, payload, signature = (_decoded(part) for part in match.groups())
    kid = _key_id(_json_object(header))
    return token[: match.end(2)].encode(), payload, signature, kid


def _key_id(header: dict[str, Any]) -> str:
    if header.get("alg") != _ALGORITHM:
        raise Unauthenticated(f"the token is not signed with {_ALGORITHM}")
    if "crit" in header:
        # RFC 7515, 4.1.11: who does not understand a critical extension must refuse; none is understood here.
        raise Unauthenticated("the token asks for extensions that are not supported")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID:
        raise Unauthenticated("the token does not name its key")
    return kid


def _decoded(part: str) -> bytes:
    encoded = part.encode()
    try:
        decoded = base64url_decode(encoded)
    except ValueError as error:
        raise Unauthenticated("the token is not base64url") from error
    # One token has one spelling: unused bits of the last character would make sixteen, each with its place in memory.
    if base64url_encode(decoded) != encoded:
        raise Unauthenticated("the token is not base64url")
    return decoded


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(content)
    except ValueError as error:
        raise Unauthenticated("the token does not hold JSON") from error
    if not isinstance(value, dict):
        raise Unauthenticated("the token does not hold a JSON object")
    return value
