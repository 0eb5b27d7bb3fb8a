"""Submissions in PostgreSQL: one transaction per micro-batch.

Lock everything in key order, draw the seqs, fold in the core, write each row once (`sql/migrations/0002_submit.sql`).
The obvious single upsert statement would draw a row's seq before it waits for the row's lock, fail the whole batch for
one overflow or for a player that is in it twice, and deadlock between nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from infra.postgres import RETRIED, wrapped
from realtime.core import outbox, record, sortkey
from realtime.core.errors import BoardChanged, IdempotencyMismatch, ScoreRefused, StoreUnavailable
from realtime.core.fold import Outcome, Submission, fold
from realtime.core.model import Board, BoardKey, Change, Entry, Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.postgres import Connection
    from infra.warm_postgres import WarmConnections

Result = Outcome | ScoreRefused | IdempotencyMismatch | BoardChanged
Slot = tuple[str, int, int]
"""Player, board, season: an entry's primary key, and the order in which entries are locked."""

_OPEN: Final = "SELECT * FROM open_batch($1, $2, $3, $4, $5, $6, $7, $8)"
_WRITE: Final = f"SELECT write_batch({', '.join(f'${n}' for n in range(1, 23))})"
_OTHER_BOARDS: Final = "SELECT player, board_id, season, seq, sort_key, metadata FROM entry WHERE player = ANY ($1)"
_TRIES: Final = 5


@dataclass(slots=True)
class _Held:
    """What the batch holds locked, and what becomes of it."""

    boards: dict[int, Board]
    slots: list[Slot]
    entries: dict[Slot, Entry]
    profiles: dict[str, Profile]
    stored: dict[bytes, tuple[bytes, bytes]]
    drawn: list[int]
    revisions: dict[int, int | None]
    changed: set[Slot] = field(default_factory=set)
    keys: dict[Slot, bytes] = field(default_factory=dict)
    renamed: set[str] = field(default_factory=set)
    results: list[Result] = field(default_factory=list)
    answers: dict[bytes, tuple[bytes, bytes]] = field(default_factory=dict)


class PostgresSubmissions:
    """The port `Submissions` on the primary."""

    def __init__(self, connections: WarmConnections) -> None:
        self._connections = connections

    async def submit(self, batch: Sequence[Submission]) -> list[Result]:
        """Commit a batch; one result a submission, in its order. Raises StoreUnavailable: then nothing is stored."""
        with wrapped():
            for _ in range(_TRIES):
                try:
                    async with self._connections.transaction() as connection:
                        return await _submit(connection, batch)
                except RETRIED:
                    continue
        raise StoreUnavailable("the batch met concurrent batches too often")


async def _submit(connection: Connection, batch: Sequence[Submission]) -> list[Result]:
    held = await _open(connection, batch)
    for submission, seq in zip(batch, held.drawn, strict=True):
        held.results.append(_answer(held, submission, seq))
    changes = _changes(held)
    if held.renamed:
        await _add_other_boards(connection, held, changes)
    await connection.execute(_WRITE, *_writes(held, batch, changes))
    return held.results


async def _open(connection: Connection, batch: Sequence[Submission]) -> _Held:
    boards = {submission.board.key.board: submission.board for submission in batch}
    keys = {submission.key: submission.body for submission in reversed(batch) if submission.key}
    names: dict[Slot, str | None] = {}
    for submission in batch:
        slot = _slot(submission)
        names[slot] = submission.name or names.get(slot)
    slots = sorted(names)
    row = await connection.fetchrow(
        _OPEN,
        list(boards),
        list(keys),
        list(keys.values()),
        [slot[0] for slot in slots],
        [slot[1] for slot in slots],
        [slot[2] for slot in slots],
        [names[slot] for slot in slots] if any(names.values()) else None,
        len(batch),
    )
    if len(row["seqs"]) != len(slots):
        raise StoreUnavailable("a row that the batch had made is gone")
    stored = zip(row["stored_keys"] or (), row["stored_bodies"] or (), row["stored_results"] or (), strict=True)
    return _Held(
        boards=boards,
        slots=slots,
        entries=dict(zip(slots, _entries(row, slots, boards), strict=True)),
        profiles=_profiles(row),
        stored={key: (body, result) for key, body, result in stored},
        drawn=row["drawn"],
        revisions=dict(zip(boards, row["revisions"], strict=True)),
    )


def _slot(submission: Submission) -> Slot:
    key = submission.board.key
    return submission.player, key.board, key.season


def _entries(row: Any, slots: Sequence[Slot], boards: dict[int, Board]) -> list[Entry]:
    columns = zip(row["c1"], row["c2"], row["c3"], row["c4"], strict=True)
    states = zip(slots, row["seqs"], row["ranked"], columns, row["metadata"], strict=True)
    return [
        Entry(values[: len(boards[slot[1]].spec.columns)] if ranked else None, seq, metadata or b"")
        for slot, seq, ranked, values, metadata in states
    ]


