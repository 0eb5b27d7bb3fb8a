"""The REST interface as the commands use it: every call has a time-out, every failure is one clear error."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self
from urllib.parse import quote, urlsplit

import httpx
import orjson

from realtime.client.backoff import full_jitter
from realtime.core.errors import RankcastError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
PATIENCE: Final = 60.0
"""Seconds for which a batch is sent again while the service is away or busy."""
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class ServiceUnreachable(RankcastError):
    """Nothing answers at the address."""

    code: ClassVar[str] = "service_unreachable"


class ProblemAnswered(RankcastError):
    """The service answered with a problem document; `problem` is its code."""

    code: ClassVar[str] = "problem_answered"

    def __init__(self, status: int, problem: str, detail: str) -> None:
        super().__init__(f"{detail or 'the service refuses'} ({problem})")
        self.status = status
        self.problem = problem


class Rest:
    """One service, spoken to as the bearer of `token`. An async context manager."""

    def __init__(self, url: str, token: str | None = None, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # A proxy stands between machines, never between a machine and itself.
        beyond = urlsplit(url).hostname not in LOOPBACK
        # Reading the machine's certificates takes longer than a call does; where nothing is encrypted none is asked for.
        encrypted = url.startswith("https:")
        self._client = httpx.AsyncClient(
            headers=headers, timeout=TIMEOUT, trust_env=beyond, transport=transport, verify=encrypted
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def boards(self) -> list[dict[str, Any]]:
        """The documents of the boards that this caller may see."""
        return list((await self._call("GET", "/v1/boards"))["boards"])

    async def board(self, board: str) -> dict[str, Any]:
        """A board's document. Raises ProblemAnswered, like all that follow."""
        return dict(await self._call("GET", _board(board)))

    async def put_board(self, board: str, document: dict[str, Any]) -> dict[str, Any]:
        """Create the board, or change it where it exists; its document afterwards."""
        return dict(await self._call("PUT", _board(board), document))

    async def delete_board(self, board: str) -> None:
        """Remove the board and its scores."""
        await self._call("DELETE", _board(board))

    async def top(self, board: str, limit: int, offset: int = 0) -> dict[str, Any]:
        """The rows from position `offset` on, best first."""
        return dict(await self._call("GET", f"{_board(board)}/top?limit={limit}&offset={offset}"))

    async def ranks(self, board: str, players: Sequence[str]) -> list[dict[str, Any]]:
        """Where up to 1,000 players stand, in the order asked."""
        answer = await self._call("POST", f"{_board(board)}/ranks", {"players": list(players)})
        return list(answer["entries"])

    async def submit(self, board: str, submission: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        """Submit one score."""
        return dict(await self._call("POST", f"{_board(board)}/scores", submission, key))

    async def submit_batch(self, board: str, rows: Sequence[Any], key: str | None = None) -> list[dict[str, Any]]:
        """Submit up to 1,000 rows; one answer or problem a row.

        With a `key` a batch that meets a busy or absent service is sent again for up to a minute: the key makes that safe.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + (PATIENCE if key else 0)
        attempt = 0
        while True:
            try:
                return list((await self._call("POST", f"{_board(board)}/scores/batch", list(rows), key))["results"])
            except RankcastError as error:
                if loop.time() >= until or not _passes(error):
                    raise
            await asyncio.sleep(full_jitter(attempt, random.random()))  # noqa: S311 - spreads waits, no secret
            attempt += 1

    async def dead_letters(self, limit: int) -> dict[str, Any]:
        """What could not be read, at most `limit` of it."""
        return dict(await self._call("GET", f"/v1/dead-letters?limit={limit}"))

    async def redrive(self) -> dict[str, Any]:
        """Let all of it be tried again; how many rows and messages that were."""
        return dict(await self._call("POST", "/v1/dead-letters/redrive"))

    async def _call(self, method: str, path: str, body: object = None, key: str | None = None) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = orjson.dumps(body) if body is not None else None
        try:
            response = await self._client.request(method, self.url + path, content=content, headers=headers)
        except httpx.InvalidURL as error:
            raise ServiceUnreachable(f"{self.url} is no address: {error}") from error
        except httpx.TimeoutException as error:
            raise ServiceUnreachable(f"{self.url} does not answer in time") from error
        except httpx.HTTPError as error:
            raise ServiceUnreachable(f"nothing answers at {self.url}: {error or type(error).__name__}") from error
        if response.is_success:
            return _decoded(response, self.url) if response.content else None
        raise _problem(response, self.url)


def _board(board: str) -> str:
    return f"/v1/boards/{quote(board, safe='')}"


def _decoded(response: httpx.Response, url: str) -> Any:
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        raise ServiceUnreachable(f"{url} does not answer as Rankcast does") from error


def _problem(response: httpx.Response, url: str) -> RankcastError:
    try:
        document = orjson.loads(response.content)
        return ProblemAnswered(response.status_code, str(document["code"]), str(document.get("detail", "")))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return ServiceUnreachable(f"{url} answers {response.status_code} and no problem document: is it Rankcast?")


def _passes(error: RankcastError) -> bool:
    if isinstance(error, ProblemAnswered):
        return error.status in {429, 503}
    return isinstance(error, ServiceUnreachable)
