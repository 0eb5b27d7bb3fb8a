"""From an upload to a picture on every live board.

What cannot be taken is discarded, and the player keeps the picture it had.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from infra.picture_process import PictureProcess
from realtime.core.errors import PictureRefused
from realtime.core.pictures import SIZES

if TYPE_CHECKING:
    from infra.pictures_folder import FolderPictures
    from infra.tracing import Tracing
    from realtime.core.pictures import Upload
    from realtime.core.ports import Pictures, Players

AT_ONCE: Final = 16
"""Uploads of one look into the folder."""

log = structlog.get_logger()


class Studio:
    """Makes pictures of uploads, one at a time: one that unfolds to the most that is taken fills half a gigabyte."""

    def __init__(
        self,
        pictures: Pictures,
        players: Players,
        process: PictureProcess | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._pictures = pictures
        self._players = players
        self._tracing = tracing
        self._process = process or PictureProcess()
        self._one = asyncio.Lock()

    async def take(self, upload: Upload, trace: str | None = None) -> bool:
        """Show the upload as its player's picture; False where it was refused, is gone, or a later one is shown.

        May be called again for the same upload. `trace`: the header it comes with. Raises PicturesUnavailable, StoreUnavailable.
        """
        span = None if self._tracing is None else self._tracing.request(trace, "picture", player=upload.player)
        if self._tracing is None or span is None:
            return await self._take(upload)
        with self._tracing.within(span):
            return await self._take(upload)

    async def _take(self, upload: Upload) -> bool:
        async with self._one:
            try:
                content = await self._pictures.uploaded(upload)
                if content is None:
                    return False
                upload.check(content)
                made = await self._process.squares(content, SIZES)
            except PictureRefused as refusal:
                log.warning("picture refused", player=upload.player, reason=str(refusal))
                await self._players.refuse(upload.player, str(refusal), upload.at)
                await self._pictures.discard(upload)
                return False
        await self._pictures.publish(upload, made)
        taken = await self._players.portray(upload.player, upload.address, upload.at)
        # All that is older has had its time, and this as well where a later one is shown.
        await self._pictures.retire(upload.player, upload.at + (not taken))
        await self._pictures.discard(upload)
        return taken


async def sweep(studio: Studio, folder: FolderPictures) -> int:
    """Take what waits in the folder; how many were shown. Raises PicturesUnavailable, StoreUnavailable."""
    return sum([await studio.take(upload) for upload in await folder.waiting(AT_ONCE)])
