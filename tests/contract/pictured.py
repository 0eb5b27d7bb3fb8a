"""Pictures with a hand that sends what a ticket is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import httpx

from infra.pictures_memory import MemoryPictures
from realtime.core.errors import RankcastError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from infra.pictures_folder import FolderPictures
    from infra.pictures_s3 import S3Pictures
    from realtime.core.pictures import Ticket
    from realtime.core.ports import Pictures


class Pictured(Protocol):
    """`send` is what a browser does with a ticket; whether it was taken. `kept` is what was published, by key, and
    `goes` whether it is going to go.
    """

    @property
    def pictures(self) -> Pictures: ...
    async def send(self, ticket: Ticket, content: bytes, changes: Mapping[str, str] | None = None) -> bool: ...
    async def kept(self, key: str) -> bytes | None: ...
    async def goes(self, key: str) -> bool: ...


@dataclass(slots=True)
class PicturedInMemory:
    pictures: MemoryPictures = field(default_factory=MemoryPictures)

    async def send(self, ticket: Ticket, content: bytes, changes: Mapping[str, str] | None = None) -> bool:
        try:
            self.pictures.take({**ticket.fields, **(changes or {})}, content)
        except RankcastError:
            return False
        return True

    async def kept(self, key: str) -> bytes | None:
        return self.pictures.made.get(key)

    async def goes(self, key: str) -> bool:
        return key in self.pictures.retired


@dataclass(slots=True)
class PicturedInFolder:
    pictures: FolderPictures

    async def send(self, ticket: Ticket, content: bytes, changes: Mapping[str, str] | None = None) -> bool:
        try:
            with self.pictures.admit({**ticket.fields, **(changes or {})}) as upload:
                await self.pictures.keep(upload, content)
        except RankcastError:
            return False
        return True

    async def kept(self, key: str) -> bytes | None:
        path = self.pictures.path(key)
        return None if path is None else path.read_bytes()

    async def goes(self, key: str) -> bool:
        _, player, made, _ = key.split("/")
        return (self.pictures._folder / "retired" / f"{player}~{made}").exists()


@dataclass(slots=True)
class PicturedInS3:
    pictures: S3Pictures
    s3: Any
    bucket: str

    async def send(self, ticket: Ticket, content: bytes, changes: Mapping[str, str] | None = None) -> bool:
        async with httpx.AsyncClient(timeout=20) as http:
            form = {**ticket.fields, **(changes or {})}
            answer = await http.post(ticket.url, data=form, files={"file": ("picture", content)})
        return answer.is_success

    async def kept(self, key: str) -> bytes | None:
        try:
            body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return None
        return body

    async def goes(self, key: str) -> bool:
        tags: list[dict[str, str]] = self.s3.get_object_tagging(Bucket=self.bucket, Key=key)["TagSet"]
        return tags == [{"Key": "shown", "Value": "no"}]
