"""Pictures in a folder of this machine: what S3 is on AWS, with tickets that the node itself signs and holds senders to."""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import shutil
import time
from contextlib import contextmanager, suppress
from hashlib import sha256
from heapq import nsmallest
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from realtime.core.errors import Overloaded, PictureRefused, PicturesUnavailable, RateLimited, TicketInvalid
from realtime.core.pictures import MAX_BYTES, TICKET_SECONDS, Ticket, Upload, made_at, upload_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

UPLOADS: Final = "/v1/uploads"
"""Where a ticket is sent to."""
RECEIVED: Final = 16
"""Uploads that one node receives at once: each is in its memory until it is whole."""
WAITING: Final = 256
"""Uploads that may wait to be looked at; about, where several nodes share the folder."""
WAITING_EACH: Final = 4
"""Likewise of one player: who sends what takes long to look at holds up few."""
RETIRED: Final = 24 * 3600.0
"""Seconds for which a picture that is not shown any more is there for who has not heard of that."""
_KEYS: Final = "uploads/"
_SLASH: Final = "~"
"""No key has one."""
_PRIVATE: Final = 0o600
_SECRET_BYTES: Final = 32


class FolderPictures:
    """The port `Pictures` on a folder, which several nodes of a machine may share. `clock`: Unix seconds.

    Raises PicturesUnavailable where the folder cannot be used.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._received = 0
        with _wrapped():
            for name in ("uploads", "pictures", "incoming", "retired"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            self._secret = _secret(folder / "secret")

    async def ticket(self, upload: Upload, content_type: str) -> Ticket:
        """See the port."""
        until = str(int(self._clock()) + TICKET_SECONDS)
        fields = {"key": upload.key, "Content-Type": content_type, "expires": until}
        return Ticket(UPLOADS, fields | {"signature": self._signature(fields)})

    @contextmanager
    def admit(self, fields: Mapping[str, str]) -> Iterator[Upload]:
        """Room for what a ticket's fields are for, while it is received and kept. Raises TicketInvalid, Overloaded."""
        upload = self._ticketed(fields)
        if self._received >= RECEIVED:
            raise Overloaded("as many pictures are being sent as are taken at once")
        self._received += 1
        try:
            yield upload
        finally:
            self._received -= 1

    async def keep(self, upload: Upload, content: bytes) -> None:
        """Keep what was sent until it is looked at.

        Raises PictureRefused, RateLimited, Overloaded, PicturesUnavailable.
        """
        if not 0 < len(content) <= MAX_BYTES:
            raise PictureRefused(f"a picture has 1 to {MAX_BYTES} bytes")
        all_of_them, of_the_player = await asyncio.to_thread(self._waits, upload.player)
        if of_the_player >= WAITING_EACH:
            raise RateLimited("as many pictures of this player wait to be looked at as may")
        if all_of_them >= WAITING:
            raise Overloaded("as many pictures wait to be looked at as may")
        await self._write(self._sent(upload), content)

    def _waits(self, player: str) -> tuple[int, int]:
        """How many uploads wait, and how many of them are of a player."""
        with _wrapped():
            names = [path.name for path in (self._folder / "uploads").iterdir()]
        return len(names), sum(name.startswith(player + _SLASH) for name in names)

    def _ticketed(self, fields: Mapping[str, str]) -> Upload:
        signed = {name: fields.get(name, "") for name in ("key", "Content-Type", "expires")}
        if not hmac.compare_digest(
            self._signature(signed), fields.get("signature", "").encode("ascii", "replace").decode()
        ):
            raise TicketInvalid("the upload's fields are not those of a ticket")
        if int(signed["expires"]) < self._clock():
            raise TicketInvalid("the ticket is over: ask for another")
        return upload_of(signed["key"])

    def _signature(self, fields: Mapping[str, str]) -> str:
        # A line each: none of them has a line's end in it, as what is signed was made here.
        message = "\n".join(fields[name] for name in ("key", "Content-Type", "expires"))
        return hmac.new(self._secret, message.encode(), sha256).hexdigest()

    async def waiting(self, limit: int) -> list[Upload]:
        """At most so many of the uploads that nobody has looked at, the oldest first; what is none is taken away."""
        return await asyncio.to_thread(self._waiting, limit)

    def _waiting(self, limit: int) -> list[Upload]:
        with _wrapped():
            found = []
            for path in (self._folder / "uploads").iterdir():
                try:
                    found.append(upload_of(_KEYS + path.name.replace(_SLASH, "/")))
                except PictureRefused:
                    path.unlink(missing_ok=True)
            return nsmallest(limit, found, key=attrgetter("at"))

    async def uploaded(self, upload: Upload) -> bytes | None:
        """See the port."""
        return await asyncio.to_thread(self._read, self._sent(upload))

    def _read(self, path: Path) -> bytes | None:
        with _wrapped():
            try:
                with path.open("rb") as file:
                    content = file.read(MAX_BYTES + 1)
            except FileNotFoundError:
                return None
        if len(content) > MAX_BYTES:
            raise PictureRefused(f"a picture has at most {MAX_BYTES} bytes")
        return content

    async def publish(self, upload: Upload, made: Mapping[int, bytes]) -> None:
        """See the port."""
        for size, content in made.items():
            await self._write(self._folder / upload.made(size), content)

    async def discard(self, upload: Upload) -> None:
        """See the port."""
        await asyncio.to_thread(self._unlink, self._sent(upload))

    async def retire(self, player: str, before: int) -> None:
        """See the port. What is marked goes by `forget`."""
        await asyncio.to_thread(self._retire, player, before)

    def _retire(self, player: str, before: int) -> None:
        with _wrapped(), suppress(FileNotFoundError):
            for folder in (self._folder / "pictures" / player).iterdir():
                if 0 <= made_at(player, f"pictures/{player}/{folder.name}") < before:
                    # When it was marked first is what counts.
                    (self._folder / "retired" / f"{player}{_SLASH}{folder.name}").open("a").close()

    async def forget(self) -> int:
        """Take away what was retired a while ago; how many pictures that were."""
        return await asyncio.to_thread(self._forget)

    def _forget(self) -> int:
        gone = 0
        with _wrapped():
            for mark in (self._folder / "retired").iterdir():
                if mark.stat().st_mtime < self._clock() - RETIRED:
                    shutil.rmtree(self._folder / "pictures" / mark.name.replace(_SLASH, "/"), ignore_errors=True)
                    mark.unlink(missing_ok=True)
                    gone += 1
        return gone

    def path(self, key: str) -> Path | None:
        """The file of a picture that was published; None for anything else."""
        path = self._folder / key
        return path if key.startswith("pictures/") and ".." not in path.parts and path.is_file() else None

    def _sent(self, upload: Upload) -> Path:
        """All in one folder: a look at what waits is a look into it, however many players there are."""
        return self._folder / "uploads" / upload.key.removeprefix(_KEYS).replace("/", _SLASH)

    async def _write(self, path: Path, content: bytes) -> None:
        await asyncio.to_thread(self._put, path, content)

    def _put(self, path: Path, content: bytes) -> None:
        with _wrapped():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Whole or not at all: somebody may be reading.
            part = self._folder / "incoming" / secrets.token_hex(8)
            part.write_bytes(content)
            part.replace(path)

    @staticmethod
    def _unlink(path: Path) -> None:
        with _wrapped():
            path.unlink(missing_ok=True)


def _secret(path: Path) -> bytes:
    """What tickets are signed with: made by whoever comes first, the same for all."""
    fresh = path.with_name(f"secret.{secrets.token_hex(8)}")
    if not path.exists():
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_SECRET_BYTES))
        with suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    return path.read_bytes()


@contextmanager
def _wrapped() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PicturesUnavailable(f"the folder of pictures: {error.strerror or error}") from error
