from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from infra.pictures_folder import FolderPictures
from infra.pictures_memory import MemoryPictures
from infra.store_memory import MemoryPlayers, MemoryStore
from realtime.core.errors import PicturesUnavailable, StoreUnavailable
from realtime.core.pictures import Upload
from tests.images import EXECUTABLE, opened, picture
from workers.studio import AT_ONCE, Studio, sweep

if TYPE_CHECKING:
    from pathlib import Path

AT = 1_764_100_000_123
PHOTO = picture("JPEG")


def upload(content: bytes, player: str = "ann", at: int = AT) -> Upload:
    return Upload(player, sha256(content).hexdigest(), at)


def players() -> MemoryPlayers:
    return MemoryPlayers(MemoryStore(clock=lambda: 0.0))


class World:
    def __init__(self) -> None:
        self.pictures = MemoryPictures()
        self.players = players()
        self.studio = Studio(self.pictures, self.players)

    def send(self, content: bytes, at: int = AT) -> Upload:
        one = upload(content, at=at)
        self.pictures.uploads[one.key] = content
        return one

    async def shown(self) -> str | None:
        return (await self.players.get("ann")).picture


async def test_an_upload_becomes_the_picture_and_goes() -> None:
    world = World()
    one = world.send(PHOTO)
    assert await world.studio.take(one)
    assert await world.shown() == one.address
    assert {key: opened(made).size for key, made in world.pictures.made.items()} == {
        one.made(64): (64, 64),
        one.made(256): (256, 256),
    }
    assert world.pictures.uploads == {}
    assert not await world.studio.take(one), "told twice"
    assert await world.shown() == one.address


async def test_a_picture_is_there_before_anybody_is_told_of_it() -> None:
    world = World()
    one = world.send(PHOTO)

    class Players(MemoryPlayers):
        async def portray(self, player: str, picture: str | None, at: int) -> bool:
            assert one.made(64) in world.pictures.made
            assert one.key in world.pictures.uploads, "it must be there for another try"
            return await super().portray(player, picture, at)

    studio = Studio(world.pictures, Players(MemoryStore(clock=lambda: 0.0)))
    assert await studio.take(one)


@pytest.mark.parametrize("content", [EXECUTABLE, PHOTO[:500], b""], ids=["executable", "cut off", "empty"])
async def test_what_is_no_picture_goes_and_the_player_keeps_the_one_it_had(content: bytes) -> None:
    world = World()
    had = world.send(PHOTO)
    await world.studio.take(had)
    assert not await world.studio.take(world.send(content, AT + 1))
    assert await world.shown() == had.address
    assert world.pictures.uploads == {}


async def test_why_a_picture_was_refused_is_known_before_it_is_thrown_away() -> None:
    world = World()

    class Players(MemoryPlayers):
        async def refuse(self, player: str, reason: str, at: int) -> None:
            assert world.pictures.uploads, "it must be there for another try"
            await super().refuse(player, reason, at)

    known = Players(MemoryStore(clock=lambda: 0.0))
    one = world.send(EXECUTABLE)
    assert not await Studio(world.pictures, known).take(one)
    portrait = await known.portrait("ann")
    assert (portrait.became(one.address, one.at), portrait.refused) == (
        "refused",
        "a picture is a JPEG, PNG, WebP or GIF",
    )


async def test_a_picture_whose_place_another_has_taken_goes() -> None:
    world = World()
    first, second = world.send(PHOTO), world.send(picture("PNG"), AT + 1)
    for one in (first, second):
        assert await world.studio.take(one)
    assert world.pictures.retired == {first.made(64), first.made(256)}
    late = world.send(PHOTO, AT)
    assert not await world.studio.take(late)
    assert world.pictures.retired == {first.made(64), first.made(256)}
    again = world.send(PHOTO, AT + 2)
    assert await world.studio.take(again), "the same content once more is another picture"
    assert again.made(64) not in world.pictures.retired


async def test_what_is_not_the_announced_content_is_not_shown() -> None:
    world = World()
    one = upload(PHOTO)
    world.pictures.uploads[one.key] = picture("PNG")
    assert not await world.studio.take(one)
    assert await world.shown() is None
    assert world.pictures.made == {}


async def test_an_older_upload_that_is_looked_at_later_is_not_shown() -> None:
    world = World()
    older, newer = world.send(PHOTO, AT), world.send(picture("PNG"), AT + 1)
    assert await world.studio.take(newer)
    assert not await world.studio.take(older)
    assert await world.shown() == newer.address
    assert world.pictures.uploads == {}


async def test_what_is_away_is_no_reason_to_throw_an_upload_away() -> None:
    world = World()
    one = world.send(PHOTO)
    world.pictures.away = True
    with pytest.raises(PicturesUnavailable):
        await world.studio.take(one)
    world.pictures.away = False

    class Away(MemoryPlayers):
        async def portray(self, player: str, picture: str | None, at: int) -> bool:
            raise StoreUnavailable(f"{player} {picture} {at}")

    with pytest.raises(StoreUnavailable):
        await Studio(world.pictures, Away(MemoryStore(clock=lambda: 0.0))).take(one)
    assert one.key in world.pictures.uploads
    assert await world.studio.take(one)
    assert await world.shown() == one.address


async def test_a_sweep_takes_what_waits_in_the_folder(tmp_path: Path) -> None:
    folder = FolderPictures(tmp_path)
    known = players()
    studio = Studio(folder, known)
    for player, content in (("ann", PHOTO), ("bob", EXECUTABLE), ("cid", PHOTO)):
        await folder.keep(upload(content, player), content)
    assert await sweep(studio, folder) == 2
    assert await folder.waiting(AT_ONCE) == []
    assert [(await known.get(player)).picture is None for player in ("ann", "bob", "cid")] == [False, True, False]
    assert await sweep(studio, folder) == 0
