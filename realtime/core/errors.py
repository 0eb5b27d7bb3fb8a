"""The one exception tree. Each error has a stable `code`; `api/problems.py` says which status it is answered with.

RankcastError
├── Refused              the caller's doing: the same call will fail again
│   ├── BadRequest       the request itself is malformed
│   ├── ScoreRefused     one submission cannot be taken; its neighbours can
│   ├── NotFound
│   ├── Conflict
│   ├── Unauthenticated
│   └── Forbidden
├── Unavailable          ours: the same call may succeed later
├── Unreadable           what came back to us is not what we wrote
└── SettingInvalid       the operator's: a process cannot start like this
"""

from __future__ import annotations

from typing import ClassVar


class RankcastError(Exception):
    """The base of all. `code` is stable and part of the contract; the message is for people."""

    code: ClassVar[str] = "internal"


class Refused(RankcastError):
    """The caller's doing: the same call fails again."""

    code: ClassVar[str] = "refused"


class BadRequest(Refused):
    """The request is malformed."""

    code: ClassVar[str] = "bad_request"


class BodyInvalid(BadRequest):
    """The body is not JSON."""

    code: ClassVar[str] = "json_invalid"


class FormInvalid(BadRequest):
    """The body is no form with a file in it, or does not come in time."""

    code: ClassVar[str] = "form_invalid"


class BodyTooLarge(BadRequest):
    """The body has more bytes than the node takes."""

    code: ClassVar[str] = "body_too_large"


class FieldInvalid(BadRequest):
    """A field is missing, unknown or of the wrong kind."""

    code: ClassVar[str] = "field_invalid"


class PictureRefused(BadRequest):
    """What was uploaded is no picture that is taken: too large, of another kind, or not what it says."""

    code: ClassVar[str] = "picture_invalid"


class MessageInvalid(BadRequest):
    """A client's message on a live connection is not one that the contract knows."""

    code: ClassVar[str] = "message_invalid"


class IdInvalid(BadRequest):
    """An id does not match [A-Za-z0-9_.-]{1,64}."""

    code: ClassVar[str] = "id_invalid"


class BatchTooLarge(BadRequest):
    """A batch has more rows than one call takes."""

    code: ClassVar[str] = "batch_too_large"


class QueryInvalid(BadRequest):
    """A query parameter is of the wrong kind or out of bounds."""

    code: ClassVar[str] = "query_invalid"


class BoardInvalid(BadRequest):
    """A board document does not describe a board."""

    code: ClassVar[str] = "board_invalid"


class ScoreRefused(Refused):
    """One submission cannot be taken; its neighbours in a batch can."""

    code: ClassVar[str] = "score_refused"


class ScoreNotInteger(ScoreRefused):
    """A score is null, text that is no integer, or some other thing that is not a number."""

    code: ClassVar[str] = "score_not_integer"


class ScoreBoolean(ScoreRefused):
    """A score is true or false."""

    code: ClassVar[str] = "score_boolean"


class ScoreFraction(ScoreRefused):
    """A score is written with a point or an exponent: the wire carries the stored integer."""

    code: ClassVar[str] = "score_fraction"


class ScoreNan(ScoreRefused):
    """A score is NaN or infinite, which JSON does not know."""

    code: ClassVar[str] = "score_nan"


class ScoreOutOfRange(ScoreRefused):
    """A score is not an int64."""

    code: ClassVar[str] = "score_out_of_range"


class ScoreColumns(ScoreRefused):
    """A score has not one value for each of the board's columns."""

    code: ClassVar[str] = "score_columns"


class ScoreOutOfBounds(ScoreRefused):
    """A score, or the sum it would make, is outside the board's minimum and maximum."""

    code: ClassVar[str] = "score_out_of_bounds"


class SumOverflow(ScoreRefused):
    """The sum would leave int64."""

    code: ClassVar[str] = "sum_overflow"


class UpgradeRequired(Refused):
    """The address speaks WebSocket and was asked without one."""

    code: ClassVar[str] = "upgrade_required"


