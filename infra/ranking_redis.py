"""The ranking in Redis (or Valkey): every change and every read of a board is one script."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError, ResponseError

from realtime.core import announcement, record
from realtime.core.errors import BoardChanged, RankingRefused, RankingUnavailable
from realtime.core.model import WINDOW, Standing
from realtime.core.ports import Page, Places, Standings, Stretch, Stretches
from realtime.core.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from redis.asyncio import Redis

    from realtime.core.announcement import Origin, Past
    from realtime.core.model import BoardKey, Column, Row
    from realtime.core.outbox import Packed

_FOLDER: Final = Path(__file__).parent / "lua"
STREAM_ENTRIES: Final = 512
MARK_MS: Final = 30_000
_SCRIPTS: Final = ("apply", "mark", "load", "swap", "top", "page", "standings", "stretches", "places")
_WHOLE_REASONS: Final = (b"missing", b"count")


def name(key: BoardKey, part: str) -> str:
    """The name of one of a board's keys or channels; the braces keep them on one node of a cluster."""
    return f"rc:{{{key.board}.{key.season}}}:{part}"


@contextmanager
def _wrapped() -> Iterator[None]:
    try:
        yield
    except ResponseError as error:
        if type(error) is not ResponseError:
            raise RankingUnavailable(f"Redis: {type(error).__name__}: {error}") from error
        # A script failed on this board's keys: they are not what they should be, and a rebuild replaces them.
        raise RankingRefused("broken") from error
    except (RedisError, OSError, TimeoutError) as error:
        raise RankingUnavailable(f"Redis: {type(error).__name__}: {error}") from error


