"""Sends the batches of a file, several at once, and says which lines are bad."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from infra.cli.chunks import Chunk
    from infra.cli.rest import Rest


@dataclass(slots=True)
class Tally:
    """What has come of an import so far: lines by what became of them, and bytes of the file that are done.

    Of the lines taken, `known` were taken by an import before; of the others, `improved` changed a standing.
    """

    taken: int = 0
    known: int = 0
    improved: int = 0
    bad: int = 0
    size: int = 0


class Import:
    """One file into one board. At most `in_flight` batches are on their way, and so in memory.

    `heard` is told of the tally after each batch, `refused` of each bad line: its number and what is wrong with it.
    With `stop` nothing more is sent after a bad line; what was on its way arrives.
    """

    def __init__(
        self,
        rest: Rest,
        board: str,
        *,
        in_flight: int,
        stop: bool,
        heard: Callable[[Tally], None],
        refused: Callable[[int, str], None],
    ) -> None:
        self.tally = Tally()
        self._rest = rest
        self._board = board
        self._stop = stop
        self._heard = heard
        self._refused = refused
        self._gate = asyncio.Semaphore(in_flight)

    async def run(self, chunks: Iterable[Chunk]) -> Tally:
        """Send all. Raises ProblemAnswered or ServiceUnreachable when a whole batch fails, FileUnfit."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for chunk in chunks:
                    await self._gate.acquire()
                    if self._stop and self.tally.bad:
                        break
                    tasks.create_task(self._send(chunk))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        return self.tally

    async def _send(self, chunk: Chunk) -> None:
        try:
            bad = dict(chunk.problems)
            for line, result in await self._results(chunk):
                if "code" not in result:
                    self.tally.taken += 1
                    known = result.get("repeated", False)
                    self.tally.known += known
                    self.tally.improved += result["improved"] and not known
                else:
                    bad.setdefault(line, f"{result.get('detail', 'refused')} ({result['code']})")
            self.tally.bad += len(bad)
            self.tally.size += chunk.size
            for line in sorted(bad):
                self._refused(line, bad[line])
            self._heard(self.tally)
        finally:
            self._gate.release()

    async def _results(self, chunk: Chunk) -> Iterable[tuple[int, dict[str, Any]]]:
        if len(chunk.problems) == len(chunk.rows):
            return ()
        results = await self._rest.submit_batch(self._board, chunk.rows, chunk.key)
        return zip(chunk.lines, results, strict=True)
