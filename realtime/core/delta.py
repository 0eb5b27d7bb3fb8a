"""From one list to another in a few operations, each acting on the list as the one before left it.

`("out", i)` takes a row out · `("in", i, row)` puts one in · `("move", i, j, patch)` takes out at i, then puts in at j ·
`("set", i, patch)` changes fields in place. A patch names whole top-level fields.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from realtime.core.scores import wire_score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realtime.core.model import Row

Op = tuple[Any, ...]
Patch = dict[str, Any]


def entry(row: Row) -> dict[str, Any]:
    """A row as JSON carries it, without its rank: that follows from the order."""
    return {
        "player": row.player,
        "name": row.name,
        "score": wire_score(row.score),
        "seq": row.seq,
        "country": row.country,
        "picture": row.picture,
    }


def patch(old: Row, new: Row) -> Patch:
    """The top-level fields in which `new` differs from `old`."""
    changed: Patch = {}
    if old.player != new.player:
        changed["player"] = new.player
    if old.name != new.name:
        changed["name"] = new.name
    if old.score != new.score:
        changed["score"] = wire_score(new.score)
    if old.seq != new.seq:
        changed["seq"] = new.seq
    if old.country != new.country:
        changed["country"] = new.country
    if old.picture != new.picture:
        changed["picture"] = new.picture
    return changed


def diff(old: Sequence[Row], new: Sequence[Row]) -> list[Op]:
    """Operations that turn `old` into `new`. Only rows outside a longest common order are moved."""
    start, end = _unchanged_ends(old, new)
    before, after = old[start : len(old) - end], new[start : len(new) - end]
    rows = {row.player: row for row in after}
    ops: list[Op] = []
    work = list(before)
    for index in range(len(work) - 1, -1, -1):
        if work[index].player not in rows:
            del work[index]
            ops.append(("out", start + index))
    places = {row.player: index for index, row in enumerate(work)}
    _move(ops, work, [row for row in after if row.player in places], places, start)
    for index, row in enumerate(after):
        if row.player not in places:
            work.insert(index, row)
            ops.append(("in", start + index, entry(row)))
        elif work[index] is not row and (changed := patch(work[index], row)):
            ops.append(("set", start + index, changed))
    return ops


def _move(ops: list[Op], work: list[Row], common: list[Row], places: dict[str, int], start: int) -> None:
    """Bring `work` into the order of `common`: each mover goes right behind the settled row before it."""
    settled = _longest_increasing([places[row.player] for row in common])
    if len(settled) == len(common):
        return
    order = [row.player for row in work]
    previous: str | None = None
    for index, row in enumerate(common):
        if index not in settled:
            source = order.index(row.player)
            del order[source]
            target = order.index(previous) + 1 if previous is not None else 0
            order.insert(target, row.player)
            was = work.pop(source)
            work.insert(target, row)
            ops.append(("move", start + source, start + target, patch(was, row)))
        previous = row.player


def _unchanged_ends(old: Sequence[Row], new: Sequence[Row]) -> tuple[int, int]:
    shorter = min(len(old), len(new))
    start = 0
    while start < shorter and old[start] == new[start]:
        start += 1
    end = 0
    while end < shorter - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return start, end


def _longest_increasing(values: Sequence[int]) -> set[int]:
    """Indexes of a longest increasing subsequence (patience sorting; values are distinct)."""
    tails: list[int] = []
    tail_indexes: list[int] = []
    before: list[int] = []
    for index, value in enumerate(values):
        pile = bisect_left(tails, value)
        before.append(tail_indexes[pile - 1] if pile else -1)
        tails[pile : pile + 1] = [value]
        tail_indexes[pile : pile + 1] = [index]
    chosen = set()
    index = tail_indexes[-1] if tail_indexes else -1
    while index >= 0:
        chosen.add(index)
        index = before[index]
    return chosen


def apply(entries: list[dict[str, Any]], ops: Sequence[Sequence[Any]]) -> None:
    """Apply operations to a list of wire entries, in place: what every client does."""
    for op in ops:
        match op[0]:
            case "out":
                del entries[op[1]]
            case "in":
                entries.insert(op[1], dict(op[2]))
            case "move":
                moved = entries.pop(op[1])
                entries.insert(op[2], moved | op[3])
            case "set":
                entries[op[1]] = entries[op[1]] | op[2]
            case unknown:
                raise ValueError(f"unknown operation {unknown!r}")
