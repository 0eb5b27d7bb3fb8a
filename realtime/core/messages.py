"""The live contract in JSON: what clients say and what they are told. Golden examples are under `tests/vectors/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import orjson

from realtime.core import delta as deltas
from realtime.core.errors import FieldInvalid, MessageInvalid
from realtime.core.model import check_id
from realtime.core.ranks import ranks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realtime.core.model import RankMode, Row
    from realtime.core.window import Window

SUBPROTOCOL: Final = "rankcast.v1.json"
TOP_LIMITS: Final = (10, 25, 50, 100)
_MAX_ID: Final = 64
_MAX_TOKEN: Final = 8192

Id = int | str
"""What a client names its request by; the answer carries it."""


@dataclass(frozen=True, slots=True)
class SubscribeTop:
    """Watch the first `limit` rows of a board."""

    id: Id
    board: str
    limit: int


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Stop watching a topic."""

    id: Id | None
    topic: str


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Present a token, the first or a renewed one."""

    token: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask for a sign of life."""


Request = SubscribeTop | Unsubscribe | Authenticate | Ping


def parse(text: bytes | str) -> Request:
    """A client's message. Raises MessageInvalid or IdInvalid, with `id` where the message carried a usable one."""
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MessageInvalid("a message is one JSON object") from error
    if not isinstance(message, dict):
        raise MessageInvalid("a message is one JSON object")
    match message.get("op"):
        case "subscribe":
            return _subscribe(message)
        case "unsubscribe":
            topic = message.get("topic")
            if not isinstance(topic, str):
                raise MessageInvalid("unsubscribe names a topic")
            return Unsubscribe(_id(message) if "id" in message else None, topic)
        case "auth":
            token = message.get("token")
            if not isinstance(token, str) or len(token) > _MAX_TOKEN:
                raise MessageInvalid("auth carries a token")
            return Authenticate(token)
        case "ping":
            return Ping()
    raise MessageInvalid("op must be subscribe, unsubscribe, auth or ping")


def _subscribe(message: dict[str, Any]) -> SubscribeTop:
    request = _id(message)
    board = check_id(message.get("board"), "board")
    if message.get("view") != "top":
        raise FieldInvalid("view must be top")
    limit = message.get("limit", TOP_LIMITS[0])
    if limit not in TOP_LIMITS or isinstance(limit, bool):
        raise FieldInvalid(f"limit must be one of {', '.join(map(str, TOP_LIMITS))}")
    return SubscribeTop(request, board, int(limit))


def _id(message: dict[str, Any]) -> Id:
    value = message.get("id")
    if isinstance(value, bool) or not isinstance(value, (int, str)) or len(str(value)) > _MAX_ID:
        raise MessageInvalid(f"id must be a number or text of at most {_MAX_ID} characters")
    return value


def request_id(text: bytes | str) -> Id | None:
    """The id that a message carries, if it carries one that an error may name."""
    try:
        return _id(orjson.loads(text))
    except (orjson.JSONDecodeError, MessageInvalid, AttributeError):
        return None


def top_topic(board: str, limit: int) -> str:
    """The name of a topic that every watcher of these rows shares."""
    return f"{board}/top/{limit}"


def entries(rows: Sequence[Row], mode: RankMode, first_rank: int = 1, position: int = 0) -> list[dict[str, Any]]:
    """Rows with their ranks, as REST and snapshots carry them."""
    shown = ranks(rows, mode, first_rank, position)
    return [{"rank": rank, **deltas.entry(row)} for rank, row in zip(shown, rows, strict=True)]


def welcome(heartbeat: int, tick: int) -> bytes:
    """The first message: seconds between pings, milliseconds between frames of a topic."""
    return orjson.dumps({"type": "welcome", "heartbeat": heartbeat, "tick": tick})


def subscribed(request: Id, topic: str, mode: str) -> bytes:
    """The answer to a subscribe; what follows is shared by all watchers of the topic."""
    return orjson.dumps({"type": "subscribed", "id": request, "topic": topic, "mode": mode})


def unsubscribed(request: Id | None, topic: str) -> bytes:
    """The answer to an unsubscribe: nothing more comes of this topic."""
    return orjson.dumps({"type": "unsubscribed", "id": request, "topic": topic})


def authenticated(expires_at: int) -> bytes:
    """The token was taken; it holds until then (Unix seconds)."""
    return orjson.dumps({"type": "authenticated", "expires_at": expires_at})


def pong() -> bytes:
    """The answer to a ping."""
    return orjson.dumps({"type": "pong"})


def snapshot(topic: str, window: Window, limit: int, mode: RankMode) -> bytes:
    """The whole list at one version."""
    return orjson.dumps(
        {
            "type": "snapshot",
            "topic": topic,
            "epoch": window.epoch,
            "version": window.version,
            "total": window.total,
            "ranks": mode,
            "limit": limit,
            "entries": entries(window.rows[:limit], mode),
        }
    )


def delta(topic: str, window: Window, since: int, ops: Sequence[deltas.Op]) -> bytes:
    """What leads from version `since` of the same epoch to this window."""
    return orjson.dumps(
        {
            "type": "delta",
            "topic": topic,
            "epoch": window.epoch,
            "from": since,
            "to": window.version,
            "total": window.total,
            "ops": ops,
        }
    )


def check(topic: str, window: Window, limit: int) -> bytes:
    """Version and total carried forward, and a checksum by which a client verifies its list."""
    return orjson.dumps(
        {
            "type": "check",
            "topic": topic,
            "epoch": window.epoch,
            "version": window.version,
            "total": window.total,
            "crc": checksum(window.rows[:limit]),
        }
    )


def checksum(rows: Sequence[Row]) -> int:
    """CRC-32 of the UTF-8 lines `player TAB seq TAB name NEWLINE` of a list."""
    return crc32("".join([f"{row.player}\t{row.seq}\t{row.name}\n" for row in rows]).encode())


def stale(topic: str, as_of: int) -> bytes:
    """The ranking is away; the list stands as of then (Unix seconds)."""
    return orjson.dumps({"type": "stale", "topic": topic, "as_of": as_of})


def fresh(topic: str) -> bytes:
    """The ranking is back."""
    return orjson.dumps({"type": "fresh", "topic": topic})


def error(code: str, message: str, request: Id | None = None, topic: str | None = None) -> bytes:
    """Something was refused, or a topic has ended (`topic`); the connection stays."""
    named = {field: value for field, value in (("id", request), ("topic", topic)) if value is not None}
    return orjson.dumps({"type": "error", **named, "code": code, "message": message})
