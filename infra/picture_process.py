"""Pictures are decoded in a process of their own, for each a new one: whoever uploads decides what a decoder does with its time.

A progressive JPEG of 90 kB can keep a decoder busy for minutes, and a thread cannot be stopped. The process is ended when its time is
over, has its memory bounded, opens no file to write, and knows nothing that is worth knowing: no setting, no password, no connection.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Final

import msgpack

from infra.picture_pillow import squares
from realtime.core.errors import PictureRefused, PicturesUnavailable
from realtime.core.record import UNPACK_ERRORS

if TYPE_CHECKING:
    from collections.abc import Sequence

MEMORY: Final = 2**30
"""Bytes of address space of one process: the largest picture that is taken needs 600 MB."""
SECONDS: Final = 15.0
"""Until a process is ended. The slowest picture that is meant well takes two."""
ANSWER: Final = 2**20
"""Bytes that a process may answer with; two squares are some 20 kB."""
_FILES: Final = 32


class PictureProcess:
    """Decodes in child processes, one at a time: the others wait for their turn."""

    def __init__(self, *, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self._seconds = seconds
        self._memory = memory
        self._turn = asyncio.Lock()

    async def squares(self, content: bytes, sizes: Sequence[int]) -> dict[int, bytes]:
        """WebP by the pixels of its sides, as `picture_pillow.squares`.

        Raises PictureRefused, also for what takes too long or too much, PicturesUnavailable where no process can be had.
        """
        async with self._turn:
            process = await self._spawn(sizes)
            try:
                async with asyncio.timeout(self._seconds):
                    answer = await _ask(process, content)
                    await process.wait()
            except TimeoutError as error:
                raise PictureRefused("the picture takes too long to decode") from error
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return _read(answer, sizes)

    async def _spawn(self, sizes: Sequence[int]) -> asyncio.subprocess.Process:
        arguments = [str(number) for number in (self._memory, *sizes)]
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                # Nothing is looked for in the current folder.
                *("-P", "-s", "-m", __name__, *arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        except OSError as error:
            raise PicturesUnavailable(f"no process to decode in: {error.strerror or error}") from error


async def _ask(process: asyncio.subprocess.Process, content: bytes) -> bytes:
    """What the process answers, all of it; nothing where that is too much."""
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101 - likewise
    # Who has ended already has closed it.
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(content)
        await process.stdin.drain()
    process.stdin.close()
    try:
        await process.stdout.readexactly(ANSWER + 1)
    except asyncio.IncompleteReadError as whole:
        return whole.partial
    process.kill()
    return b""


def _read(answer: bytes, sizes: Sequence[int]) -> dict[int, bytes]:
    """The squares in an answer. It comes from where somebody's picture was decoded, so it is looked at. Raises PictureRefused."""
    try:
        value = msgpack.unpackb(answer, strict_map_key=False)
    except UNPACK_ERRORS as error:
        raise PictureRefused("the picture takes too much to decode") from error
    if isinstance(value, dict) and list(value) == list(sizes) and all(isinstance(one, bytes) for one in value.values()):
        return value
    raise PictureRefused(value if isinstance(value, str) else "the picture cannot be read")


def main(memory: int, sizes: Sequence[int], source: BinaryIO, answer: BinaryIO) -> None:
    """The child: one picture in, its squares out, or the reason as a text."""
    _bound(memory)
    try:
        made: dict[int, bytes] | str = squares(source.read(), sizes)
    except PictureRefused as refusal:
        made = str(refusal)
    answer.write(msgpack.packb(made))
    answer.flush()


def _bound(memory: int) -> None:
    import resource  # noqa: PLC0415 - the child alone bounds itself

    bounds = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _FILES,
    }
    for what, most in bounds.items():
        # Not every system has every bound; the time is kept from outside.
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main(int(sys.argv[1]), [int(size) for size in sys.argv[2:]], sys.stdin.buffer, sys.stdout.buffer)
