"""Boards and submissions as the store's suites write them."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from realtime.core.fold import Outcome, Submission
from realtime.core.model import BoardSpec, Operator
from tests.changes import COLUMNS

if TYPE_CHECKING:
    from realtime.core.model import Board
    from realtime.core.ports import Result
    from tests.contract.adapters import Stored


def spec(operator: Operator = Operator.BEST, **fields: Any) -> BoardSpec:
    return BoardSpec(**{"title": "Contest", "columns": COLUMNS, "operator": operator, **fields})


async def board(stored: Stored, operator: Operator = Operator.BEST, name: str = "contest", **fields: Any) -> Board:
    """A new board, with nothing left in the outbox."""
    made, created = await stored.boards.put(name, spec(operator, **fields))
    assert created
    await stored.sent()
    return made


def submission(
    board: Board,
    player: str,
    *score: int,
    name: str | None = None,
    metadata: bytes = b"",
    key: str = "",
    body: str | None = None,
) -> Submission:
    """`key` is an idempotency key, `body` stands for what was sent under it (the score, unless told)."""
    if not key:
        return Submission(board=board, player=player, score=score, name=name, metadata=metadata)
    return Submission(
        board=board,
        player=player,
        score=score,
        name=name,
        metadata=metadata,
        key=blake2b(key.encode(), digest_size=16).digest(),
        body=(body or f"{player} {score} {name}").encode(),
    )


async def send(stored: Stored, *batch: Submission) -> list[Result]:
    return await stored.submissions.submit(batch)


async def take(stored: Stored, *batch: Submission) -> list[Outcome]:
    """Send what must be accepted."""
    results = await send(stored, *batch)
    for result in results:
        assert isinstance(result, Outcome), result
    return [result for result in results if isinstance(result, Outcome)]


async def standing(stored: Stored, board: Board) -> dict[str, tuple[tuple[int, ...], int]]:
    """Score and seq of everybody who is ranked, best first."""
    state = await stored.state(board)
    return {row.player: (row.score, row.seq) for row in state.stretch(0, 10_000)}
