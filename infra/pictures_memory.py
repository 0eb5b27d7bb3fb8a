"""Pictures in memory. Nothing outlives the process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realtime.core.errors import PictureRefused, PicturesUnavailable, TicketInvalid
from realtime.core.pictures import MAX_BYTES, Ticket, Upload, made_at, upload_of

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class MemoryPictures:
    """The port `Pictures`. Set `away` and it does not answer."""

    away: bool = False
    uploads: dict[str, bytes] = field(default_factory=dict)
    made: dict[str, bytes] = field(default_factory=dict)
    retired: set[str] = field(default_factory=set)
    _tickets: set[tuple[str, str]] = field(default_factory=set)

    async def ticket(self, upload: Upload, content_type: str) -> Ticket:
        """See the port."""
        self._answer()
        self._tickets.add((upload.key, content_type))
        return Ticket("memory:", {"key": upload.key, "Content-Type": content_type})

    def take(self, fields: Mapping[str, str], content: bytes) -> None:
        """Keep what was sent with a ticket's fields. Raises TicketInvalid, PictureRefused."""
        if (fields.get("key", ""), fields.get("Content-Type", "")) not in self._tickets:
            raise TicketInvalid("there is no such ticket")
        if not 0 < len(content) <= MAX_BYTES:
            raise PictureRefused(f"a picture has 1 to {MAX_BYTES} bytes")
        self.uploads[upload_of(fields["key"]).key] = content

    async def uploaded(self, upload: Upload) -> bytes | None:
        """See the port."""
        self._answer()
        content = self.uploads.get(upload.key)
        if content is not None and len(content) > MAX_BYTES:
            raise PictureRefused(f"a picture has at most {MAX_BYTES} bytes")
        return content

    async def publish(self, upload: Upload, made: Mapping[int, bytes]) -> None:
        """See the port."""
        self._answer()
        self.made |= {upload.made(size): content for size, content in made.items()}

    async def discard(self, upload: Upload) -> None:
        """See the port."""
        self._answer()
        self.uploads.pop(upload.key, None)

    async def retire(self, player: str, before: int) -> None:
        """See the port."""
        self._answer()
        self.retired |= {key for key in self.made if 0 <= made_at(player, key) < before}

    def _answer(self) -> None:
        if self.away:
            raise PicturesUnavailable("as the test has it")
