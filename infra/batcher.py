"""Gathers what arrives together into one transaction.

While batches are in flight the next one fills: the busier the node, the larger its batches, and nobody waits for a timer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from realtime.core.errors import Overloaded, RankcastError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from realtime.core.fold import Submission
    from realtime.core.ports import Result, Submissions


class _Request:
    """Submissions that were sent together: they commit together, in their order."""

    __slots__ = ("future", "submissions")

    def __init__(self, submissions: Sequence[Submission], future: asyncio.Future[list[Result]]) -> None:
        self.submissions = submissions
        self.future = future

    def take(self, results: list[Result]) -> None:
        if not self.future.done():
            self.future.set_result(results)

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Batcher:
    """At most `in_flight` transactions at once; at most `limit` submissions wait. `committed` is told after each how many it took.

    A transaction takes whole requests until it has `size` submissions: what was sent together is never split, so that one
    player's scores in one request count in the order in which they stand there.
    """

    def __init__(
        self, submissions: Submissions, *, size: int, in_flight: int, limit: int, committed: Callable[[int], None]
    ) -> None:
        self._submissions = submissions
        self._size = size
        self._limit = limit
        self._in_flight = in_flight
        self._committed = committed
        self._queue: deque[_Request] = deque()
        self._waiting = 0
        self.refused = 0
        """Submissions that were not taken for want of room."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Submissions that wait for a transaction."""
        return self._waiting

    async def submit(self, submissions: Sequence[Submission]) -> list[Result]:
        """Commit them; one result each, in order. Raises Overloaded, StoreUnavailable."""
        if not submissions:
            return []
        if self._waiting + len(submissions) > self._limit:
            self.refused += len(submissions)
            raise Overloaded("too many submissions wait to be committed")
        request = _Request(submissions, asyncio.get_running_loop().create_future())
        self._queue.append(request)
        self._waiting += len(submissions)
        self._work()
        return await request.future

    def _work(self) -> None:
        if self._queue and len(self._tasks) < self._in_flight:
            task = asyncio.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        """A defect fails the batch that it met, is reported, and does not leave the others waiting."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            loop = asyncio.get_running_loop()
            loop.call_exception_handler({"message": "a batch could not be committed", "exception": error})
        if not task.cancelled():
            self._work()

    async def _drain(self) -> None:
        # One turn of the loop lets everything that is readable now join the batch.
        await asyncio.sleep(0)
        while self._queue:
            await self._commit(self._next())

    def _next(self) -> list[_Request]:
        """The next batch. Each of those in flight takes its share, so that one does not go half empty."""
        share = -(-self._waiting // max(1, self._in_flight - len(self._tasks) + 1))
        wanted = min(self._size, share)
        batch: list[_Request] = []
        while self._queue and wanted > 0:
            batch.append(self._queue.popleft())
            wanted -= len(batch[-1].submissions)
            self._waiting -= len(batch[-1].submissions)
        return batch

    async def _commit(self, batch: Sequence[_Request]) -> None:
        try:
            results = await self._submissions.submit(
                [submission for request in batch for submission in request.submissions]
            )
        except RankcastError as error:
            for request in batch:
                request.fail(error)
            return
        except BaseException:
            for request in batch:
                request.fail(RankcastError("the batch failed"))
            raise
        self._committed(len(results))
        start = 0
        for request in batch:
            end = start + len(request.submissions)
            request.take(results[start:end])
            start = end

    async def close(self) -> None:
        """Let what was accepted commit."""
        while self._tasks:
            await asyncio.wait(self._tasks)
