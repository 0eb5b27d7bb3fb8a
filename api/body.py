"""Request bodies and query parameters."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import orjson

from realtime.core.errors import BodyInvalid, BodyTooLarge, QueryInvalid
from realtime.core.model import check_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.types import Receive

_MAX_DIGITS: Final = 19


async def read_json(request: Request, limit: int) -> Any:
    """The decoded body of at most `limit` bytes. Raises BodyTooLarge, BodyInvalid."""
    return decode(await receive_body(request.scope["headers"], request.receive, limit))


async def receive_body(headers: Iterable[tuple[bytes, bytes]], receive: Receive, limit: int) -> bytes:
    """The body of at most `limit` bytes; what declares itself larger is not even read. Raises BodyTooLarge, BodyInvalid."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise BodyTooLarge(f"a body has at most {limit} bytes")
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise BodyInvalid("the body ended early")
        body += message.get("body", b"")
        if len(body) > limit:
            raise BodyTooLarge(f"a body has at most {limit} bytes")
        if not message.get("more_body", False):
            return body


class Constant(float):
    """A number that no field takes, so that a row that has one is refused: NaN or an infinity (JSON has none, some encoders
    write them), or the largest double for what is beyond it.
    """  # noqa: D205 - one thought


def decode(body: bytes) -> Any:
    """JSON, strictly, but for numbers that nobody takes: one bad row must not fail its neighbours. Raises BodyInvalid."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        refusal = error
    try:
        value = json.loads(body.decode(), parse_constant=Constant, parse_int=_number, parse_float=_number)
        # It may have held more that is not JSON: half a surrogate pair, or too deep a nesting.
        orjson.dumps(value, default=str)
    except (ValueError, TypeError, RecursionError):
        raise BodyInvalid(f"the body is not JSON: {refusal}") from refusal
    return value


def _number(text: str) -> Any:
    """A number as `orjson` reads it, or a Constant where it is beyond a double: JSON knows no bounds, `orjson` does."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return Constant(-sys.float_info.max if text.startswith("-") else sys.float_info.max)


def integer(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A query parameter as an integer within bounds. Raises QueryInvalid."""
    text = request.query_params.get(name)
    if text is None:
        return default
    value = _digits(text)
    if value is None or not low <= value <= high:
        raise QueryInvalid(f"{name} must be an integer from {low} to {high}")
    return value


def after(request: Request) -> tuple[str, int] | None:
    """`?after=<player>:<seq>`: read no earlier than this write. Raises QueryInvalid, IdInvalid."""
    text = request.query_params.get("after")
    if text is None:
        return None
    player, colon, digits = text.rpartition(":")
    seq = _digits(digits)
    if not colon or seq is None:
        raise QueryInvalid("after is <player>:<seq>")
    return check_id(player, "player"), seq


def _digits(text: str) -> int | None:
    """A number of at most 19 digits, None for anything else: there is text that `int` takes and nobody means."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else None
