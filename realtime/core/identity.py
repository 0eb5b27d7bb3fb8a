"""Who is calling: roles, principals, and the rules by which a token's claims make a principal.

The claims are those of an Amazon Cognito access token, which carries `client_id` and no `aud`; the local issuer writes the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from realtime.core.errors import Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Mapping

COGNITO_USER_SCOPE = "aws.cognito.signin.user.admin"
"""The scope in the access token of everybody who signed in to a Cognito user pool directly."""

_PLAYER = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# Whatever a subject is stored or logged as, it fits and has no control characters.
_SUBJECT = re.compile(r"[!-~]{1,255}")


class Role(StrEnum):
    """What a caller may do: a player for itself, a server for any player, an admin everything."""

    PLAYER = "player"
    SERVER = "server"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose token was verified. A player's `subject` is its player id; `expires_at` is in Unix seconds."""

    subject: str
    client_id: str
    role: Role
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRules:
    """Which tokens count, and for what. `leeway` is the clock skew allowed, in seconds."""

    issuer: str
    client_ids: frozenset[str]
    player_scope: str
    server_scope: str
    admin_group: str
    leeway: int


class Identity(Protocol):
    """The port that turns a bearer token into a principal."""

    async def verify(self, token: str) -> Principal:
        """Check a token. Raises Unauthenticated when it is refused, Unavailable while the issuer's keys cannot be had."""
        ...

    def known(self, token: str) -> Principal | None:
        """Answer at once for a token that was verified before and is still valid; None says nothing about the token."""
        ...


def principal_of(claims: Mapping[str, object], rules: IdentityRules, now: int) -> Principal:
    """Make the principal of a token whose signature was checked. `now` is in Unix seconds.

    Raises Unauthenticated, saying why, when a claim is missing, of the wrong type, or not what the rules ask for.
    """
    if _text(claims, "iss") != rules.issuer:
        raise Unauthenticated("the token comes from another issuer")
    if _text(claims, "token_use") != "access":
        raise Unauthenticated("the token is not an access token")
    client_id = _text(claims, "client_id")
    if client_id not in rules.client_ids:
        raise Unauthenticated("the token was issued to a client that is not allowed here")
    expires_at = _expiry(claims, rules.leeway, now)
    role = _role(claims, rules)
    return Principal(_subject(claims, role), client_id, role, expires_at)


def is_player_id(text: str) -> bool:
    """Whether a text may be the subject of a player: [A-Za-z0-9_.-]{1,64}."""
    return _PLAYER.fullmatch(text) is not None


def _expiry(claims: Mapping[str, object], leeway: int, now: int) -> int:
    expires_at = _seconds(claims, "exp")
    if now >= expires_at + leeway:
        raise Unauthenticated("the token has expired")
    if _seconds(claims, "iat") > now + leeway:
        raise Unauthenticated("the token was issued in the future")
    if "nbf" in claims and _seconds(claims, "nbf") > now + leeway:
        raise Unauthenticated("the token is not valid yet")
    return expires_at


def _role(claims: Mapping[str, object], rules: IdentityRules) -> Role:
    groups = claims.get("cognito:groups", [])
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise Unauthenticated("the token's cognito:groups is not a list of strings")
    scopes = _text(claims, "scope").split(" ") if "scope" in claims else []
    if rules.admin_group in groups:
        return Role.ADMIN
    if rules.server_scope in scopes:
        return Role.SERVER
    if rules.player_scope in scopes or COGNITO_USER_SCOPE in scopes:
        return Role.PLAYER
    raise Unauthenticated("the token has no scope for this service")


def _subject(claims: Mapping[str, object], role: Role) -> str:
    subject = _text(claims, "sub")
    if role is Role.PLAYER and not is_player_id(subject):
        raise Unauthenticated("the token's sub is not a player id")
    if _SUBJECT.fullmatch(subject) is None:
        raise Unauthenticated("the token's sub is empty, too long or not printable")
    return subject


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise Unauthenticated(f"the token's {name} is missing or not a string")
    return value


def _seconds(claims: Mapping[str, object], name: str) -> int:
    value = claims.get(name)
    # A bool is an int to Python; true is no time.
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unauthenticated(f"the token's {name} is missing or not a whole number")
    return value
