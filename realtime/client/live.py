"""A typed client of `/v1/live`: boards as they change, over one connection that comes back by itself.

    async with connect("http://127.0.0.1:8080", token) as live:
        async for board in live.top("arcade", limit=10):
            print(board.version, board.entries)

`live.player("arcade")` follows where the token's own player stands, `live.around("arcade", "ada", radius=5)` a player with
the neighbours. Any number of these share the connection.

What they hand out is always one version of the board, and never one before. Whoever reads slower than the board changes
gets the newest state only: nothing queues up. After a lost connection the node, or the next one, leads on from the version
that is held.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar

from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from realtime.client.address import in_turn, live_address
from realtime.client.backoff import full_jitter
from realtime.client.errors import ConnectionRefused, LiveClosed, LiveError, TokenFailed, WatchRefused
from realtime.client.player import PlayerState
from realtime.client.reducer import OutOfStep, State
from realtime.client.session import Session
from realtime.client.watch import Reader, Watches
from realtime.core.closing import Close
from realtime.core.errors import RankcastError
from realtime.core.messages import DEFAULT_RADIUS, ME, SUBPROTOCOL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

    from websockets.http11 import Response

    from realtime.client.token import Token
    from realtime.client.watch import Watch

__all__ = [
    "ConnectionRefused",
    "Live",
    "LiveClosed",
    "LiveError",
    "PlayerState",
    "State",
    "Status",
    "TokenFailed",
    "WatchRefused",
    "connect",
    "live_address",
]

V = TypeVar("V", State, PlayerState)

OPEN_TIMEOUT: Final = 10.0
CLOSE_TIMEOUT: Final = 2.0
KEEPALIVE: Final = 20.0
"""Seconds between our pings, and for each answer: a network that is gone says nothing."""
STEADY: Final = 10.0
"""A connection that held this long was a good one: the next loss starts from the shortest wait."""
LONGEST_RETRY: Final = 60.0
"""Seconds that a node may ask us to stay away."""
MAX_MESSAGE: Final = 4 * 2**20


class Status(StrEnum):
    """connecting: never been there; open: the node answers; reconnecting: lost, coming back; closed: over."""

    CONNECTING = "connecting"
    OPEN = "open"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"


@dataclass(slots=True)
class _Ending:
    """How a connection ended: whether it was a good one, until when to stay away as told (seconds, the loop's time)."""

    held: bool = False
    return_at: float | None = None
    retry_after: float = 0.0


class Live:
    """One connection and what is watched over it. `connect` makes it and ends it.

    `status` is the connection's. The counters tell what became of it: `reconnects` after the first connection; of the
    subscriptions that were answered, `resumed` were led on from the version held and `snapshots` told afresh; `out_of_step`
    counts messages that did not fit what was held, and checks that found it wrong.
    """

    def __init__(self, addresses: Iterator[str], token: Token, chance: random.Random) -> None:
        self.status = Status.CONNECTING
        self._addresses = addresses
        self._token = token
        self._chance = chance
        self._watches = Watches()
        self._session: Session | None = None
        self._welcomes = 0
        self._error: RankcastError | None = None

    @property
    def reconnects(self) -> int:
        """Connections that a node has welcomed, but for the first."""
        return max(0, self._welcomes - 1)

    @property
    def resumed(self) -> int:
        """Subscriptions that were led on from the version held."""
        return self._watches.resumed

    @property
    def snapshots(self) -> int:
        """Subscriptions that were told afresh, the first ones among them."""
        return self._watches.snapshots

    @property
    def out_of_step(self) -> int:
        """Times a message did not fit what was held, or a check found it wrong."""
        return self._watches.out_of_step

    # -- watching ------------------------------------------------------------------------------------------------------

    def top(self, board: str, limit: int = 10) -> AsyncGenerator[State]:
        """The best `limit` (10, 25, 50 or 100) of a board, now and after each change.

        Iterating raises WatchRefused when the node refuses it (no such board, not allowed): its `code` is the node's,
        such as `board_unknown`. It raises ConnectionRefused when the node does not want us back, TokenFailed, and
        LiveClosed once the client was ended. A lost connection raises nothing: the states go on when it is back.
        """
        return self._states({"board": board, "view": "top", "limit": limit}, State)

    def player(self, board: str, player: str = ME) -> AsyncGenerator[PlayerState]:
        """Where a player stands, now and whenever that changes; `me` is the player whom the token names.

        A player who is not ranked yet may be watched: the first rank comes when there is one. Raises as `top` does.
        """
        return self._states({"board": board, "view": "player", "player": player}, PlayerState)

    def around(self, board: str, player: str = ME, radius: int = DEFAULT_RADIUS) -> AsyncGenerator[State]:
        """A player and up to `radius` (1 to 10) neighbours on either side; the stretch moves with the player.

        `position` is the first row's; it is None, and there are no rows, while the player is not ranked. Raises as `top`
        does.
        """
        return self._states({"board": board, "view": "around", "player": player, "radius": radius}, State)

    async def _states(self, request: dict[str, Any], kind: type[V]) -> AsyncGenerator[V]:
        if self._error is not None:
            raise self._error
        reader = Reader()
        watch = self._watches.join(request, reader)
        try:
            if self._session is not None:
                await self._session.ask_due()
            while True:
                held = await reader.next()
                if isinstance(held, kind):
                    yield held
        finally:
            watch.readers.remove(reader)
            if not watch.readers:
                await self._unwatch(watch)

    async def _unwatch(self, watch: Watch) -> None:
        if self._session is None:
            self._watches.drop(watch)
        else:
            await self._session.unwatch(watch)

    # -- connections ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Hold a connection for as long as the task lives. Raises WatchRefused, ConnectionRefused, TokenFailed."""
        attempt = 0
        for address in self._addresses:
            ending = await self._connect_once(address)
            self._session = None
            self._watches.lose()
            if self.status is Status.OPEN:
                self.status = Status.RECONNECTING
            attempt = 0 if ending.held else attempt
            await asyncio.sleep(self._wait(ending, attempt))
            attempt += 1

    def _wait(self, ending: _Ending, attempt: int) -> float:
        """Seconds until the next connection. Who was told when to come has been spread already."""
        if ending.return_at is None:
            return ending.retry_after + full_jitter(attempt, self._chance.random())
        told = max(0.0, ending.return_at - asyncio.get_running_loop().time())
        return told + (full_jitter(attempt, self._chance.random()) if attempt else 0.0)

    async def _connect_once(self, address: str) -> _Ending:
        """Hold one connection until it ends."""
        ending = _Ending()
        try:
            async with open_socket(
                address,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                compression="deflate",
                open_timeout=OPEN_TIMEOUT,
                close_timeout=CLOSE_TIMEOUT,
                ping_interval=KEEPALIVE,
                ping_timeout=KEEPALIVE,
                max_size=MAX_MESSAGE,
                proxy=None,
            ) as socket:
                self._session = session = Session(socket, self._watches, self._token, self._chance, self._welcomed)
                try:
                    await session.follow()
                except asyncio.CancelledError:
                    # Left as it is, it would tell the node of an internal error.
                    await socket.close()
                    raise
                finally:
                    _note(ending, session)
        except ConnectionClosed as error:
            if error.rcvd is not None and not Close(error.rcvd.code, error.rcvd.reason).come_back:
                raise ConnectionRefused(f"the node closed with {error.rcvd.code}: {error.rcvd.reason}") from error
        except InvalidURI as error:
            raise ConnectionRefused(f"{address} is no address of a WebSocket") from error
        except InvalidStatus as error:
            status = error.response.status_code
            if status < 500 and status not in {408, 429}:  # noqa: PLR2004 - HTTP
                raise ConnectionRefused(f"{address} answers {status}: is it a Rankcast node?") from error
            ending.retry_after = _retry_after(error.response)
        except (OSError, TimeoutError, InvalidHandshake):
            pass
        except (KeyError, TypeError, ValueError, OutOfStep):
            # It says what this client cannot read. Another node, or a later one, may do better.
            pass
        return ending

    def _welcomed(self) -> None:
        self._welcomes += 1
        self.status = Status.OPEN

    # -- the end -------------------------------------------------------------------------------------------------------

    def ended(self, task: asyncio.Task[None]) -> None:
        """`run` is over: its error ends every watch."""
        failed = None if task.cancelled() else task.exception()
        error: RankcastError
        if task.cancelled():
            error = LiveClosed("the live client was ended")
        elif isinstance(failed, RankcastError):
            error = failed
        else:
            error = LiveError(f"the live client failed: {failed!r}")
        self.status = Status.CLOSED
        self._error = error
        self._session = None
        self._watches.end(error)


@asynccontextmanager
async def connect(
    url: str | Sequence[str], token: Token = None, *, chance: random.Random | None = None
) -> AsyncIterator[Live]:
    """Watch boards of the node at `url` (http, https, ws or wss), or of the nodes at several, one after the other.

    `token` is that of the bearer, where boards are not public and for `me`. A function, plain or async, is asked for one
    on each connection, and for the next one before the last has expired: it is renewed while the connection goes on. What
    it raises but OSError and TimeoutError ends the client with TokenFailed.

    Nothing is awaited here: a node that is not there yet is tried again until it is. `chance` spreads the waits and, where
    there are several nodes, picks the first. Raises ValueError for no address at all.
    """
    chance = chance or random.Random()  # noqa: S311 - spreads waits, no secret
    urls = [url] if isinstance(url, str) else url
    live = Live(in_turn(urls, chance.random() if len(urls) > 1 else 0.0), token, chance)
    task = asyncio.create_task(live.run())
    task.add_done_callback(live.ended)
    try:
        yield live
    finally:
        task.cancel()
        await asyncio.wait([task])


def _note(ending: _Ending, session: Session) -> None:
    welcomed_at = session.welcomed_at
    ending.held = welcomed_at is not None and asyncio.get_running_loop().time() - welcomed_at >= STEADY
    ending.return_at = session.leave_at


def _retry_after(response: Response) -> float:
    """Seconds that the node asks us to stay away; 0 where it does not say."""
    told = response.headers.get("Retry-After", "")
    return min(float(told), LONGEST_RETRY) if told.isascii() and told.isdigit() else 0.0