def _profiles(row: Any) -> dict[str, Profile]:
    fields = (row[name] or () for name in ("profiles", "profile_names", "countries", "pictures", "profile_seqs"))
    return {player: Profile(*profile) for player, *profile in zip(*fields, strict=True)}


def _answer(held: _Held, submission: Submission, seq: int) -> Result:
    if submission.board.revision != held.revisions[submission.board.key.board]:
        return BoardChanged(submission.board.name)
    known = held.stored.get(submission.key) or held.answers.get(submission.key) if submission.key else None
    if known is not None:
        return _replay(submission, *known)
    slot = _slot(submission)
    try:
        entry, improved = fold(submission.board.spec, held.entries[slot], submission, seq)
    except ScoreRefused as refusal:
        return refusal
    if improved:
        held.entries[slot] = entry
        held.changed.add(slot)
    profile = held.profiles.get(submission.player)
    if profile is not None and submission.name is not None and submission.name != profile.name:
        held.profiles[submission.player] = Profile(submission.name, profile.country, profile.picture, seq)
        held.renamed.add(submission.player)
    outcome = Outcome(submission.player, submission.score, entry.score or submission.score, improved, entry.seq)
    if submission.key:
        stored = [outcome.score, outcome.best, outcome.improved, outcome.seq]
        held.answers[submission.key] = submission.body, orjson.dumps(stored)
    return outcome


def _replay(submission: Submission, body: bytes, result: bytes) -> Result:
    if body != submission.body:
        return IdempotencyMismatch("this Idempotency-Key was used with another body")
    score, best, improved, seq = orjson.loads(result)
    return Outcome(submission.player, tuple(score), tuple(best), improved, seq, repeated=True)


def _changes(held: _Held) -> dict[BoardKey, list[Change]]:
    """What the ranking has to hear. The profile goes along where it is locked: where it is new to the board, or changed."""
    changes: dict[BoardKey, list[Change]] = {}
    shown = {player: record.display(profile) for player, profile in held.profiles.items()}
    for slot in held.slots:
        player, board, season = slot
        entry = held.entries[slot]
        if slot not in held.changed and not (player in held.renamed and entry.seq):
            continue
        key = b""
        if entry.score is not None:
            key = held.keys[slot] = sortkey.encode(held.boards[board].spec.columns, entry.score, entry.seq)
        seq, display = (held.profiles[player].seq, shown[player]) if player in shown else (0, record.NO_DISPLAY)
        change = Change(player, entry.seq, key, seq, display, entry.metadata)
        changes.setdefault(BoardKey(board, season), []).append(change)
    return changes


async def _add_other_boards(connection: Connection, held: _Held, changes: dict[BoardKey, list[Change]]) -> None:
    """A new name shows on every board that the player is on."""
    for row in await connection.fetch(_OTHER_BOARDS, list(held.renamed)):
        slot = row["player"], row["board_id"], row["season"]
        if slot not in held.entries and row["seq"]:
            profile = held.profiles[row["player"]]
            change = Change(
                row["player"],
                row["seq"],
                row["sort_key"] or b"",
                profile.seq,
                record.display(profile),
                row["metadata"] or b"",
            )
            changes.setdefault(BoardKey(slot[1], slot[2]), []).append(change)


def _writes(held: _Held, batch: Sequence[Submission], changes: dict[BoardKey, list[Change]]) -> list[Any]:
    changed = [slot for slot in held.slots if slot in held.changed]
    entries = [held.entries[slot] for slot in changed]
    scores = [(entry.score or ()) + (None,) * (4 - len(entry.score or ())) for entry in entries]
    empty = [slot for slot in held.slots if not held.entries[slot].seq]
    renamed = sorted(held.renamed)
    claimed = sorted(held.answers)
    unclaimed = {submission.key for submission in batch if submission.key}.difference(claimed)
    return [
        *_columns(changed, 3),
        [entry.seq for entry in entries],
        [held.keys[slot] for slot in changed],
        *_columns(scores, 4),
        [entry.metadata or None for entry in entries],
        *_columns(empty, 3),
        renamed,
        [held.profiles[player].name for player in renamed],
        [held.profiles[player].seq for player in renamed],
        outbox.encode(changes) if changes else None,
        claimed,
        [held.answers[key][0] for key in claimed],
        [held.answers[key][1] for key in claimed],
        sorted(unclaimed),
        next((submission.trace for submission in batch if submission.trace), None) if changes else None,
    ]


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    return [[row[index] for row in rows] for index in range(width)]
