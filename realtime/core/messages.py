"""The live contract in JSON: what clients say and what they are told. Golden examples are under `tests/vectors/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeGuard
from zlib import crc32

import orjson

from realtime.core import delta as deltas
from realtime.core import sortkey
from realtime.core.errors import FieldInvalid, MessageInvalid
from realtime.core.model import INT64_MAX, RankMode, check_id
from realtime.core.ranks import ranks
from realtime.core.scores import wire_score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from realtime.core.closing import Close
    from realtime.core.model import Row
    from realtime.core.points import AroundPoint, PlayerPoint
    from realtime.core.window import Window

SUBPROTOCOL: Final = "rankcast.v1.json"
TOP_LIMITS: Final = (10, 25, 50, 100)
MAX_RADIUS: Final = 10
DEFAULT_RADIUS: Final = 5
ME: Final = "me"
"""The player whose token was presented."""
_MAX_ID: Final = 64

Id = int | str
"""What a client names its request by; the answer carries it."""


Resume = tuple[int, int]
"""The epoch and the version that a client holds."""


@dataclass(frozen=True, slots=True)
class Top:
    """The first `limit` rows of a board."""

    limit: int

    def topic(self, board: str) -> str:
        """The name of the topic that every watcher of these rows shares."""
        return f"{board}/top/{self.limit}"


@dataclass(frozen=True, slots=True)
class Own:
    """Where one player stands; `ME` is whoever the token names."""

    player: str

    def topic(self, board: str) -> str:
        """The name of the topic that every watcher of this player shares."""
        return f"{board}/player/{self.player}"


@dataclass(frozen=True, slots=True)
class Around:
    """A player and at most `radius` neighbours on either side; the stretch moves with the player."""

    player: str
    radius: int

    def topic(self, board: str) -> str:
        """The name of the topic that every watcher of this stretch shares."""
        return f"{board}/around/{self.player}/{self.radius}"


View = Top | Own | Around


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Watch a view of a board; `resume` is what the client holds of it."""

    id: Id
    board: str
    view: View
    resume: Resume | None = None


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


Request = Subscribe | Unsubscribe | Authenticate | Ping


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
            if not isinstance(token, str):
                raise MessageInvalid("auth carries a token")
            # How long one may be is for the verifier to say: here as in a header, one that is longer is refused as any other.
            return Authenticate(token)
        case "ping":
            return Ping()
    raise MessageInvalid("op must be subscribe, unsubscribe, auth or ping")


def _subscribe(message: dict[str, Any]) -> Subscribe:
    request = _id(message)
    return Subscribe(request, check_id(message.get("board"), "board"), view(message), _resume(message.get("resume")))


def view(fields: Mapping[str, Any]) -> View:
    """What `view`, `limit`, `player` and `radius` ask for. Raises FieldInvalid, IdInvalid."""
    match fields.get("view"):
        case "top":
            limit = fields.get("limit", TOP_LIMITS[0])
            if limit not in TOP_LIMITS or isinstance(limit, bool):
                raise FieldInvalid(f"limit must be one of {', '.join(map(str, TOP_LIMITS))}")
            return Top(int(limit))
        case "player":
            return Own(check_id(fields.get("player", ME), "player"))
        case "around":
            radius = fields.get("radius", DEFAULT_RADIUS)
            if isinstance(radius, bool) or not isinstance(radius, int) or not 1 <= radius <= MAX_RADIUS:
                raise FieldInvalid(f"radius must be a whole number from 1 to {MAX_RADIUS}")
            return Around(check_id(fields.get("player", ME), "player"), radius)
    raise FieldInvalid("view must be top, player or around")


def _resume(value: object) -> Resume | None:
    if value is None:
        return None
    if isinstance(value, dict):
        epoch, version = value.get("epoch"), value.get("version")
        if _counts(epoch) and _counts(version):
            return epoch, version
    raise FieldInvalid("resume is an object with the epoch and the version that you hold")


