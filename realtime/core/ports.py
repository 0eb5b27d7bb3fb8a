"""What the service needs of the world, in its own words. Adapters are in `infra`, one technology a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from realtime.core.announcement import Origin, Past
    from realtime.core.errors import BoardChanged, IdempotencyMismatch, ScoreRefused
    from realtime.core.fold import Outcome, Submission
    from realtime.core.letters import Letter
    from realtime.core.model import Board, BoardKey, BoardSpec, Column, Profile, Row, Standing
    from realtime.core.outbox import Packed
    from realtime.core.pictures import Portrait, Ticket, Upload
    from realtime.core.window import Window

    Channel = Literal["top", "moves"]
    Result = Outcome | ScoreRefused | IdempotencyMismatch | BoardChanged


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a board: rows from `position` (from 0) on, the first of them with the shared rank `rank`.

    `epoch` and `version` 0 mean that the ranking was away and the store answered (`stale`).
    """

    epoch: int
    version: int
    total: int
    position: int
    rank: int
    rows: tuple[Row, ...]
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Standings:
    """Where players stand, in the order asked; None for who is not ranked."""

    epoch: int
    version: int
    total: int
    standings: tuple[Standing | None, ...]
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of a board from `position` (from 0) on, the first of them with the shared rank `rank`."""

    position: int
    rank: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Stretches:
    """Stretches of one version, in the order asked; None around who is not ranked."""

    epoch: int
    version: int
    total: int
    stretches: tuple[Stretch | None, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """Position (from 0) and shared rank (from 1) of keys at one version, in the order asked."""

    epoch: int
    version: int
    total: int
    places: tuple[tuple[int, int], ...]


class Submissions(Protocol):
    """Where scores are committed."""

    async def submit(self, batch: Sequence[Submission]) -> list[Result]:
        """Commit a batch; one result a submission, in its order. Raises StoreUnavailable: then nothing is stored."""
        ...


class Boards(Protocol):
    """Where boards are kept. Every call raises StoreUnavailable."""

    async def all(self) -> list[Board]:
        """Every board, by name."""
        ...

    async def get(self, name: str) -> Board:
        """The board of this name. Raises BoardUnknown."""
        ...

    async def by_keys(self, keys: Sequence[BoardKey]) -> dict[BoardKey, Board]:
        """Those of `keys` that still are a board's current season."""
        ...

    async def put(self, name: str, spec: BoardSpec) -> tuple[Board, bool]:
        """Create or edit; tells whether it was created. Raises BoardHasEntries."""
        ...

    async def delete(self, name: str) -> Board:
        """Take a board away. Raises BoardUnknown."""
        ...


class Players(Protocol):
    """Where profiles are kept and entries removed. Every call raises StoreUnavailable."""

    async def put(self, player: str, fields: Mapping[str, str | None]) -> Profile:
        """Set fields (name, country, picture) of a profile."""
        ...

    async def portray(self, player: str, picture: str | None, at: int) -> bool:
        """Set the picture of a profile, or take it away, as was asked for at this Unix time in milliseconds.

        False, and nothing is done, where it was set or taken away by what was asked for later.
        """
        ...

    async def refuse(self, player: str, reason: str, at: int) -> None:
        """Note that a picture, asked for at this time, was refused; nothing where one that was asked for later was."""
        ...

    async def portrait(self, player: str) -> Portrait:
        """What is known of a player's pictures."""
        ...

    async def get(self, player: str) -> Profile:
        """A player's profile."""
        ...

    async def remove(self, board: Board, player: str) -> int:
        """Take a player off a board; returns the tombstone's seq. Raises PlayerUnknown."""
        ...


class Pictures(Protocol):
    """Where pictures are kept. Every call raises PicturesUnavailable."""

    async def ticket(self, upload: Upload, content_type: str) -> Ticket:
        """Leave to send this upload, of this type and of at most MAX_BYTES bytes, and nothing else."""
        ...

    async def uploaded(self, upload: Upload) -> bytes | None:
        """What was sent; None where it is gone. Raises PictureRefused for more than MAX_BYTES."""
        ...

    async def publish(self, upload: Upload, made: Mapping[int, bytes]) -> None:
        """Keep for good what was made of it: WebP by the pixels of its sides."""
        ...

    async def discard(self, upload: Upload) -> None:
        """Forget what was sent."""
        ...

    async def retire(self, player: str, before: int) -> None:
        """What was made of a player's uploads whose tickets are older than this Unix time in milliseconds is not shown any more: it
        goes, but not at once, as who has not heard of that yet still asks for it.
        """  # noqa: D205 - one thought
        ...


