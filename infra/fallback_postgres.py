"""Reads from the replica while Redis is away: the top from the materialised view, the rest from the entries.

Bounded by the pool's statement time-out; what cannot be counted in that time is left out rather than waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from infra.postgres import wrapped
from realtime.core import record, sortkey
from realtime.core.errors import StoreUnavailable
from realtime.core.model import Profile, Row, Standing
from realtime.core.ports import Page, Standings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.postgres import Pool
    from realtime.core.model import Board

_VIEW_ROWS: Final = 1000
_COUNTED: Final = "board_id = $1 AND season = $2 AND sort_key IS NOT NULL"
_FROM_VIEW: Final = f"""
SELECT player, sort_key, name, country, picture FROM leaderboard_ranking
WHERE {_COUNTED} ORDER BY sort_key OFFSET $3 LIMIT $4
"""  # noqa: S608 - no value of a caller's is in it
_FROM_ENTRIES: Final = f"""
SELECT e.player, e.sort_key, p.name, p.country, p.picture
FROM (SELECT player, sort_key FROM entry WHERE {_COUNTED} ORDER BY sort_key OFFSET $3 LIMIT $4) AS e
LEFT JOIN player AS p ON p.player = e.player ORDER BY e.sort_key
"""  # noqa: S608 - as above
_PLAYERS: Final = """
SELECT e.player, e.sort_key, e.metadata, p.name, p.country, p.picture
FROM entry AS e LEFT JOIN player AS p ON p.player = e.player
WHERE e.board_id = $1 AND e.season = $2 AND e.sort_key IS NOT NULL AND e.player = ANY ($3)
"""
_BEFORE: Final = f"""
SELECT (SELECT count(*) FROM entry WHERE {_COUNTED} AND sort_key < wanted.key)
FROM unnest($3::bytea[]) WITH ORDINALITY AS wanted(key, ord) ORDER BY wanted.ord
"""  # noqa: S608 - as above
_BEFORE_IN_VIEW: Final = _BEFORE.replace("FROM entry", "FROM leaderboard_ranking")
_AGE: Final = """
SELECT seq, extract(epoch FROM clock_timestamp() - updated_at)::float8 FROM entry
WHERE player = $3 AND board_id = $1 AND season = $2 AND sort_key IS NOT NULL
"""
_FIND: Final = """
SELECT player FROM (
    SELECT player FROM (
        SELECT player, board_id, season, sort_key FROM entry
        WHERE player >= $3 AND player < $3 || $4 ORDER BY player LIMIT $5
    ) AS so WHERE board_id = $1 AND season = $2 AND sort_key IS NOT NULL
    UNION
    SELECT named.player FROM (
        SELECT player FROM player
        WHERE lower(name COLLATE "pg_c_utf8") >= lower($3 COLLATE "pg_c_utf8")
          AND lower(name COLLATE "pg_c_utf8") < lower($3 COLLATE "pg_c_utf8") || $4
        ORDER BY lower(name COLLATE "pg_c_utf8") LIMIT $5
    ) AS named JOIN entry ON entry.player = named.player
    WHERE board_id = $1 AND season = $2 AND sort_key IS NOT NULL
) AS found ORDER BY player LIMIT $6
"""
_HIGHEST: Final = "\U0010ffff"
"""Sorts behind every other character."""
_LOOKED_AT: Final = 2000
"""How many who begin so are looked at, by id and by name each."""
_TOTAL: Final = f"SELECT count(*) FROM entry WHERE {_COUNTED}"  # noqa: S608 - as above


class PostgresFallback:
    """The port `Fallback` on the replica. Every call raises StoreUnavailable where it does not answer in time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, board: Board, offset: int, limit: int) -> Page:
        """See the port."""
        if offset + limit <= _VIEW_ROWS:
            with wrapped():
                rows = await self._pool.fetch(_FROM_VIEW, board.key.board, board.key.season, offset, limit)
            if rows:
                return await self._page(board, offset, rows, _BEFORE_IN_VIEW)
        return await self._from_entries(board, offset, limit)

    async def _from_entries(self, board: Board, offset: int, limit: int) -> Page:
        with wrapped():
            rows = await self._pool.fetch(_FROM_ENTRIES, board.key.board, board.key.season, offset, limit)
        return await self._page(board, offset, rows, _BEFORE)

    async def _page(self, board: Board, offset: int, rows: Sequence[Any], before_in: str) -> Page:
        """A stretch of these rows. Ranks are counted where the rows come from: the view is older than the entries."""
        ranked = tuple(_row(board, row) for row in rows)
        total = await self._total(board)
        rank = 0
        if ranked:
            before = await self._before(board, [sortkey.columns_of(ranked[0].key)], before_in)
            rank = (offset if before is None else before[0]) + 1
        return Page(0, 0, total if total is not None else offset + len(ranked), offset, rank, ranked, stale=True)

    async def around(self, board: Board, player: str, radius: int) -> Page | None:
        """See the port."""
        found = (await self.standings(board, [player])).standings[0]
        if found is None:
            return None
        if found.position < 0:
            raise StoreUnavailable("the neighbours could not be counted in time")
        start = max(0, found.position - radius)
        # Not from the view: the player may stand elsewhere there, or not at all.
        return await self._from_entries(board, start, found.position + radius + 1 - start)

    async def standings(self, board: Board, players: Sequence[str]) -> Standings:
        """See the port."""
        where = board.key.board, board.key.season
        with wrapped():
            rows = {row["player"]: row for row in await self._pool.fetch(_PLAYERS, *where, list(players))}
        keys = [key for row in rows.values() for key in (row["sort_key"], sortkey.columns_of(row["sort_key"]))]
        before = await self._before(board, keys)
        counted = dict(zip(keys, before, strict=True)) if before is not None else {}
        standings = [_standing(board, rows[player], counted) if player in rows else None for player in players]
        return Standings(0, 0, await self._total(board) or 0, tuple(standings), stale=True)

    async def age(self, board: Board, player: str) -> tuple[int, float] | None:
        """See the port."""
        with wrapped():
            row = await self._pool.fetchrow(_AGE, board.key.board, board.key.season, player)
        # A replica's clock is another one than the primary's.
        return None if row is None else (row[0], max(0.0, row[1]))

    async def find(self, board: Board, beginning: str, limit: int) -> list[str]:
        """See the port."""
        asked = board.key.board, board.key.season, beginning, _HIGHEST, _LOOKED_AT, limit
        with wrapped():
            return [row[0] for row in await self._pool.fetch(_FIND, *asked)]

    async def _total(self, board: Board) -> int | None:
        """How many are ranked, or None where counting takes longer than the time-out."""
        try:
            with wrapped():
                total: int = await self._pool.fetchval(_TOTAL, board.key.board, board.key.season)
        except StoreUnavailable:
            return None
        return total

    async def _before(self, board: Board, keys: Sequence[bytes], query: str = _BEFORE) -> list[int] | None:
        """How many stand before each key: one statement, so one time-out for all. None where it takes longer."""
        try:
            with wrapped():
                rows = await self._pool.fetch(query, board.key.board, board.key.season, keys)
        except StoreUnavailable:
            return None
        return [row[0] for row in rows]


def _standing(board: Board, found: Any, before: Mapping[bytes, int]) -> Standing:
    row = _row(board, found)
    position = before.get(row.key, -1)
    rank = before.get(sortkey.columns_of(row.key), -1) + 1
    return Standing(row, position, rank, found["metadata"] or b"")


def _row(board: Board, row: Any) -> Row:
    profile = Profile(row["name"], row["country"], row["picture"])
    return record.row(board.spec.columns, row["player"], row["sort_key"], record.display(profile))
