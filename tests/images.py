"""Pictures as people and others send them."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

RED, GREEN, BLUE = (220, 30, 30), (30, 200, 30), (30, 30, 220)
GPS_TAG, ORIENTATION_TAG, SECRET = 0x8825, 0x0112, "where it was taken"


def picture(kind: str = "PNG", size: tuple[int, int] = (300, 200), colour: Sequence[int] = RED, **saved: Any) -> bytes:
    """One colour all over."""
    written = io.BytesIO()
    Image.new("RGBA" if len(colour) == 4 else "RGB", size, tuple(colour)).save(written, kind, **saved)
    return written.getvalue()


def sideways() -> bytes:
    """A photograph taken with the camera on its side: red left, blue right as it is stored, red on top as it is meant."""
    stored = Image.new("RGB", (400, 400), RED)
    stored.paste(BLUE, (200, 0, 400, 400))
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6
    exif[0x010E] = SECRET
    exif.get_ifd(GPS_TAG)[1] = "N"
    written = io.BytesIO()
    stored.save(written, "JPEG", exif=exif, quality=95, comment=SECRET.encode())
    return written.getvalue()


def animated() -> bytes:
    """Green first, then red."""
    written = io.BytesIO()
    frames = [Image.new("RGB", (80, 80), colour) for colour in (GREEN, RED)]
    frames[0].save(written, "GIF", save_all=True, append_images=frames[1:], duration=100)
    return written.getvalue()


def bomb(side: int) -> bytes:
    """A PNG of few bytes that says, truly, that it unfolds to `side` by `side` pixels."""
    rows = zlib.compressobj(9)
    data = b"".join(rows.compress(bytes(1 + (side + 7) // 8)) for _ in range(side)) + rows.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><rect width="9" height="9"/></svg>'
EXECUTABLE = b"\x7fELF\x02\x01\x01" + bytes(2000)


def opened(content: bytes) -> Image.Image:
    made = Image.open(io.BytesIO(content))
    made.load()
    return made


def near(pixel: Any, colour: Sequence[int]) -> bool:
    """WebP loses a little."""
    return all(abs(one - other) < 24 for one, other in zip(pixel, colour, strict=False))