class Outbox(Protocol):
    """What was committed and is not yet ranked."""

    async def claim(self, limit: int, after: int = 0) -> list[Letter]:
        """At most `limit` rows with ids above `after`, the oldest first; nobody else sees them until the lease is over."""
        ...

    async def read(self, ids: Sequence[int]) -> list[Letter]:
        """Those of these rows that are still there, whoever claimed them."""
        ...

    async def settle(self, ids: Sequence[int]) -> None:
        """These are applied: they go."""
        ...

    async def release(self, ids: Sequence[int], delay: float) -> None:
        """These could not be applied: anybody may try again after `delay` seconds."""
        ...

    async def hold(self, ids: Sequence[int], reason: str) -> None:
        """These never can be applied: nobody sees them any more until they are redriven."""
        ...

    async def backlog(self) -> tuple[int, float]:
        """How many rows wait to be applied, and for how many seconds the oldest. What is held does not wait."""
        ...


class Queue(Protocol):
    """What carries letters to the refresh, where that is not the outbox itself. It may double and reorder them."""

    async def send(self, letters: Sequence[Letter]) -> list[int]:
        """Hand letters over; the ids of those that were not taken, all of them where the queue is away. Bounded in time."""
        ...

    async def put_off(self, receipts: Mapping[str, int]) -> None:
        """Deliver these again after so many whole seconds each. Where that fails they come when the queue thinks fit."""
        ...

    async def bury(self, body: str, reason: str, redrive: str = "") -> None:
        """Put a message into the dead-letter queue. `redrive` names the redrive that it came from. Raises QueueUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What could not be read: a row of the outbox, a message of the dead-letter queue, or both.

    `id` is `row:<id>` or `message:<id>`, `at` the Unix time at which it was committed or sent, `rows` the outbox rows it is about
    as far as they are known, `size` its bytes.
    """

    id: str
    reason: str
    at: float
    rows: tuple[int, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Dead:
    """How much is put aside: rows of the outbox, and messages of the dead-letter queue (copies of such rows, or of others)."""

    rows: int = 0
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Redriven:
    """What a redrive did: rows of the outbox set free, messages put back into the queue or, their rows being free, thrown away."""

    rows: int = 0
    moved: int = 0
    dropped: int = 0


class DeadLetters(Protocol):
    """What was put aside because it could not be read. Every call raises StoreUnavailable and QueueUnavailable."""

    async def oldest(self, limit: int) -> list[DeadLetter]:
        """At most `limit` of them: rows by age, then messages as they come."""
        ...

    async def count(self) -> Dead:
        """How much there is; of messages about how many."""
        ...

    async def redrive(self) -> Redriven:
        """Let everything that is put aside be tried again: rows from the truth, what no row is known of as it is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A process of this service, as it tells of itself. `started` and `seen` are Unix times in seconds by its own clock; of
    `numbers` those that it cannot tell are None.
    """  # noqa: D205 - one thought

    id: str
    kind: Literal["node", "worker"]
    address: str
    started: float
    seen: float
    numbers: Mapping[str, float | None]


class Nodes(Protocol):
    """Where the processes of this service tell of themselves. Every call raises RankingUnavailable."""

    async def beat(self, node: Node) -> None:
        """A process lives, and that is how it is."""
        ...

    async def leave(self, node: str) -> None:
        """A process ends, and is not missed."""
        ...

    async def all(self, now: float) -> list[Node]:
        """Those who were heard of lately, as of the Unix time `now`, in the order in which they were started."""
        ...


class Ledger(Protocol):
    """What a rebuild needs of the store."""

    async def epochs(self, keys: Sequence[BoardKey] | None = None) -> dict[BoardKey, int]:
        """The expected epoch of each living board, or of those of `keys` that live."""
        ...

    async def new_epoch(self, key: BoardKey) -> int:
        """Draw an epoch: from now on the ranking must carry it."""
        ...

    async def follow_timeline(self) -> bool:
        """Whether the store was failed over, and this caller is the first to notice.

        Then its sequences are advanced, every board has a new epoch, and the outbox has a notice for each.
        """
        ...

    def rebuilding(self, key: BoardKey) -> AbstractAsyncContextManager[bool]:
        """Whether this caller may rebuild the board: one at a time may."""
        ...

    def snapshot(self, key: BoardKey) -> AsyncGenerator[list[Packed]]:
        """Every record of a board, tombstones too, as of one moment, in chunks. Close it where you stop half-way."""
        ...

    async def touch(self, keys: Sequence[BoardKey]) -> None:
        """Note that these boards changed."""
        ...


class Ranking(Protocol):
    """The live ranks. Every call raises RankingUnavailable where it does not answer."""

    async def apply(self, key: BoardKey, epoch: int, changes: Sequence[Packed], origin: Origin | None = None) -> int:
        """Apply a batch and announce it, with its origin, in one step; returns the version. Raises RankingRefused."""
        ...

    async def mark(self, key: BoardKey, epoch: int) -> bool:
        """Begin a rebuild: from now on every change reaches the shadow, too."""
        ...

    async def load(self, key: BoardKey, epoch: int, width: int, changes: Sequence[Packed]) -> bool:
        """Load rows of the store's snapshot into the shadow. False: the mark is gone, start over."""
        ...

    async def swap(self, key: BoardKey, epoch: int, width: int) -> bool:
        """Put the shadow in the board's place. False: the mark is gone, start over."""
        ...

    async def drop(self, key: BoardKey) -> None:
        """Forget a board."""
        ...

    async def holds(self, key: BoardKey, epoch: int) -> bool:
        """Whether the board is there, whole, under this epoch."""
        ...

    async def position(self, key: BoardKey) -> tuple[int, int]:
        """Epoch and version. Raises RankingUnavailable if the board is not whole."""
        ...

    async def ping(self) -> None:
        """Return if it answers."""
        ...

    async def top(self, key: BoardKey, columns: Sequence[Column]) -> Window:
        """The first rows. Raises RankingUnavailable if the board is not whole."""
        ...

    async def page(self, key: BoardKey, columns: Sequence[Column], offset: int, limit: int) -> Page:
        """A stretch of the board."""
        ...

    async def around(self, key: BoardKey, columns: Sequence[Column], player: str, radius: int) -> Page | None:
        """The stretch around a player; None where the player is not ranked."""
        ...

    async def standings(self, key: BoardKey, columns: Sequence[Column], players: Sequence[str]) -> Standings:
        """Where players stand."""
        ...

    async def stretches(self, key: BoardKey, columns: Sequence[Column], asked: Sequence[tuple[str, int]]) -> Stretches:
        """The stretches around players (player, radius), all of one version. Rows that several share are read once."""
        ...

    async def places(self, key: BoardKey, keys: Sequence[bytes]) -> Places:
        """Where whole sort keys stand or would stand. Raises BoardChanged for keys of other columns."""
        ...

    async def history(self, key: BoardKey, columns: Sequence[Column], epoch: int, since: int) -> list[Past]:
        """Every version after `since`, in order, up to the newest.

        Raises HistoryGone unless all of them are still there and the board is under that epoch.
        """
        ...

    async def seq(self, key: BoardKey, player: str) -> int:
        """The seq that the ranking holds of a player; 0 for none."""
        ...


class Bus(Protocol):
    """What the ranking announces, on a board's channels `top` and `moves`: each names every version, `top` first."""

    async def subscribe(
        self, key: BoardKey, channel: Channel, heard: Callable[[bytes], None], lost: Callable[[], None]
    ) -> None:
        """Hear a channel of a board from now on: confirmed before this returns. A channel has one listener.

        `heard` gets each announcement; `lost` is called when some may have been missed. Neither may wait.
        Raises RankingUnavailable.
        """
        ...

    async def unsubscribe(self, key: BoardKey, channel: Channel, heard: Callable[[bytes], None]) -> None:
        """Stop hearing a channel; nothing happens where somebody else listens to it by now."""
        ...


class Fallback(Protocol):
    """Reads while the ranking is away, and of what only the store knows. Every call raises StoreUnavailable."""

    async def page(self, board: Board, offset: int, limit: int) -> Page:
        """A stretch of the board."""
        ...

    async def around(self, board: Board, player: str, radius: int) -> Page | None:
        """The stretch around a player; None where the player is not ranked."""
        ...

    async def standings(self, board: Board, players: Sequence[str]) -> Standings:
        """Where players stand; position -1 and rank 0 where counting took too long."""
        ...

    async def age(self, board: Board, player: str) -> tuple[int, float] | None:
        """The seq of a player's entry, and how many seconds ago it was written; None where the player is not ranked."""
        ...

    async def find(self, board: Board, beginning: str, limit: int) -> list[str]:
        """At most `limit` ranked players of a board whose id begins so, or whose name does, whatever its case; by id.

        Where thousands begin so, on whatever board, only the first of them are looked at.
        """
        ...
