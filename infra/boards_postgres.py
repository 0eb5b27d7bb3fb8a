"""Boards in PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from infra.postgres import ANNOUNCE, untraced, wrapped
from realtime.core import boarddoc, outbox
from realtime.core.errors import BoardHasEntries, BoardUnknown
from realtime.core.model import Board, BoardKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.postgres import Connection, Pool, TraceOf
    from realtime.core.model import BoardSpec

_SELECT: Final = "SELECT id, name, document::text, revision, season FROM board WHERE deleted_at IS NULL"
_INSERT: Final = """
INSERT INTO board (name, document) VALUES ($1, $2::jsonb)
ON CONFLICT (name) WHERE deleted_at IS NULL DO NOTHING
RETURNING id, name, document::text, revision, season
"""
_UPDATE: Final = """
UPDATE board SET document = $2::jsonb, revision = revision + 1, updated_at = now()
WHERE id = $1 RETURNING id, name, document::text, revision, season
"""
_NEW_EPOCH: Final = "UPDATE season SET epoch = nextval('epoch_seq') WHERE board_id = $1 AND season = $2"
_HAS_ENTRIES: Final = "SELECT EXISTS (SELECT FROM entry WHERE board_id = $1 AND season = $2)"


class PostgresBoards:
    """The port `Boards` on the primary. Every call raises StoreUnavailable where PostgreSQL does not answer."""

    def __init__(self, pool: Pool, trace: TraceOf = untraced) -> None:
        self._pool = pool
        self._trace = trace

    async def all(self) -> list[Board]:
        """Every board, by name."""
        with wrapped():
            return [_board(row) for row in await self._pool.fetch(f"{_SELECT} ORDER BY name")]

    async def get(self, name: str) -> Board:
        """The board of this name. Raises BoardUnknown."""
        with wrapped():
            row = await self._pool.fetchrow(f"{_SELECT} AND name = $1", name)
        if row is None:
            raise BoardUnknown(f"there is no board {name!r}")
        return _board(row)

    async def by_keys(self, keys: Sequence[BoardKey]) -> dict[BoardKey, Board]:
        """Those of `keys` that still are a board's current season."""
        with wrapped():
            rows = await self._pool.fetch(f"{_SELECT} AND id = ANY ($1)", [key.board for key in keys])
        wanted = set(keys)
        return {board.key: board for board in map(_board, rows) if board.key in wanted}

    async def put(self, name: str, spec: BoardSpec) -> tuple[Board, bool]:
        """Create or edit a board; tells whether it was created. An edit raises the epoch.

        Raises BoardHasEntries where columns or operator would change under entries.
        """
        document = orjson.dumps(boarddoc.render(spec)).decode()
        with wrapped():
            async with self._pool.acquire() as connection, connection.transaction():
                row = await connection.fetchrow(_INSERT, name, document)
                if row is not None:
                    board = _board(row)
                    await connection.execute(
                        "INSERT INTO season (board_id, season) VALUES ($1, $2)", board.key.board, board.key.season
                    )
                    await self._announce(connection, board.key)
                    return board, True
                return await self._edit(connection, name, spec, document), False

    async def delete(self, name: str) -> Board:
        """Take a board away; its id is never used again. Raises BoardUnknown."""
        with wrapped():
            async with self._pool.acquire() as connection, connection.transaction():
                board = await _locked(connection, name)
                await connection.execute("UPDATE board SET deleted_at = now() WHERE id = $1", board.key.board)
                await self._announce(connection, board.key)
                return board

    async def _edit(self, connection: Connection, name: str, spec: BoardSpec, document: str) -> Board:
        board = await _locked(connection, name)
        if board.spec == spec:
            return board
        fixed = (board.spec.columns, board.spec.operator) == (spec.columns, spec.operator)
        if not fixed and await connection.fetchval(_HAS_ENTRIES, board.key.board, board.key.season):
            raise BoardHasEntries("columns and operator are fixed once a board has entries")
        edited = _board(await connection.fetchrow(_UPDATE, board.key.board, document))
        await connection.execute(_NEW_EPOCH, board.key.board, board.key.season)
        await self._announce(connection, board.key)
        return edited

    async def _announce(self, connection: Connection, key: BoardKey) -> None:
        await connection.execute(ANNOUNCE, outbox.encode({key: []}), self._trace())


async def _locked(connection: Connection, name: str) -> Board:
    """The board under the lock that keeps batches out: what they were checked against holds until they commit."""
    row = await connection.fetchrow(f"{_SELECT} AND name = $1", name)
    if row is None:
        raise BoardUnknown(f"there is no board {name!r}")
    await connection.execute("SELECT pg_advisory_xact_lock(1, $1)", row["id"])
    row = await connection.fetchrow(f"{_SELECT} AND id = $1", row["id"])
    if row is None:
        raise BoardUnknown(f"there is no board {name!r}")
    return _board(row)


def _board(row: Any) -> Board:
    spec = boarddoc.parse(orjson.loads(row["document"]))
    return Board(BoardKey(row["id"], row["season"]), row["name"], spec, row["revision"])
