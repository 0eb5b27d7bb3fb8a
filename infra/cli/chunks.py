"""How a file becomes batches that may be sent again without counting twice.

The key of a batch names the file (by its name) and the batch's place in it, and a row's place in its batch follows
from its place in the file: what was taken is answered for again, whatever was bad before and is mended now, and whatever
was appended since. A bad line keeps its place with `None`, which the service refuses and does not remember.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.cli.rows import Line

SIZE: Final = 1000
"""Rows of a batch: as many as the service takes."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One batch. `lines` has each row's line in the file, `problems` what is wrong with those that are no rows.

    `size` is how many bytes of the file it is made of.
    """

    key: str
    size: int
    lines: tuple[int, ...]
    rows: tuple[dict[str, Any] | None, ...]
    problems: tuple[tuple[int, str], ...]


def chunks(lines: Iterable[Line], name: str, size: int = SIZE) -> Iterator[Chunk]:
    """Cut the lines of a file into batches. `name` stands for the file in their keys: nothing in the file, for any line of
    it may be the one that is mended.
    """  # noqa: D205 - one thought
    named = blake2b(name.encode(errors="surrogateescape"), digest_size=12).hexdigest()
    rest = iter(lines)
    index = end = 0
    while taken := list(islice(rest, size)):
        yield Chunk(
            key=f"import-{named}-{index}",
            size=taken[-1].end - end,
            lines=tuple(line.number for line in taken),
            rows=tuple(line.row for line in taken),
            problems=tuple((line.number, line.problem) for line in taken if line.row is None),
        )
        index, end = index + 1, taken[-1].end