def _counts(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= INT64_MAX


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
    """The whole list of a top at one version."""
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
    return orjson.dumps(_check(topic, window.epoch, window.version, window.total, checksum(window.rows[:limit])))


def _check(topic: str, epoch: int, version: int, total: int, crc: int) -> dict[str, Any]:
    return {"type": "check", "topic": topic, "epoch": epoch, "version": version, "total": total, "crc": crc}


def snapshot_around(topic: str, around: Around, stretch: AroundPoint) -> bytes:
    """The stretch around a player at one version, by the position of its first row.

    That is null, and there are no rows, while the player is not ranked.
    """
    return orjson.dumps(
        {
            "type": "snapshot",
            "topic": topic,
            "epoch": stretch.epoch,
            "version": stretch.version,
            "total": stretch.total,
            "ranks": stretch.spec.ranks,
            "limit": 2 * around.radius + 1,
            "player": around.player,
            "radius": around.radius,
            "position": stretch.position,
            "entries": entries(stretch.rows, stretch.spec.ranks, stretch.rank or 1, stretch.position or 0),
        }
    )


def delta_around(topic: str, stretch: AroundPoint, since: int, ops: Sequence[deltas.Op]) -> bytes:
    """What leads from version `since` to this stretch, with the position and the rank of its first row."""
    return orjson.dumps(
        {
            "type": "delta",
            "topic": topic,
            "epoch": stretch.epoch,
            "from": since,
            "to": stretch.version,
            "total": stretch.total,
            "position": stretch.position,
            "rank": stretch.shown(),
            "ops": ops,
        }
    )


def check_around(topic: str, stretch: AroundPoint) -> bytes:
    """As `check`, for the stretch around a player."""
    told = _check(topic, stretch.epoch, stretch.version, stretch.total, checksum(stretch.rows))
    return orjson.dumps({**told, "position": stretch.position})


def rank(topic: str, place: PlayerPoint, since: PlayerPoint, passed_by: Sequence[str]) -> bytes:
    """Where a player stands, after having stood at `since`; the two are one in a first answer.

    Rank, position, score and seq are null while the player is not ranked; `moved` is 0 where there is a rank on one side only.
    """
    now, before = place.shown(), since.shown()
    score, seq = sortkey.decode(place.spec.columns, place.key) if place.key else (None, None)
    return orjson.dumps(
        {
            "type": "rank",
            "topic": topic,
            "epoch": place.epoch,
            "from": since.version,
            "version": place.version,
            "rank": now,
            "position": place.position,
            "score": None if score is None else wire_score(score),
            "seq": seq,
            "of": place.total,
            "moved": 0 if now is None or before is None else before - now,
            "passed_by": passed_by,
        }
    )


def check_player(topic: str, player: str, place: PlayerPoint) -> bytes:
    """As `check`, for one player: the checksum is of one line without a name, or of none; `rank` is to be compared, too."""
    line = f"{player}\t{sortkey.decode(place.spec.columns, place.key)[1]}\t\n" if place.key else ""
    told = _check(topic, place.epoch, place.version, place.total, crc32(line.encode()))
    return orjson.dumps({**told, "rank": place.shown()})


def drain(reconnect_in_ms: int) -> bytes:
    """The node leaves: wait this long, come back, resume."""
    return orjson.dumps({"type": "drain", "reconnect_in_ms": reconnect_in_ms})


def checksum(rows: Sequence[Row]) -> int:
    """CRC-32 of the UTF-8 lines `player TAB seq TAB name NEWLINE` of a list."""
    return crc32("".join([f"{row.player}\t{row.seq}\t{row.name}\n" for row in rows]).encode())


def closed(why: Close) -> bytes:
    """What a close frame says, for those who are told by server-sent events."""
    return orjson.dumps({"type": "closed", "code": why.code, "reason": why.reason})


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
