from __future__ import annotations

import time
from contextlib import ExitStack
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from infra import pictures_folder
from infra.pictures_folder import RECEIVED, RETIRED, WAITING_EACH, FolderPictures
from realtime.core.errors import Overloaded, PicturesUnavailable, RateLimited, TicketInvalid
from realtime.core.pictures import SIZES, TICKET_SECONDS, Upload

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"a picture"
DIGEST = sha256(CONTENT).hexdigest()
AT = 1_764_100_000_123


def upload(player: str = "ann", at: int = AT) -> Upload:
    return Upload(player, DIGEST, at)


async def test_a_ticket_ends(tmp_path: Path) -> None:
    now = [1000.0]
    pictures = FolderPictures(tmp_path, lambda: now[0])
    fields = (await pictures.ticket(upload(), "image/png")).fields
    now[0] += TICKET_SECONDS
    with pictures.admit(fields) as admitted:
        assert admitted == upload()
    now[0] += 1
    with pytest.raises(TicketInvalid, match="over"), pictures.admit(fields):
        pass


@pytest.mark.parametrize("field", ["key", "Content-Type", "expires", "signature"])
async def test_a_ticket_without_one_of_its_fields_is_none(tmp_path: Path, field: str) -> None:
    pictures = FolderPictures(tmp_path)
    fields = dict((await pictures.ticket(upload(), "image/png")).fields)
    del fields[field]
    with pytest.raises(TicketInvalid), pictures.admit(fields):
        pass


async def test_nodes_of_one_folder_take_each_others_tickets_and_no_other_folders(tmp_path: Path) -> None:
    one, other = FolderPictures(tmp_path / "a"), FolderPictures(tmp_path / "a")
    ticket = await one.ticket(upload(), "image/png")
    with other.admit(ticket.fields) as admitted:
        await other.keep(admitted, CONTENT)
    assert await one.uploaded(upload()) == CONTENT
    with pytest.raises(TicketInvalid), FolderPictures(tmp_path / "b").admit(ticket.fields):
        pass


def test_what_tickets_are_signed_with_is_for_nobody_else_to_read(tmp_path: Path) -> None:
    FolderPictures(tmp_path)
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["incoming", "pictures", "retired", "secret", "uploads"]


async def test_so_many_are_received_at_once_and_no_more(tmp_path: Path) -> None:
    pictures = FolderPictures(tmp_path)
    fields = (await pictures.ticket(upload(), "image/png")).fields
    with ExitStack() as room:
        for _ in range(RECEIVED):
            room.enter_context(pictures.admit(fields))
        with pytest.raises(Overloaded), pictures.admit(fields):
            pass
    with pictures.admit(fields):
        pass


async def test_so_many_wait_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures_folder, "WAITING", 2)
    pictures = FolderPictures(tmp_path)
    for player in ("ann", "bob"):
        await pictures.keep(upload(player), CONTENT)
    with pytest.raises(Overloaded):
        await pictures.keep(upload("cid"), CONTENT)
    await pictures.discard(upload("ann"))
    await pictures.keep(upload("cid"), CONTENT)


async def test_so_many_of_one_player_wait_and_those_of_others_are_taken(tmp_path: Path) -> None:
    pictures = FolderPictures(tmp_path)
    for n in range(WAITING_EACH):
        await pictures.keep(upload("ann", AT + n), CONTENT)
    with pytest.raises(RateLimited):
        await pictures.keep(upload("ann", AT + WAITING_EACH), CONTENT)
    for other in ("an", "ann.", "bob"):
        await pictures.keep(upload(other), CONTENT)


async def test_what_waits_is_told_the_oldest_first_and_what_is_none_goes(tmp_path: Path) -> None:
    pictures = FolderPictures(tmp_path)
    for at in (AT + 5, AT + 1, AT + 9, AT + 3):
        await pictures.keep(upload("p.~"[:2] + str(at), at), CONTENT)
    (tmp_path / "uploads" / "noise").write_bytes(b"x")
    assert [one.at - AT for one in await pictures.waiting(3)] == [1, 3, 5]
    assert not (tmp_path / "uploads" / "noise").exists()


async def test_only_published_pictures_have_a_path(tmp_path: Path) -> None:
    pictures = FolderPictures(tmp_path)
    await pictures.publish(upload(), dict.fromkeys(SIZES, b"w"))
    await pictures.keep(upload(), CONTENT)
    assert pictures.path(upload().made(64)) is not None
    for other in (upload("eve").made(64), upload().made(65), upload().key, "secret", "pictures/../secret", "pictures"):
        assert pictures.path(other) is None
    assert list((tmp_path / "incoming").iterdir()) == []


async def test_a_folder_that_cannot_be_used_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PicturesUnavailable):
        FolderPictures(tmp_path / "file")
    pictures = FolderPictures(tmp_path / "folder")
    (tmp_path / "folder" / "uploads").rmdir()
    (tmp_path / "folder" / "uploads").write_bytes(b"")
    for call in (pictures.keep(upload(), CONTENT), pictures.waiting(1), pictures.uploaded(upload())):
        with pytest.raises(PicturesUnavailable):
            await call


async def test_what_is_not_shown_any_more_goes_after_a_day_and_nothing_else(tmp_path: Path) -> None:
    now = [time.time()]
    pictures = FolderPictures(tmp_path, clock=lambda: now[0])
    old, new = upload("ann", AT), upload("ann", AT + 1)
    for one in (old, new):
        await pictures.publish(one, dict.fromkeys(SIZES, b"w"))
    await pictures.retire("ann", new.at)
    now[0] += RETIRED - 60
    await pictures.retire("ann", new.at)
    assert await pictures.forget() == 0
    assert pictures.path(old.made(64)) is not None
    now[0] += 120
    assert await pictures.forget() == 1, "told once more it does not stay longer"
    assert [pictures.path(one.made(64)) is None for one in (old, new)] == [True, False]
    assert (await pictures.forget(), list((tmp_path / "retired").iterdir())) == (0, [])
