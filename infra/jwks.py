"""The issuer's public keys: fetched, cached, and fetched again when a token names one that is not known.

A token's `kid` is the sender's word, so anybody can name keys that do not exist. However many do, the issuer is asked
at most once per interval, and all who wait share one fetch. What was fetched serves until a later fetch succeeds.
"""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx
import orjson
import structlog

from realtime.core.errors import SettingInvalid, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger()

_MAX_BYTES = 65_536
# 2,048 bits are 342 characters of base64; what is shorter can be forged, what is longer than 8,192 bits costs too much.
_MODULUS = re.compile(r"[A-Za-z0-9_-]{342,1366}")


class KeySet:
    """The keys behind one http, https or file URL. Raises SettingInvalid for any other URL.

    timeout: seconds that one fetch may take as a whole.
    refetch_interval: seconds between two fetches at the least, whatever the tokens name.
    max_age: seconds after which a key in use is fetched anew, so that one the issuer withdrew ends too.
    clock: monotonic seconds.
    """

    def __init__(
        self,
        url: str,
        timeout: float = 2.0,
        refetch_interval: float = 5.0,
        *,
        max_age: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not _is_address(url):
            raise SettingInvalid(f"the JWKS address must be a http, https or file URL, not {url!r}")
        self._url = url
        self._timeout = timeout
        self._refetch_interval = refetch_interval
        self._max_age = max_age
        self._clock = clock
        self._keys: dict[str, dict[str, str]] = {}
        self._fetch: asyncio.Task[None] | None = None
        self._tried_at = float("-inf")

    async def key(self, kid: str) -> dict[str, str]:
        """Return the RSA public key of this id as a JWK: the same object until a fetch replaces it.

        Raises Unauthenticated when the issuer has no such key, Unavailable while its keys were never had.
        """
        found = self._keys.get(kid)
        if found is not None:
            if self._clock() - self._tried_at >= self._max_age:
                self._start()
            return found
        await self._refresh()
        found = self._keys.get(kid)
        if found is not None:
            return found
        if not self._keys:
            raise Unavailable("the issuer's keys cannot be fetched")
        raise Unauthenticated("the token is signed with a key that the issuer does not have")

    async def aclose(self) -> None:
        """End a fetch that is under way."""
        if self._fetch is not None:
            self._fetch.cancel()
            await asyncio.wait([self._fetch])

    async def _refresh(self) -> None:
        if self._fetch is None and self._clock() - self._tried_at >= self._refetch_interval:
            self._start()
        if self._fetch is not None:
            # The fetch belongs to all who wait: one who gives up does not end it.
            await asyncio.wait([self._fetch])

    def _start(self) -> None:
        if self._fetch is None:
            self._tried_at = self._clock()
            self._fetch = asyncio.create_task(self._replace(), name="jwks")
            self._fetch.add_done_callback(self._done)

    def _done(self, fetch: asyncio.Task[None]) -> None:
        self._fetch = None
        if not fetch.cancelled() and (error := fetch.exception()) is not None:
            log.error("fetching the issuer's keys broke", url=self._url, exc_info=error)

    async def _replace(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                content = await self._read()
            self._keys = _usable_keys(content)
        except (OSError, ValueError, httpx.HTTPError) as error:
            reason = str(error) or type(error).__name__
            log.warning("the issuer's keys cannot be fetched", url=self._url, reason=reason)

    async def _read(self) -> bytes:
        parts = urlsplit(self._url)
        if parts.scheme == "file":
            return await asyncio.to_thread(_read_file, Path(url2pathname(parts.path)))
        return await self._download()

    async def _download(self) -> bytes:
        # Only the settings speak for the environment, so its proxies do not count. Compressed bytes could grow without
        # bound when unpacked: none are asked for, and what comes is taken as it is.
        content = bytearray()
        async with (
            httpx.AsyncClient(timeout=self._timeout, trust_env=False) as client,
            client.stream("GET", self._url, headers={"accept-encoding": "identity"}) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"the answer is {response.status_code}")
            async for chunk in response.aiter_raw():
                content += chunk
                _check_size(len(content))
        return bytes(content)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        return False
    return parts.scheme == "file" or (parts.scheme in ("http", "https") and bool(parts.hostname))


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    _check_size(len(content))
    return content


def _check_size(size: int) -> None:
    if size > _MAX_BYTES:
        raise ValueError(f"the answer is longer than {_MAX_BYTES} bytes")


def _usable_keys(content: bytes) -> dict[str, dict[str, str]]:
    document = orjson.loads(content)
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ValueError("the answer is not a key set")  # noqa: TRY004 - what was sent is wrong, not our call
    usable = {key["kid"]: _public(key) for key in keys if isinstance(key, dict) and _is_usable(key)}
    if not usable:
        raise ValueError("the answer has no RSA key for RS256 signatures")
    return usable


def _is_usable(key: dict[str, Any]) -> bool:
    return (
        key.get("kty") == "RSA"
        and key.get("use", "sig") == "sig"
        and key.get("alg", "RS256") == "RS256"
        and all(isinstance(key.get(name), str) for name in ("kid", "n", "e"))
        and _MODULUS.fullmatch(key["n"]) is not None
    )


def _public(key: dict[str, Any]) -> dict[str, str]:
    return {"kty": "RSA", "alg": "RS256", "kid": key["kid"], "n": key["n"], "e": key["e"]}