class RedisRanking:
    """The port `Ranking`. `top_cache` is how many seconds the cached top lives."""

    def __init__(self, redis: Redis, top_cache: int) -> None:
        self._redis = redis
        self._top_cache = top_cache
        shared = (_FOLDER / "record.lua").read_text()
        self._scripts: dict[str, Any] = {
            script: redis.register_script(shared + (_FOLDER / f"{script}.lua").read_text()) for script in _SCRIPTS
        }

    async def _run(self, script: str, key: BoardKey, parts: str, *args: Any) -> Any:
        with _wrapped():
            return await self._scripts[script](keys=[name(key, part) for part in parts.split()], args=args)

    async def apply(self, key: BoardKey, epoch: int, changes: Sequence[Packed], origin: Origin | None = None) -> int:
        """See the port. At most 250 changes a call keep the script short."""
        reply = await self._run(
            "apply",
            key,
            "meta zset hash stream cache mark shadow-zset shadow-hash",
            epoch,
            WINDOW,
            self._top_cache,
            STREAM_ENTRIES,
            name(key, "top"),
            name(key, "moves"),
            record.pack_array(changes),
            announcement.encode_origin(origin),
        )
        if reply[0] == b"refused":
            raise RankingRefused(reply[1].decode())
        if reply[0] == b"invalid":
            raise RankingRefused("invalid")
        return int(reply[1])

    async def mark(self, key: BoardKey, epoch: int) -> bool:
        """See the port."""
        return bool(await self._run("mark", key, "mark shadow-zset shadow-hash", epoch, MARK_MS))

    async def load(self, key: BoardKey, epoch: int, width: int, changes: Sequence[Packed]) -> bool:
        """See the port."""
        parts = "mark shadow-zset shadow-hash"
        return bool(await self._run("load", key, parts, epoch, MARK_MS, width, record.pack_array(changes)))

    async def swap(self, key: BoardKey, epoch: int, width: int) -> bool:
        """See the port."""
        parts = "meta zset hash stream cache mark shadow-zset shadow-hash"
        channels = name(key, "top"), name(key, "moves")
        return bool(await self._run("swap", key, parts, epoch, width, *channels, STREAM_ENTRIES))

    async def drop(self, key: BoardKey) -> None:
        """See the port."""
        parts = "meta zset hash stream cache mark shadow-zset shadow-hash"
        with _wrapped():
            await self._redis.unlink(*(name(key, part) for part in parts.split()))

    async def holds(self, key: BoardKey, epoch: int) -> bool:
        """See the port."""
        try:
            held, _ = await self.position(key)
        except RankingRefused:
            return False
        return held == epoch

    async def position(self, key: BoardKey) -> tuple[int, int]:
        """See the port."""
        reply = await self._run("page", key, "meta zset hash", 0, 0, "", 0)
        _check(reply)
        return reply[0], reply[1]

    async def ping(self) -> None:
        """See the port."""
        with _wrapped():
            await self._redis.ping()

    async def top(self, key: BoardKey, columns: Sequence[Column]) -> Window:
        """See the port."""
        reply = await self._run("top", key, "meta zset hash cache", WINDOW, self._top_cache)
        _check(reply)
        epoch, version, total, rows = reply
        return Window(epoch, version, total, record.rows(columns, record.unpack_array(rows)))

    async def page(self, key: BoardKey, columns: Sequence[Column], offset: int, limit: int) -> Page:
        """See the port."""
        reply = await self._run("page", key, "meta zset hash", offset, limit, "", 0)
        _check(reply)
        return _page(reply, columns)

    async def around(self, key: BoardKey, columns: Sequence[Column], player: str, radius: int) -> Page | None:
        """See the port."""
        reply = await self._run("page", key, "meta zset hash", 0, 0, player, radius)
        _check(reply)
        return None if reply[0] == b"absent" else _page(reply, columns)

    async def standings(self, key: BoardKey, columns: Sequence[Column], players: Sequence[str]) -> Standings:
        """See the port."""
        reply = await self._run("standings", key, "meta zset hash", *players)
        _check(reply)
        epoch, version, total, found = reply
        standings = tuple(
            _standing(columns, player, one) if one else None for player, one in zip(players, found, strict=True)
        )
        return Standings(epoch, version, total, standings)

    async def stretches(self, key: BoardKey, columns: Sequence[Column], asked: Sequence[tuple[str, int]]) -> Stretches:
        """See the port."""
        flat = [one for player, radius in asked for one in (player, radius)]
        reply = await self._run("stretches", key, "meta zset hash", *flat)
        _check(reply)
        epoch, version, total, found, ranks, runs = reply
        rank_at = dict(ranks)
        row_at: dict[int, Row] = {}
        for position, packed in runs:
            row_at.update(enumerate(record.rows(columns, record.unpack_array(packed)), position))
        stretches = [
            Stretch(one[0], rank_at[one[0]], tuple([row_at[at] for at in range(one[0], one[0] + one[1])]))
            if one
            else None
            for one in found
        ]
        return Stretches(epoch, version, total, tuple(stretches))

    async def places(self, key: BoardKey, keys: Sequence[bytes]) -> Places:
        """See the port."""
        reply = await self._run("places", key, "meta zset hash", *keys)
        _check(reply)
        if reply[0] == b"width":
            raise BoardChanged("the ranking has keys of another length")
        epoch, version, total, flat = reply
        return Places(epoch, version, total, tuple(zip(flat[::2], flat[1::2], strict=True)))

    async def history(self, key: BoardKey, columns: Sequence[Column], epoch: int, since: int) -> list[Past]:
        """See the port. One command: what it answers stood in the stream at one moment."""
        with _wrapped():
            reply: Any = await self._redis.xrange(name(key, "stream"), f"{epoch}-{max(0, since)}")
        return announcement.decode_history(columns, epoch, since, [(one.decode(), entry) for one, entry in reply])

    async def seq(self, key: BoardKey, player: str) -> int:
        """See the port."""
        with _wrapped():
            packed: Any = await self._redis.hget(name(key, "hash"), player)
        return 0 if packed is None else record.unpack(player, packed).seq


def _check(reply: list[Any]) -> None:
    if reply[0] in _WHOLE_REASONS:
        raise RankingRefused(reply[0].decode())


def _page(reply: list[Any], columns: Sequence[Column]) -> Page:
    epoch, version, total, position, rank, rows = reply
    return Page(epoch, version, total, position, rank, record.rows(columns, record.unpack_array(rows)))


def _standing(columns: Sequence[Column], player: str, found: list[Any]) -> Standing:
    packed, position, rank = found
    change = record.unpack(player, packed)
    return Standing(record.row(columns, player, change.key, change.display), position, rank, change.metadata)