class NotFound(Refused):
    """There is nothing under this address."""

    code: ClassVar[str] = "not_found"


class BoardUnknown(NotFound):
    """There is no board of this name."""

    code: ClassVar[str] = "board_unknown"


class PlayerUnknown(NotFound):
    """The player is not ranked on this board."""

    code: ClassVar[str] = "player_unknown"


class TopicsExceeded(Refused):
    """One connection watches as many topics as it may."""

    code: ClassVar[str] = "topics_exceeded"


class RateLimited(Refused):
    """Messages come faster than they are taken."""

    code: ClassVar[str] = "rate_limited"


class AddressLimit(Refused):
    """One address has as many live connections as it may."""

    code: ClassVar[str] = "address_limit"


class PicturesOff(NotFound):
    """The service keeps no pictures."""

    code: ClassVar[str] = "pictures_off"


class TopicUnknown(NotFound):
    """The connection does not watch this topic."""

    code: ClassVar[str] = "topic_unknown"


class Conflict(Refused):
    """The request contradicts what is stored."""

    code: ClassVar[str] = "conflict"


class BoardHasEntries(Conflict):
    """A board's columns and operator are fixed once it has entries."""

    code: ClassVar[str] = "board_has_entries"


class IdempotencyMismatch(Refused):
    """The idempotency key was used with another body."""

    code: ClassVar[str] = "idempotency_mismatch"


class Unauthenticated(Refused):
    """There is no valid token."""

    code: ClassVar[str] = "unauthenticated"


class Forbidden(Refused):
    """The token does not allow this."""

    code: ClassVar[str] = "forbidden"


class OriginRefused(Forbidden):
    """Pages of this origin may not connect."""

    code: ClassVar[str] = "origin_refused"


class TicketInvalid(Forbidden):
    """The upload is not the one that its ticket is for, or the ticket is over or forged."""

    code: ClassVar[str] = "ticket_invalid"


class Unavailable(RankcastError):
    """The service cannot do this now; the same call may succeed later."""

    code: ClassVar[str] = "unavailable"


class Overloaded(Unavailable):
    """A bounded queue is full."""

    code: ClassVar[str] = "overloaded"


class NotYet(Unavailable):
    """The write that the caller waits for has not reached the ranking in time."""

    code: ClassVar[str] = "not_yet"


class StoreUnavailable(Unavailable):
    """PostgreSQL does not answer."""

    code: ClassVar[str] = "store_unavailable"


class PicturesUnavailable(Unavailable):
    """Where pictures are kept does not answer."""

    code: ClassVar[str] = "pictures_unavailable"


class QueueUnavailable(Unavailable):
    """The message queue does not answer."""

    code: ClassVar[str] = "queue_unavailable"


class RankingUnavailable(Unavailable):
    """Redis does not answer, or holds no ranking of this board under the expected epoch."""

    code: ClassVar[str] = "ranking_unavailable"


class RankingRefused(RankingUnavailable):
    """Redis does not hold this board whole under the expected epoch: `reason` is missing, epoch or count.

    Or (`invalid`) the batch has a record that is none of this board: its columns may have been edited meanwhile.
    """

    code: ClassVar[str] = "ranking_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the ranking refuses the batch: {reason}")
        self.reason = reason


class BoardChanged(RankcastError):
    """The board was edited or deleted after the caller read it: read it again and retry."""

    code: ClassVar[str] = "board_changed"


class VersionGap(RankcastError):
    """An announcement does not follow the version held: resynchronise."""

    code: ClassVar[str] = "version_gap"


class HistoryGone(RankcastError):
    """The board's stream does not hold every version since the one asked for, under its epoch."""

    code: ClassVar[str] = "history_gone"


class Unreadable(RankcastError):
    """A message of the queue or a row of the outbox holds no changes, or holds them in a format that is not known here."""

    code: ClassVar[str] = "unreadable"


class SettingInvalid(RankcastError):
    """A setting is missing or wrong: the process cannot start."""

    code: ClassVar[str] = "setting_invalid"
