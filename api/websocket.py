"""The WebSocket handshake under uvicorn, after which the transport goes to another protocol and nothing of this stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import NegotiationError
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from uvicorn.config import Config
    from uvicorn.server import ServerState
    from websockets.extensions.base import Extension
    from websockets.http11 import Request
    from websockets.typing import ExtensionParameter

HAND_OVER: Final = "rankcast.hand_over"
"""The extension of the ASGI scope by which an application that has accepted gives the connection away."""
_FULL_WINDOW: Final = "15"
_BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Adopt(Protocol):
    """Makes the protocol that goes on with a connection; `deflates` says whether permessage-deflate was agreed."""

    def __call__(self, *, deflates: bool) -> asyncio.Protocol: ...  # noqa: D102 - the class says it


class HandOver(Protocol):
    """Gives the connection away; False, and nothing was made, where it is lost already."""

    def __call__(self, adopt: Adopt) -> bool: ...  # noqa: D102 - the class says it


class Deflate(ServerPerMessageDeflateFactory):
    """permessage-deflate without context takeover on either side: a frame is compressed once for all connections.

    Who asks for a smaller window than ours is not served compressed: its frames would have to be made for it alone.
    """

    def __init__(self) -> None:
        super().__init__(server_no_context_takeover=True, client_no_context_takeover=True)

    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[list[ExtensionParameter], Any]:
        """Answer an offer. Raises NegotiationError for one that is declined."""
        if any(name == "server_max_window_bits" and value != _FULL_WINDOW for name, value in params):
            raise NegotiationError("the window is 15 bits")
        return super().process_request_params(params, accepted_extensions)


class Handshake(WebSocketsSansIOProtocol):
    """uvicorn's `ws=`: answers one upgrade request, through the application.

    An application that accepts must hand over; uvicorn's own reading and writing of frames is not used. `finished` is
    called once the application is done with the handshake.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn.available_extensions = [Deflate()]
        self.finished: Callable[[], None] = _nothing
        self._begun = False
        self._rest = b""
        """What came behind the request: frames for the protocol that goes on."""

    def begin(self, head: bytes, rest: bytes) -> None:
        """Take the request, whole, and what came with it."""
        self._rest = rest
        super().data_received(head)
        if not self._begun:
            if self.conn.handshake_exc is not None and not self.transport.is_closing():
                # The parser refused it before there was a request to answer.
                self.transport.write(b"".join(self.conn.data_to_send()) or _BAD_REQUEST)
                self.transport.close()
            self._finish()

    def data_received(self, data: bytes) -> None:
        """Keep what comes before the connection is handed over; no more than this once."""
        self._rest += data
        self.transport.pause_reading()

    def handle_connect(self, event: Request) -> None:
        """Answer the request, or let the application."""
        super().handle_connect(event)
        self._begun = self.response.status_code == 101  # noqa: PLR2004 - switching protocols
        if self._begun:
            # The parser keeps the case in which a name was written; ASGI has it lower.
            self.scope["headers"] = [(name.lower(), value) for name, value in self.scope["headers"]]
            cast("dict[str, Any]", self.scope["extensions"])[HAND_OVER] = self.hand_over

    def start_keepalive(self) -> None:
        """Heartbeats are the next protocol's."""

    def shutdown(self) -> None:
        """The application answers in a moment; it knows that the node leaves."""

    def hand_over(self, adopt: Adopt) -> bool:
        """Give the connection away. What comes, and what came already, is the new protocol's."""
        if self.disconnected or self.transport.is_closing():
            return False
        transport, rest = self.transport, self._rest
        protocol = adopt(deflates=bool(self.conn.extensions))
        self.connections.discard(self)
        # uvicorn closes the transport when the application returns.
        self.transport = cast("asyncio.Transport", _HANDED_OVER)
        self._rest = b""
        self._untie()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if rest:
            protocol.data_received(rest)
            transport.resume_reading()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone before it was handed over."""
        super().connection_lost(exc)
        self._untie()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """The application is done."""
        super().on_task_complete(task)
        self._finish()

    def _untie(self) -> None:
        """Break the cycles through the parser and the scope: this is freed at once, not when the collector comes."""
        self.conn.parser.close()
        if self._begun:
            self.scope["extensions"].pop(HAND_OVER, None)

    def _finish(self) -> None:
        finished, self.finished = self.finished, _nothing
        finished()


class _HandedOver:
    """Stands where the transport was."""

    def is_closing(self) -> bool:
        return True

    def close(self) -> None:
        pass


_HANDED_OVER: Final = _HandedOver()


def _nothing() -> None:
    pass
