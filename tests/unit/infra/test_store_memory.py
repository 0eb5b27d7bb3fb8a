from __future__ import annotations

from infra.store_memory import KEPT, MemoryBoards, MemoryStore, MemorySubmissions
from realtime.core.fold import Outcome
from realtime.core.model import Operator
from tests.contract.sending import spec, submission


async def test_an_idempotency_key_is_free_again_after_a_day_and_not_kept_longer() -> None:
    now = [0.0]
    store = MemoryStore(clock=lambda: now[0])
    board, _ = await MemoryBoards(store).put("b", spec(Operator.SUM))

    async def send(key: str) -> Outcome:
        (outcome,) = await MemorySubmissions(store).submit([submission(board, "ada", 1, 0, key=key)])
        assert isinstance(outcome, Outcome)
        return outcome

    first = await send("k")
    await send("l")
    now[0] = KEPT
    assert await send("k") == first
    now[0] += 1
    assert (await send("k")).best == (3, 0)
    assert len(store.answers) == 1
