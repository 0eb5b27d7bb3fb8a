"""What travels from the outbox through a queue: letters, packed many to a message.

A message is text: the format's number, a point, and base64 of a MessagePack array of (id, payload, trace, at).
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final, NamedTuple

import msgpack

from realtime.core import record
from realtime.core.errors import Unreadable
from realtime.core.model import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FORMAT: Final = "1"
CALL: Final = 10
"""Messages that one call to a queue takes."""
CALL_BYTES: Final = 1_048_576
"""Bytes of all messages of one call."""
_ARRAY_HEADER: Final = 5
_SHOWN: Final = 40


class Letter(NamedTuple):
    """A row of the outbox: its id, what was committed, the trace of who committed it (opaque), and when that was, in Unix
    microseconds by the store's clock (0: not known).

    An empty payload was too large for a message: the outbox has it, under the id.
    """  # noqa: D205 - one thought

    id: int
    payload: bytes
    trace: str | None = None
    at: int = 0


class Message(NamedTuple):
    """A message as it is sent, and the letters in it, for who asks what became of them."""

    body: str
    letters: tuple[Letter, ...]

    @property
    def trace(self) -> str | None:
        """The trace that the message carries on: that of the first letter that has one."""
        return next((letter.trace for letter in self.letters if letter.trace), None)


def pack(letters: Sequence[Letter], limit: int) -> list[Message]:
    """Put letters, in their order, into as few messages of at most `limit` bytes as that takes.

    A letter that fits into no message goes with its id alone.
    """
    room = (limit - len(FORMAT) - 1) // 4 * 3 - _ARRAY_HEADER
    messages: list[Message] = []
    parts: list[bytes] = []
    first, size = 0, 0
    for index, letter in enumerate(letters):
        part = _packed(letter, room)
        if size + len(part) > room and parts:
            messages.append(Message(_body(parts), tuple(letters[first:index])))
            parts, first, size = [], index, 0
        parts.append(part)
        size += len(part)
    if parts:
        messages.append(Message(_body(parts), tuple(letters[first:])))
    return messages


def _packed(letter: Letter, room: int) -> bytes:
    part = record.pack_array(letter)
    if len(part) > room:
        part = record.pack_array(letter._replace(payload=b""))
    return part if len(part) <= room else record.pack_array(letter._replace(payload=b"", trace=None))


def _body(parts: Sequence[bytes]) -> str:
    header: bytes = msgpack.Packer().pack_array_header(len(parts))
    return f"{FORMAT}.{base64.b64encode(header + b''.join(parts)).decode()}"


def unpack(body: str) -> list[Letter]:
    """The letters of a message. Raises Unreadable for what `pack` did not make, or made in another format."""
    number, _, packed = body.partition(".")
    if number != FORMAT:
        raise Unreadable(f"unknown format {number[:_SHOWN]!r}")
    try:
        return [_letter(*fields) for fields in record.unpack_array(base64.b64decode(packed, validate=True))]
    except (binascii.Error, ValueError, TypeError, *record.UNPACK_ERRORS) as error:
        raise Unreadable(f"no letters: {type(error).__name__} {error}".strip()) from error


def _letter(row: object, payload: object, trace: object, at: object = 0) -> Letter:
    if not isinstance(row, int) or not isinstance(payload, bytes) or not isinstance(trace, bytes | None):
        raise TypeError("a letter is an id, a payload and a trace")
    if not isinstance(at, int):
        raise TypeError("a letter's time is a number")
    if not 0 < row <= INT64_MAX:
        raise ValueError("a letter's id is that of a row")
    return Letter(row, payload, None if trace is None else trace.decode(), at)


def calls(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Messages in groups that one call to a queue takes."""
    group: list[Message] = []
    size = 0
    for message in messages:
        if group and (len(group) == CALL or size + len(message.body) > CALL_BYTES):
            yield group
            group, size = [], 0
        group.append(message)
        size += len(message.body)
    if group:
        yield group
