"""Pictures of players: what may be uploaded, under which key, and where what is made of it is found.

A key names the player, the content (its SHA-256), so that an address never shows another picture than it did, and when the ticket for it
was given, so that of several uploads the one that was asked for last is shown, whichever is looked at last. What is made of an upload is
named by both as well: no later one is kept in its place, so that it can go when it is not shown any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal

from realtime.core.errors import FieldInvalid, PictureRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

TYPES: Final = ("image/jpeg", "image/png", "image/webp", "image/gif")
"""What an upload may be."""
MAX_BYTES: Final = 5 * 2**20
"""Bytes of an upload at the most."""
SIZES: Final = (64, 256)
"""Pixels of the sides of the squares that are made of it; a profile names the first."""
TICKET_SECONDS: Final = 300
"""How long a ticket holds."""

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_KEY: Final = re.compile(r"uploads/([A-Za-z0-9_.-]{1,64})/([0-9]{13})-([0-9a-f]{64})")
_SHORT: Final = 32
_MADE: Final = re.compile(r"pictures/([A-Za-z0-9_.-]{1,64})/([0-9]{13})-")

Became = Literal["waiting", "shown", "refused", "replaced"]
"""`waiting`: it was not sent, or nobody has looked at it yet; `replaced`: one that was asked for later was dealt with, or the player's
picture was taken away since.
"""


@dataclass(frozen=True, slots=True)
class Upload:
    """Somebody's picture as it was sent. `digest` is the SHA-256 of its bytes in hexadecimal, `at` the Unix time in milliseconds at
    which the ticket for it was given. Raises FieldInvalid.
    """  # noqa: D205 - one thought

    player: str
    digest: str
    at: int

    def __post_init__(self) -> None:
        if not self.player.strip("."):
            # Such a part of an address is taken for a step to where it came from.
            raise FieldInvalid("a player whose id is only dots has no picture")
        if not _DIGEST.fullmatch(self.digest):
            raise FieldInvalid("sha256 is 64 hexadecimal digits in lower case")

    @property
    def key(self) -> str:
        """Where the upload is kept until it was looked at."""
        return f"uploads/{self.player}/{self.at:013}-{self.digest}"

    def made(self, size: int) -> str:
        """Where the square of so many pixels is kept, for good."""
        return f"pictures/{self.player}/{self.at:013}-{self.digest[:_SHORT]}/{size}.webp"

    @property
    def address(self) -> str:
        """What a profile names: relative to the service, whichever of its names a client came by."""
        return f"/{self.made(SIZES[0])}"

    def check(self, content: bytes) -> None:
        """Raises PictureRefused unless these are the bytes that were announced, and no more than may be."""
        if not 0 < len(content) <= MAX_BYTES:
            raise PictureRefused(f"a picture has 1 to {MAX_BYTES} bytes, not {len(content)}")
        if sha256(content).hexdigest() != self.digest:
            raise PictureRefused("the picture is not the one that was announced")


def upload_of(key: str) -> Upload:
    """The upload kept under a key. Raises PictureRefused for a key that is none of ours."""
    match = _KEY.fullmatch(key)
    if match is None or not match[1].strip("."):
        raise PictureRefused(f"{key!r} is no upload")
    return Upload(match[1], match[3], int(match[2]))


def made_at(player: str, key: str) -> int:
    """When the ticket was given for what was made of a player's upload, by the key of any of it; -1 for any other key."""
    match = _MADE.match(key)
    return int(match[2]) if match is not None and match[1] == player else -1


@dataclass(frozen=True, slots=True)
class Portrait:
    """What is known of a player's pictures: the one that is shown, or None, and when that was asked for; when the newest one that was
    refused was asked for, and why it was. Times are Unix milliseconds, 0 for never.
    """  # noqa: D205 - one thought

    picture: str | None = None
    at: int = 0
    refused_at: int = 0
    refused: str = ""

    def became(self, address: str, at: int) -> Became:
        """What became of an upload, by what its ticket named and when that was given."""
        if self.picture == address:
            return "shown"
        if at == self.refused_at:
            return "refused"
        return "replaced" if at <= max(self.at, self.refused_at) else "waiting"


def check_type(content_type: object) -> str:
    """Return a content type that an upload may have. Raises FieldInvalid."""
    if not isinstance(content_type, str) or content_type not in TYPES:
        raise FieldInvalid(f"content_type is one of {', '.join(TYPES)}")
    return content_type


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to send one upload: a POST of `multipart/form-data` to `url` with all `fields`, then the content as `file`.

    It holds for TICKET_SECONDS. A `url` that begins with a slash is relative to the service.
    """

    url: str
    fields: Mapping[str, str]
