"""Who may open a live connection: counted for the node and for each address, and nobody while it leaves."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING

from realtime.core.errors import AddressLimit, OriginRefused, Overloaded
from realtime.gateway.frame import Encoding
from realtime.gateway.socket import LiveSocket, Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from infra.settings import Settings
    from realtime.core.closing import Close
    from realtime.gateway.connection import Connection, Drain, Sessions

_V6_SITE = 64


class Door:
    """Made inside the loop that serves. Whoever is admitted is released again, exactly once."""

    def __init__(
        self,
        settings: Settings,
        sessions: Sessions,
        drain: Drain,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.draining = False
        self.admitted = 0
        """Live connections, and handshakes that become one."""
        self.refused = 0
        """Connections and handshakes that were not let in for want of room, here or for their address."""
        self._drain = drain
        self._origins = frozenset(settings.origins)
        self._room = settings.max_connections
        self._of_address = settings.max_per_address
        self._addresses: dict[str, int] = {}
        self._terms = Terms(
            sessions=sessions,
            spawn=spawn,
            now=asyncio.get_running_loop().time,
            left=self.release,
            max_message=settings.max_message,
            each=1 / settings.max_rate,
            burst=settings.max_burst,
        )

    def admit(self, origin: str | None, address: str) -> None:
        """Count one more. Raises OriginRefused, Overloaded, AddressLimit.

        Only browsers send an origin, and a page cannot forge it: who sends none is no page.
        """
        if self.draining:
            raise Overloaded("this node leaves: connect to another")
        if origin is not None and self._origins and origin not in self._origins:
            raise OriginRefused("pages of this origin may not connect")
        if self.admitted >= self._room:
            self.refused += 1
            raise Overloaded("this node has as many connections as it holds")
        held = self._addresses.get(address, 0)
        if held >= self._of_address:
            self.refused += 1
            raise AddressLimit(f"one address has at most {self._of_address} connections")
        self._addresses[address] = held + 1
        self.admitted += 1

    def release(self, address: str) -> None:
        """Who was admitted has gone."""
        self.admitted -= 1
        held = self._addresses[address] - 1
        if held:
            self._addresses[address] = held
        else:
            del self._addresses[address]

    def socket(self, encoding: Encoding, address: str) -> LiveSocket:
        """A protocol for a connection that was admitted; it releases the address by itself."""
        return LiveSocket(self._terms, encoding, address)

    def refusal(self, why: Close, address: str) -> LiveSocket:
        """A protocol that says why, in a close frame, and nothing else."""
        return LiveSocket(replace(self._terms, sessions=_Refused(why)), Encoding.PLAIN, address)

    def drain(self, done: Callable[[], None]) -> None:
        """Admit nobody any more, and send everybody away; `done` is called when they are gone."""
        self.draining = True
        self._drain.drain(done)


class _Refused:
    """Sessions that nobody is let into."""

    def __init__(self, why: Close) -> None:
        self._why = why

    def join(self, connection: Connection) -> None:
        connection.close(self._why)

    def leave(self, connection: Connection) -> None:
        pass

    def hold_back(self, connection: Connection) -> None:
        pass

    def make_room(self, connection: Connection) -> None:
        pass

    def received(self, connection: Connection, text: bytes) -> None:
        pass


def site(host: str) -> str:
    """What is counted as one address: an IPv6 host commands a whole /64."""
    if ":" not in host:
        return host
    try:
        return str(ipaddress.ip_network((host.partition("%")[0], _V6_SITE), strict=False))
    except ValueError:
        return host
