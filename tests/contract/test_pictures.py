from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from realtime.core.pictures import MAX_BYTES, SIZES, Upload

if TYPE_CHECKING:
    from tests.contract.pictured import Pictured

CONTENT = b"\x89PNG a picture \x00\xff\r\n--x"


def upload(player: str = "ann", content: bytes = CONTENT) -> Upload:
    return Upload(player, sha256(content).hexdigest(), 1_764_100_000_123)


async def test_what_is_sent_with_a_ticket_is_there_until_it_is_discarded(pictured: Pictured) -> None:
    ticket = await pictured.pictures.ticket(upload(), "image/png")
    assert await pictured.pictures.uploaded(upload()) is None
    assert await pictured.send(ticket, CONTENT)
    assert await pictured.pictures.uploaded(upload()) == CONTENT
    await pictured.pictures.discard(upload())
    assert await pictured.pictures.uploaded(upload()) is None


async def test_a_ticket_may_be_used_again(pictured: Pictured) -> None:
    ticket = await pictured.pictures.ticket(upload(), "image/png")
    assert await pictured.send(ticket, CONTENT)
    await pictured.pictures.discard(upload())
    assert await pictured.send(ticket, CONTENT)
    assert await pictured.pictures.uploaded(upload()) == CONTENT


async def test_as_many_bytes_as_may_be_are_taken_and_not_one_more(pictured: Pictured) -> None:
    full, more = bytes(MAX_BYTES), bytes(MAX_BYTES + 1)
    ticket = await pictured.pictures.ticket(upload("full", full), "image/png")
    assert await pictured.send(ticket, full)
    assert not await pictured.send(await pictured.pictures.ticket(upload("more", more), "image/png"), more)
    assert await pictured.pictures.uploaded(upload("more", more)) is None


async def test_nothing_at_all_is_not_taken(pictured: Pictured) -> None:
    assert not await pictured.send(await pictured.pictures.ticket(upload(), "image/png"), b"")


@pytest.mark.parametrize("changed", ["key", "Content-Type"])
async def test_a_ticket_is_for_one_upload_of_one_type(pictured: Pictured, changed: str) -> None:
    ticket = await pictured.pictures.ticket(upload("bob"), "image/png")
    other = {"key": upload("eve").key, "Content-Type": "text/html"}[changed]
    assert not await pictured.send(ticket, CONTENT, {changed: other})
    assert await pictured.pictures.uploaded(upload("eve")) is None


async def test_what_was_made_is_kept_by_its_size_and_may_be_published_again(pictured: Pictured) -> None:
    for _ in range(2):
        await pictured.pictures.publish(upload("cid"), {size: f"of {size}".encode() for size in SIZES})
    assert [await pictured.kept(upload("cid").made(size)) for size in SIZES] == [b"of 64", b"of 256"]


async def test_to_discard_what_is_gone_is_nothing(pictured: Pictured) -> None:
    await pictured.pictures.discard(upload("nobody"))
    assert await pictured.kept(upload("nobody").made(64)) is None


async def test_what_is_older_than_what_is_shown_goes_but_not_at_once(pictured: Pictured) -> None:
    made = [Upload("dan", sha256(CONTENT).hexdigest(), at) for at in (1_764_100_000_001, 1_764_100_000_002)]
    other = Upload("dan.", made[0].digest, made[0].at)
    for one in (*made, other):
        await pictured.pictures.publish(one, dict.fromkeys(SIZES, b"w"))
    for _ in range(2):
        await pictured.pictures.retire("dan", made[1].at)
    assert [await pictured.goes(made[0].made(size)) for size in SIZES] == [True, True]
    assert await pictured.kept(made[0].made(64)) == b"w", "who has not heard of it yet still asks for it"
    assert [await pictured.goes(one.made(64)) for one in (made[1], other)] == [False, False]
    await pictured.pictures.retire("nobody", made[1].at)
