"""Profiles and removals in PostgreSQL. Both are changes like a score: a new seq, and a row in the outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from infra.postgres import ANNOUNCE, untraced, wrapped
from realtime.core import outbox, record
from realtime.core.errors import PlayerUnknown
from realtime.core.model import Board, BoardKey, Change, Profile
from realtime.core.pictures import Portrait

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.postgres import Connection, Pool, TraceOf

_PROFILE: Final = "SELECT name, country, picture, seq FROM player WHERE player = $1"
_LOCK_ENTRY: Final = """
SELECT sort_key FROM entry WHERE player = $1 AND board_id = $2 AND season = $3 FOR NO KEY UPDATE
"""
_BURY: Final = """
UPDATE entry SET seq = nextval('change_seq'), sort_key = NULL, c1 = NULL, c2 = NULL, c3 = NULL, c4 = NULL,
                 metadata = NULL, updated_at = now()
WHERE player = $1 AND board_id = $2 AND season = $3 RETURNING seq
"""
_WRITE_PROFILE: Final = """
UPDATE player SET name = $2, country = $3, picture = $4, seq = nextval('change_seq') WHERE player = $1
RETURNING name, country, picture, seq
"""
_PORTRAY: Final = "UPDATE player SET picture_at = $2 WHERE player = $1 AND picture_at <= $2 RETURNING picture_at"
_REFUSE: Final = """
INSERT INTO player (player, refused, refused_at) VALUES ($1, $2, $3)
ON CONFLICT (player) DO UPDATE SET refused = $2, refused_at = $3 WHERE player.refused_at <= $3
"""
_PORTRAIT: Final = "SELECT picture, picture_at, refused_at, coalesce(refused, '') FROM player WHERE player = $1"
_ENTRIES: Final = "SELECT board_id, season, seq, sort_key, metadata FROM entry WHERE player = $1 AND seq > 0"


class PostgresPlayers:
    """The port `Players` on the primary. Every call raises StoreUnavailable where PostgreSQL does not answer."""

    def __init__(self, pool: Pool, trace: TraceOf = untraced) -> None:
        self._pool = pool
        self._trace = trace

    async def put(self, player: str, fields: Mapping[str, str | None]) -> Profile:
        """Set fields (name, country, picture) of a profile and show it on each of the player's boards."""
        with wrapped():
            async with self._pool.acquire() as connection, connection.transaction():
                return await self._put(connection, player, await _lock(connection, player), fields)

    async def portray(self, player: str, picture: str | None, at: int) -> bool:
        """Set the picture, or take it away, as asked for at this time; False where it is by what was asked for later."""
        with wrapped():
            async with self._pool.acquire() as connection, connection.transaction():
                old = await _lock(connection, player)
                if await connection.fetchval(_PORTRAY, player, at) is None:
                    return False
                await self._put(connection, player, old, {"picture": picture})
                return True

    async def refuse(self, player: str, reason: str, at: int) -> None:
        """See the port."""
        with wrapped():
            await self._pool.execute(_REFUSE, player, reason, at)

    async def portrait(self, player: str) -> Portrait:
        """See the port."""
        with wrapped():
            row = await self._pool.fetchrow(_PORTRAIT, player)
        return Portrait() if row is None else Portrait(*row)

    async def get(self, player: str) -> Profile:
        """A player's profile; the empty one for who never set any."""
        with wrapped():
            row = await self._pool.fetchrow(_PROFILE, player)
        return Profile() if row is None else _profile(row)

    async def remove(self, board: Board, player: str) -> int:
        """Take a player off a board; returns the tombstone's seq. Raises PlayerUnknown where there is no entry."""
        key = board.key
        with wrapped():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock_shared(1, $1)", key.board)
                row = await connection.fetchrow(_LOCK_ENTRY, player, key.board, key.season)
                if row is None or row["sort_key"] is None:
                    raise PlayerUnknown(f"{player!r} is not on board {board.name!r}")
                seq: int = await connection.fetchval(_BURY, player, key.board, key.season)
                profile = _profile(await connection.fetchrow(_PROFILE, player))
                change = Change(player, seq, b"", profile.seq, record.display(profile))
                await connection.execute(ANNOUNCE, outbox.encode({key: [change]}), self._trace())
                return seq

    async def _put(
        self, connection: Connection, player: str, old: Profile, fields: Mapping[str, str | None]
    ) -> Profile:
        wanted = {"name": old.name, "country": old.country, "picture": old.picture, **fields}
        shown = wanted["name"], wanted["country"], wanted["picture"]
        if shown == (old.name, old.country, old.picture):
            return old
        profile = _profile(await connection.fetchrow(_WRITE_PROFILE, player, *shown))
        if changes := await _changes(connection, player, profile):
            await connection.execute(ANNOUNCE, outbox.encode(changes), self._trace())
        return profile


async def _lock(connection: Connection, player: str) -> Profile:
    """The profile, which nobody else may write until the transaction ends."""
    await connection.execute("INSERT INTO player (player) VALUES ($1) ON CONFLICT DO NOTHING", player)
    return _profile(await connection.fetchrow(f"{_PROFILE} FOR NO KEY UPDATE", player))


async def _changes(connection: Connection, player: str, profile: Profile) -> dict[BoardKey, list[Change]]:
    """What a profile changes, on each board of its player."""
    shown = record.display(profile)
    return {
        BoardKey(row["board_id"], row["season"]): [
            Change(player, row["seq"], row["sort_key"] or b"", profile.seq, shown, row["metadata"] or b"")
        ]
        for row in await connection.fetch(_ENTRIES, player)
    }


def _profile(row: Any) -> Profile:
    return Profile(row["name"], row["country"], row["picture"], row["seq"])
