"""The token that a client comes with, and where the next one comes from."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Final

from realtime.client.errors import TokenFailed

Token = str | Callable[[], str | Awaitable[str | None] | None] | None
"""A token; or a function, plain or async, that is asked for one on each connection and before the last one ends.

What it gives must be valid for a while yet; None means to come without. It may raise OSError or TimeoutError where that
passes, and is asked again later; anything else ends the client.
"""

PATIENCE: Final = 10.0
"""Seconds that such a function may take."""


async def asked(token: Token) -> str | None:
    """The token to present now. Raises TokenFailed, and OSError or TimeoutError where it may be had later."""
    if token is None or isinstance(token, str):
        return token
    try:
        async with asyncio.timeout(PATIENCE):
            given = token()
            if inspect.isawaitable(given):
                given = await given
    except (OSError, TimeoutError):
        raise
    except Exception as error:
        raise TokenFailed(f"no token was given: {error!r}") from error
    if given is not None and not isinstance(given, str):
        raise TokenFailed(f"a token is text, not {type(given).__name__}")
    return given
