from __future__ import annotations

import asyncio
import contextlib
import struct

import psutil
import pytest

from infra import picture_process
from infra.picture_pillow import squares
from infra.picture_process import PictureProcess
from realtime.core.errors import PictureRefused, PicturesUnavailable
from tests.harness import eventually
from tests.images import EXECUTABLE, RED, picture

SIZES = (64, 256)
PHOTO = picture("JPEG", (640, 480))


def endless(scans: int) -> bytes:
    """A progressive JPEG of 4,990 by 4,990 pixels that is drawn over and over again with nothing: 42 bytes and 7 ms a scan."""
    side, blocks = 4990, 624 * 624

    def segment(kind: int, data: bytes) -> bytes:
        return bytes([0xFF, kind]) + struct.pack(">H", len(data) + 2) + data

    # One code, of one bit, in either table: a difference of nothing, and a run of blocks that are at their end.
    tables = segment(0xC4, b"\x00\x01" + bytes(15) + b"\x00") + segment(0xC4, b"\x10\x01" + bytes(15) + b"\xe0")
    frame = segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\x01\x11\x00")
    runs, left = "", blocks
    while left > 0:
        runs += "0" + format(min(32767, max(left, 16384)) - 16384, "014b")
        left -= 32767
    runs += "1" * (-len(runs) % 8)
    coded = int(runs, 2).to_bytes(len(runs) // 8, "big").replace(b"\xff", b"\xff\x00")
    first = segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + bytes(blocks // 8 + 1)
    again = segment(0xDA, b"\x01\x01\x00\x01\x01\x00") + coded
    return b"\xff\xd8" + segment(0xDB, b"\x00" + b"\x01" * 64) + frame + tables + first + again * scans + b"\xff\xd9"


ENDLESS = endless(100_000)


def children() -> list[psutil.Process]:
    def decodes(one: psutil.Process) -> bool:
        # Others may end while they are looked at.
        with contextlib.suppress(psutil.Error):
            return picture_process.__name__ in one.cmdline()
        return False

    return [one for one in psutil.Process().children() if decodes(one)]


async def a_child() -> psutil.Process:
    async def found() -> list[psutil.Process]:
        return children()

    (child,) = await eventually(found)
    return child


async def test_it_makes_what_is_made_without_it() -> None:
    assert await PictureProcess().squares(PHOTO, SIZES) == squares(PHOTO, SIZES)


async def test_what_is_refused_is_refused_for_the_same_reason() -> None:
    with pytest.raises(PictureRefused, match="a JPEG, PNG, WebP or GIF"):
        await PictureProcess().squares(EXECUTABLE, SIZES)


async def test_a_picture_without_an_end_is_stopped_and_others_go_on_meanwhile() -> None:
    assert len(ENDLESS) < 5 * 2**20
    process = PictureProcess(seconds=2.0)
    turns = 0
    decoding = asyncio.create_task(process.squares(ENDLESS, SIZES))
    while not decoding.done():
        await asyncio.wait([decoding], timeout=0.01)
        turns += 1
    with pytest.raises(PictureRefused, match="too long"):
        await decoding
    # Counted and not timed: a machine that is busy elsewhere makes them few, a loop that stands still while it decodes makes them none.
    assert turns > 10, "the loop stood still"
    assert children() == []
    assert await PictureProcess().squares(PHOTO, SIZES), "the next one is taken"


async def test_a_picture_that_needs_more_memory_than_it_may_have_is_refused() -> None:
    flat = picture("PNG", (4900, 4900), (*RED, 128))
    with pytest.raises(PictureRefused):
        await PictureProcess(memory=200 * 2**20).squares(flat, SIZES)
    assert await PictureProcess().squares(flat, SIZES)


async def test_who_is_no_longer_waited_for_ends() -> None:
    decoding = asyncio.create_task(PictureProcess().squares(ENDLESS, SIZES))
    child = await a_child()
    decoding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await decoding
    assert not child.is_running()


async def test_it_is_told_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANKCAST_DATABASE_URL", "postgresql://secret")
    decoding = asyncio.create_task(PictureProcess().squares(ENDLESS, SIZES))
    told = (await a_child()).environ()
    decoding.cancel()
    await asyncio.gather(decoding, return_exceptions=True)
    assert set(told) <= {"PYTHONPATH", "LC_CTYPE"}


async def test_one_at_a_time_is_decoded() -> None:
    process = PictureProcess()
    first = asyncio.create_task(process.squares(ENDLESS, SIZES))
    await a_child()
    second = asyncio.create_task(process.squares(PHOTO, SIZES))
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(children()) == 1
    first.cancel()
    assert await second == squares(PHOTO, SIZES)


async def test_an_answer_without_an_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_process, "ANSWER", 10)
    with pytest.raises(PictureRefused, match="too much"):
        await PictureProcess().squares(PHOTO, SIZES)
    assert children() == []


@pytest.mark.parametrize("answer", [b"", b"\xc1", b"\x90", b"\x81\x40\xa1x", b"\x82\x40\x01\xcd\x01\x00\x02", b"\x07"])
def test_an_answer_that_is_none_is_a_refusal(answer: bytes) -> None:
    with pytest.raises(PictureRefused):
        picture_process._read(answer, SIZES)


async def test_where_no_process_can_be_had_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_process.sys, "executable", "/nowhere/python")
    with pytest.raises(PicturesUnavailable):
        await PictureProcess().squares(PHOTO, SIZES)
