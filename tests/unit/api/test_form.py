from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request

from api import form
from api.form import FIELDS, receive_file
from realtime.core.errors import BodyTooLarge, FormInvalid, TicketInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 1000
KIND = "multipart/form-data; boundary=x"


def part(name: str, value: bytes, more: str = "") -> bytes:
    return f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--x--\r\n"


class Sender:
    """A client that sends in pieces; `taken` is how many of them were read."""

    def __init__(self, pieces: list[bytes], kind: str = KIND, length: int | None = None, *, ends: str = "") -> None:
        self.pieces = pieces
        self.taken = 0
        self.ends = ends
        headers = [(b"content-type", kind.encode())]
        if length is not None:
            headers.append((b"content-length", str(length).encode()))
        self.request = Request({"type": "http", "method": "POST", "headers": headers}, self.receive)

    async def receive(self) -> dict[str, Any]:
        if self.taken == len(self.pieces):
            if self.ends == "gone":
                return {"type": "http.disconnect"}
            await asyncio.Event().wait()
        self.taken += 1
        more = self.taken < len(self.pieces) or bool(self.ends)
        return {"type": "http.request", "body": self.pieces[self.taken - 1], "more_body": more}


def fields_of(fields: Mapping[str, str]) -> dict[str, str]:
    return dict(fields)


def refuse(_: Mapping[str, str]) -> None:
    raise TicketInvalid("no")


WHOLE = body(part("key", b"a/b"), part("note", "ä".encode()), part("file", b"\x00\r\n--y\xff", '; filename="me"'))


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
async def test_fields_and_the_file_are_read_in_pieces_of_any_size(size: int) -> None:
    sender = Sender([WHOLE[at : at + size] for at in range(0, len(WHOLE), size)])
    assert await receive_file(sender.request, MOST, fields_of) == (
        {"key": "a/b", "note": "ä"},
        b"\x00\r\n--y\xff",
    )


async def test_a_file_that_is_not_wanted_is_not_read() -> None:
    head = part("key", b"k") + b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    sender = Sender([head, *[bytes(100)] * 5])
    with pytest.raises(TicketInvalid):
        await receive_file(sender.request, MOST, refuse)
    assert sender.taken == 1


async def test_a_form_that_says_that_it_is_too_long_is_not_read() -> None:
    sender = Sender([WHOLE], length=MOST + FIELDS + 1)
    with pytest.raises(BodyTooLarge):
        await receive_file(sender.request, MOST, fields_of)
    assert sender.taken == 0


async def test_a_file_has_at_most_so_many_bytes() -> None:
    full = body(part("file", bytes(MOST)))
    assert (await receive_file(Sender([full]).request, MOST, fields_of))[1] == bytes(MOST)
    head = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    sender = Sender([head, *[bytes(100)] * 50])
    with pytest.raises(BodyTooLarge):
        await receive_file(sender.request, MOST, fields_of)
    assert sender.taken < 15


async def test_what_is_beside_the_file_has_a_bound_too() -> None:
    sender = Sender([part(f"f{n}", bytes(1000)) for n in range(40)])
    with pytest.raises(BodyTooLarge):
        await receive_file(sender.request, MOST, fields_of)
    assert sender.taken < 20


async def test_what_follows_the_file_is_not_waited_for() -> None:
    sender = Sender([body(part("key", b"k"), part("file", b"f"))[:-2], part("key", b"other")], ends="gone")
    assert await receive_file(sender.request, MOST, fields_of) == ({"key": "k"}, b"f")
    assert sender.taken == 1


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ([WHOLE], "application/json"),
        ([WHOLE], "multipart/form-data"),
        ([WHOLE], "multipart/form-data; boundary="),
        ([WHOLE], f"multipart/form-data; boundary={'x' * 5000}"),
        ([WHOLE], "multipart/mixed; boundary=x"),
        ([b"--y"], KIND),
        ([b""], KIND),
        ([body(part("key", b"k"))], KIND),
        ([WHOLE[:-20]], KIND),
        ([body(part("", b"k"), part("File", b"k"))], KIND),
        ([b"--x\r\nContent-Disposition form-data\r\n\r\nk\r\n--x--"], KIND),
        ([b"--x\r\n\r\nk\r\n--x--\r\n"], KIND),
    ],
)
async def test_what_is_no_form_with_a_file_is_refused(pieces: list[bytes], kind: str) -> None:
    with pytest.raises(FormInvalid):
        await receive_file(Sender(pieces, kind).request, MOST, fields_of)


async def test_who_goes_half_way_has_sent_nothing() -> None:
    with pytest.raises(FormInvalid, match="early"):
        await receive_file(Sender([WHOLE[:-20]], ends="gone").request, MOST, fields_of)


async def test_who_takes_too_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "SECONDS", 0.05)
    with pytest.raises(FormInvalid, match="within"):
        await receive_file(Sender([WHOLE[:-20]], ends="never").request, MOST, fields_of)
