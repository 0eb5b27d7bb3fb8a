"""A message made once for all who are sent it, in each encoding that anybody asks for."""

from __future__ import annotations

import zlib
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from realtime.core import websocket

if TYPE_CHECKING:
    from collections.abc import Callable

_WORTH_DEFLATING: Final = 64
_TAIL: Final = b"\x00\x00\xff\xff"
_LEVEL: Final = 6


class Encoding(IntEnum):
    """How a connection is written to."""

    PLAIN = 0
    """A WebSocket text frame."""
    DEFLATED = 1
    """The same where permessage-deflate was agreed: compressed where that is smaller."""
    EVENTS = 2
    """A server-sent event."""


class Frame:
    """One message, and its encodings as far as they were wanted.

    `mark` is the (epoch, version) that it leads to, by which a reader of server-sent events comes back; None where it
    leads nowhere. No context is taken over between frames: so the compressed bytes are the same for every connection.
    """

    __slots__ = ("_encoded", "mark", "text")

    def __init__(self, text: bytes, mark: tuple[int, int] | None = None) -> None:
        self.text = text
        self.mark = mark
        self._encoded: list[bytes | None] = [None, None, None]

    def encoded(self, encoding: Encoding) -> bytes:
        """The bytes for a connection of this encoding. Made once."""
        made = self._encoded[encoding]
        if made is None:
            made = self._encoded[encoding] = _ENCODERS[encoding](self)
        return made


def _plain(frame: Frame) -> bytes:
    return websocket.encode(websocket.TEXT, frame.text)


def _deflated(frame: Frame) -> bytes:
    if len(frame.text) >= _WORTH_DEFLATING:
        packed = deflate(frame.text)
        if len(packed) < len(frame.text):
            return websocket.encode(websocket.TEXT, packed, compressed=True)
    return frame.encoded(Encoding.PLAIN)


def _event(frame: Frame) -> bytes:
    mark = b"" if frame.mark is None else b"id: %d-%d\n" % frame.mark
    return b"%bdata: %b\n\n" % (mark, frame.text)


_ENCODERS: Final[tuple[Callable[[Frame], bytes], ...]] = (_plain, _deflated, _event)


def deflate(text: bytes) -> bytes:
    """A message as permessage-deflate carries it without context takeover (RFC 7692, 7.2.1)."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return (packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)
