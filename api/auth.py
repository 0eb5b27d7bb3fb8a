"""Who sent a request: the bearer token (RFC 6750) out of raw ASGI headers, and what its bearer may do.

This is on the way of every request, so a token that was verified before is answered for without waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime.core.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Scope

    from realtime.core.identity import Identity, Principal, Role

_SCHEME = b"bearer "


def bearer(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the bearer token in ASGI headers (names in lower case), None when there is no Authorization header.

    Raises Unauthenticated for another scheme, a malformed value, or more than one such header.
    """
    values = [value for name, value in headers if name == b"authorization"]
    if not values:
        return None
    scheme, token = values[0][: len(_SCHEME)], values[0][len(_SCHEME) :].strip(b" ")
    if len(values) > 1 or scheme.lower() != _SCHEME or not token or b" " in token or not token.isascii():
        raise Unauthenticated("the Authorization header must be: Bearer <token>")
    # Which characters a token is made of, the verifier knows; to look at each here would cost more than all the rest.
    return token.decode("ascii")


async def authenticate(identity: Identity, headers: Iterable[tuple[bytes, bytes]]) -> Principal | None:
    """Return the principal whose token the headers carry, None when they carry none.

    Raises Unauthenticated when the token is refused, Unavailable while the issuer's keys cannot be had.
    """
    token = bearer(headers)
    if token is None:
        return None
    return identity.known(token) or await identity.verify(token)


async def caller(scope: Scope) -> Principal | None:
    """Return the principal of an ASGI scope whose app holds the service. Raises as `authenticate` does."""
    identity: Identity = scope["app"].state.service.identity
    return await authenticate(identity, scope["headers"])


def require(principal: Principal | None, *roles: Role) -> Principal:
    """Return the principal if it has one of these roles, any if none is named.

    Raises Unauthenticated when there is no principal, Forbidden when it has another role.
    """
    if principal is None:
        raise Unauthenticated("this needs a bearer token")
    if roles and principal.role not in roles:
        raise Forbidden(f"this needs the role {' or '.join(roles)}, the token has {principal.role}")
    return principal
