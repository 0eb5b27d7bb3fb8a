"""A connection as the hub sees it, and the hub as a connection sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from realtime.core.closing import Close
    from realtime.core.identity import Principal
    from realtime.gateway.frame import Encoding
    from realtime.gateway.members import Subscription


class Connection(ABC):
    """Somebody who is written to. Nothing waits here: what the transport cannot pass on at once holds it back."""

    __slots__ = ("encoding", "fd", "held_back", "principal", "subscriptions")

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.fd = -1
        """Not negative: shared frames may be sent straight to this descriptor. Negative while held back or closing, and
        for ever where the transport changes what is written (TLS)."""
        self.principal: Principal | None = None
        self.subscriptions: tuple[Subscription, ...] = ()
        """What it watches: the hub's."""
        self.held_back = False
        """The transport holds bytes that the kernel would not take, or the connection is closing: nothing is sent to it
        that can be merged later."""

    @property
    @abstractmethod
    def gone(self) -> bool:
        """Whether `Sessions.leave` was called: what was awaited for it meanwhile is for nobody."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Pass on encoded bytes. May call `Sessions.hold_back` before it returns. Dropped once it is closing."""

    @abstractmethod
    def reply(self, message: bytes) -> None:
        """Pass on one JSON message of this connection's own."""

    @abstractmethod
    def close(self, why: Close) -> None:
        """Say why, and end. `Sessions.leave` follows within a bounded time. A second time does nothing."""

    @abstractmethod
    def beat(self) -> None:
        """Look whether the peer lives; called about once in each heartbeat interval."""


class Sessions(Protocol):
    """What a connection tells the hub."""

    def join(self, connection: Connection) -> None:
        """It has come, and may be written to."""

    def leave(self, connection: Connection) -> None:
        """It has gone. Called exactly once for each that joined; its descriptor is closed right after."""

    def hold_back(self, connection: Connection) -> None:
        """It can take no more: merge what comes. Also called when it begins to close, and then never undone."""

    def make_room(self, connection: Connection) -> None:
        """It can take more again, and wants to be brought forward."""

    def received(self, connection: Connection, text: bytes) -> Coroutine[Any, Any, None] | None:
        """A message, in UTF-8. A coroutine where it has to wait: no more of this connection's come until that is over."""


class Drain(Protocol):
    """Sends everybody away before the process ends."""

    def drain(self, done: Callable[[], None]) -> None:
        """Begin; call `done` once nobody is left, at the latest when the window is over."""
