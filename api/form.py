"""A form with a file in it (`multipart/form-data`, RFC 7578), read as it comes: its fields, and then one file.

The fields say whether the file is wanted, so it is not read before that is known. What follows the file is ignored, as S3 does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from realtime.core.errors import BodyTooLarge, FormInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.types import Receive

Leave = TypeVar("Leave")

FIELDS: Final = 16_384
"""Bytes of everything beside the file."""
SECONDS: Final = 60.0
"""In which a form must be whole: who sends a byte now and then takes the room of others."""
_NAME: Final = b"file"
_KIND: Final = b"multipart/form-data"
_DISPOSITION: Final = b"content-disposition"


async def receive_file(request: Request, most: int, admit: Callable[[Mapping[str, str]], Leave]) -> tuple[Leave, bytes]:
    """The file of a form, of at most `most` bytes, and what `admit` answered to the fields before it was read.

    Raises FormInvalid, BodyTooLarge, and what `admit` raises.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most + FIELDS:
        raise BodyTooLarge(f"a form has at most {most + FIELDS} bytes")
    form = _Form(request.headers.get("content-type", ""), most, admit)
    try:
        async with asyncio.timeout(SECONDS):
            await form.read(request.receive)
    except TimeoutError as error:
        raise FormInvalid(f"the body did not come within {SECONDS:.0f} seconds") from error
    return form.result()


class _Form(Generic[Leave]):
    """What came so far."""

    def __init__(self, content_type: str, most: int, admit: Callable[[Mapping[str, str]], Leave]) -> None:
        kind, options = parse_options_header(content_type)
        if kind != _KIND or not options.get(b"boundary"):
            raise FormInvalid("the body is multipart/form-data")
        self.ended = False
        self._most = most
        self._admit = admit
        self._fields: dict[str, str] = {}
        self._beside = 0
        self._name = self._header = self._value = b""
        self._part = bytearray()
        self._file: bytearray | None = None
        self._leave: Leave | None = None
        callbacks: Any = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._last,
        }
        try:
            self._parser = MultipartParser(options[b"boundary"], callbacks)
        except FormParserError as error:
            raise FormInvalid(f"the form's boundary is none: {error}") from error

    async def read(self, receive: Receive) -> None:
        """Read up to the end of the file. Raises FormInvalid, BodyTooLarge, and what `admit` raises."""
        more = True
        while more and not self.ended:
            message = await receive()
            if message["type"] != "http.request":
                raise FormInvalid("the body ended early")
            try:
                self._parser.write(message.get("body", b""))
            except FormParserError as error:
                raise FormInvalid(f"the body is no form: {error}") from error
            more = message.get("more_body", False)

    def result(self) -> tuple[Leave, bytes]:
        """What `admit` answered, and the file. Raises FormInvalid where it is not whole."""
        if self._file is None or self._leave is None:
            raise FormInvalid("the form has no file")
        if not self.ended:
            raise FormInvalid("the body ended early")
        return self._leave, bytes(self._file)

    def _begin(self) -> None:
        self._name = b""
        self._part = bytearray()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == _DISPOSITION:
            self._name = parse_options_header(self._value)[1].get(b"name", b"")
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        if self._name == _NAME and self._leave is None:
            self._leave = self._admit(self._fields)
            self._file = self._part

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part is self._file:
            if len(self._part) + end - start > self._most:
                raise BodyTooLarge(f"a file has at most {self._most} bytes")
        else:
            self._beside += end - start
            if self._beside > FIELDS:
                raise BodyTooLarge(f"a form has at most {FIELDS} bytes beside its file")
        self._part += data[start:end]

    def _end(self) -> None:
        if self._file is not None:
            self.ended = True
        elif name := self._name.decode(errors="replace"):
            self._fields[name] = self._part.decode(errors="replace")

    def _last(self) -> None:
        self.ended = True
