"""WebSocket frames (RFC 6455), and permessage-deflate without context takeover (RFC 7692): bytes in, messages out.

A server sends frames whole and unmasked; `encode` makes them. What a client sends is masked and may come in fragments, with
control frames between them, cut anywhere by the network; `Inbound` reads it and holds state only between the pieces.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from realtime.core import closing
from realtime.core.errors import RankcastError

if TYPE_CHECKING:
    from collections.abc import Callable

    from realtime.core.closing import Close

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

_FIN: Final = 0x80
_COMPRESSED: Final = 0x40
_RESERVED: Final = 0x30
_OPCODE: Final = 0x0F
_MASKED: Final = 0x80
_SIZE: Final = 0x7F

_SHORT: Final = 125
"""Bytes whose number stands in the second byte of a frame; a control frame has no more."""
_SIZE_IN_2: Final = 126
_SIZE_IN_8: Final = 127
_MEDIUM: Final = 0xFFFF
_MASK: Final = 4
_SHORT_HEAD: Final = 2 + _MASK
_WHOLE_TEXT: Final = _FIN | TEXT
_TAIL: Final = b"\x00\x00\xff\xff"
_EMPTY_BLOCK: Final = b"\x00"
_REASON: Final = 123


class Fault(RankcastError):
    """The peer broke the protocol or a limit: the connection ends with `close`."""

    code = "protocol_fault"

    def __init__(self, close: Close, what: str) -> None:
        super().__init__(what)
        self.close = close


def xor(data: bytes | bytearray, mask: bytes | bytearray) -> bytes:
    """Mask or unmask: the twin of websockets' C function of this shape."""
    size = len(data)
    repeated = (mask * (size // _MASK + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")).to_bytes(size, "little")


unmask: Callable[[bytes | bytearray, bytes | bytearray], bytes]
try:
    from websockets.speedups import apply_mask as unmask
except ImportError:  # no wheel for this machine
    unmask = xor


def encode(opcode: int, payload: bytes, *, compressed: bool = False) -> bytes:
    """A server's frame: whole, and not masked."""
    first = _FIN | opcode | (_COMPRESSED if compressed else 0)
    size = len(payload)
    if size <= _SHORT:
        return bytes((first, size)) + payload
    if size <= _MEDIUM:
        return bytes((first, _SIZE_IN_2)) + size.to_bytes(2, "big") + payload
    return bytes((first, _SIZE_IN_8)) + size.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """The frame that says why this side ends the connection; a long reason is cut where a character ends."""
    cut = reason.encode()[:_REASON].decode(errors="ignore").encode()
    return encode(CLOSE, code.to_bytes(2, "big") + cut)


def whole_text(data: bytes) -> bytes | None:
    """The text, where `data` is exactly one short text frame in ASCII; None for all else, which `Inbound` reads.

    Nearly every message of a well-behaved client is one: this needs no state and takes half a microsecond.
    """
    size = len(data) - _SHORT_HEAD
    if not 0 <= size <= _SHORT or data[0] != _WHOLE_TEXT or data[1] != _MASKED | size:
        return None
    text = unmask(data[_SHORT_HEAD:], data[2:_SHORT_HEAD])
    return text if text.isascii() else None


class Inbound:
    """Reads a client's frames. `feed` bytes, then take what is complete by `next` until it has nothing.

    A message of more than `limit` bytes is a fault as soon as a frame announces it, and one that is compressed as soon as
    it inflates past it: no more than that is ever held. Compressed messages are read only where `inflates` says that they
    were agreed on, each by itself.
    """

    __slots__ = ("_buffer", "_compressed", "_inflates", "_limit", "_message", "_wanted")

    def __init__(self, limit: int, *, inflates: bool = False) -> None:
        self._limit = limit
        self._inflates = inflates
        self._buffer = bytearray()
        self._wanted = 2
        """Bytes to wait for before it is worth looking again."""
        self._message: bytearray | None = None
        """The fragments so far of a message that is not complete."""
        self._compressed = False

    @property
    def idle(self) -> bool:
        """Whether nothing is held: a new one would do as well."""
        return not self._buffer and self._message is None

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._buffer += data

    def next(self) -> tuple[int, bytes] | None:
        """The next text message or control frame, by opcode; None where more bytes are needed. Raises Fault.

        CONTINUATION, with nothing, stands for a fragment after which its message is still incomplete.
        """
        frame = self._frame()
        if frame is None:
            return None
        first, payload = frame
        opcode = first & _OPCODE
        if opcode == CLOSE:
            _check_close(payload)
        if opcode >= CLOSE:
            return opcode, payload
        if opcode != CONTINUATION:
            self._compressed = bool(first & _COMPRESSED)
        if self._message is None:
            if first & _FIN:
                return TEXT, self._text(payload)
            self._message = bytearray()
        self._message += payload
        if not first & _FIN:
            return CONTINUATION, b""
        whole, self._message = bytes(self._message), None
        return TEXT, self._text(whole)

    def _frame(self) -> tuple[int, bytes] | None:
        """The first byte and the payload of the next frame."""
        buffer = self._buffer
        if len(buffer) < self._wanted:
            return None
        first, second = buffer[0], buffer[1]
        self._check(first, second)
        size = second & _SIZE
        start = _SHORT_HEAD
        if size > _SHORT:
            start += 2 if size == _SIZE_IN_2 else 8
            if len(buffer) < start:
                self._wanted = start
                return None
            size = _long_size(buffer[2 : start - _MASK])
        if first & _OPCODE < CLOSE and size > self._limit - len(self._message or b""):
            raise Fault(closing.MESSAGE_TOO_LARGE, f"a message has at most {self._limit} bytes")
        end = start + size
        if len(buffer) < end:
            self._wanted = end
            return None
        payload = unmask(buffer[start:end], buffer[start - _MASK : start])
        del buffer[:end]
        self._wanted = 2
        return first, payload

    def _check(self, first: int, second: int) -> None:
        """What the first two bytes of a frame may say here. Raises Fault."""
        opcode = first & _OPCODE
        if not second & _MASKED:
            raise _broken("a client's frame is masked")
        if first & _RESERVED or (first & _COMPRESSED and not (self._inflates and opcode in (TEXT, BINARY))):
            raise _broken("a reserved bit is set")
        if opcode >= CLOSE:
            if opcode > PONG:
                raise _broken(f"there is no opcode {opcode}")
            if not first & _FIN or second & _SIZE > _SHORT:
                raise _broken("a control frame is whole and short")
        elif opcode > BINARY:
            raise _broken(f"there is no opcode {opcode}")
        elif (opcode == CONTINUATION) is (self._message is None):
            raise _broken("a fragment goes on with a message that has begun, and nothing else does")
        elif opcode == BINARY:
            raise Fault(closing.NOT_TEXT, "a message is text")

    def _text(self, payload: bytes) -> bytes:
        text = self._inflate(payload) if self._compressed else payload
        if not text.isascii():
            _check_utf8(text)
        return text

    def _inflate(self, payload: bytes) -> bytes:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            text = inflater.decompress(payload + _TAIL, self._limit + 1)
        except zlib.error as error:
            raise Fault(closing.PROTOCOL, "a compressed message does not inflate") from error
        if len(text) > self._limit:
            raise Fault(closing.MESSAGE_TOO_LARGE, f"a message has at most {self._limit} bytes")
        # A sender may end the stream (RFC 7692, 7.2.3.4): then our tail, after at most an empty block, is left over.
        if inflater.eof and inflater.unused_data not in (_TAIL, _EMPTY_BLOCK + _TAIL):
            raise _broken("a compressed message goes on after its end")
        return text


def _long_size(written: bytearray) -> int:
    """A size in 2 or 8 bytes; it is written in as few as it needs."""
    size = int.from_bytes(written, "big")
    if size <= (_SHORT if len(written) == 2 else _MEDIUM):  # noqa: PLR2004 - as the docstring says
        raise _broken("a size is written in as few bytes as it needs")
    return size


def _check_close(payload: bytes) -> None:
    """What a close frame may carry: nothing, or a code of those that go over the wire and a reason. Raises Fault."""
    if not payload:
        return
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in _CLOSE_CODES or 3000 <= code < 5000):  # noqa: PLR2004 - RFC 6455, 7.4.2
        raise _broken("there is no such close code")
    _check_utf8(payload[2:])


_CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


def _check_utf8(text: bytes) -> None:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise Fault(closing.NOT_UTF8, "text is UTF-8") from error


def _broken(what: str) -> Fault:
    return Fault(closing.PROTOCOL, what)
