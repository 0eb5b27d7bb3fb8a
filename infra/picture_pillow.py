"""What a browser is shown of an upload: small squares in WebP, with nothing of the original in them but its pixels.

Who uploads is not trusted: only four formats are tried, how much a picture unfolds to is known before it is unfolded, and metadata
(where a photograph was taken) does not come along.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from realtime.core.errors import PictureRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PIXELS: Final = 25_000_000
"""A picture that unfolds to more is refused: 100 MB of memory."""
MAX_PHOTO: Final = 150_000_000
"""Likewise for a JPEG, which can be unfolded to an eighth of its sides; a progressive one takes three to six bytes a pixel all the same."""
MAX_SIDE: Final = 20_000

_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
_QUALITY: Final = 82
_GAP: Final = 3.0
"""So much larger than the square a picture is first made roughly, then smoothly."""


def squares(content: bytes, sizes: Sequence[int]) -> dict[int, bytes]:
    """WebP by the pixels of its sides, cut from the middle of the picture, upright, the first frame of several.

    What is meant well takes up to two seconds and 500 MB; what is not may take minutes: see `picture_process`. Raises PictureRefused.
    """
    try:
        with warnings.catch_warnings():
            # Its bound is wider than ours, which is looked at below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
                _check(picture)
                return _cut(picture, sizes)
    except UnidentifiedImageError as error:
        raise PictureRefused("a picture is a JPEG, PNG, WebP or GIF") from error
    except Image.DecompressionBombError as error:
        raise PictureRefused("the picture is too large") from error
    except PictureRefused:
        raise
    except Exception as error:  # what a decoder raises over broken content is not told anywhere
        raise PictureRefused(f"the picture cannot be read: {type(error).__name__}") from error


def _check(picture: Image.Image) -> None:
    width, height = picture.size
    most = MAX_PHOTO if picture.format == "JPEG" else MAX_PIXELS
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= most):
        raise PictureRefused(f"a picture of {width} by {height} is too large")


def _cut(picture: Image.Image, sizes: Sequence[int]) -> dict[int, bytes]:
    largest = max(sizes)
    picture.draft("RGB", (2 * largest, 2 * largest))
    if picture.width * picture.height > MAX_PIXELS:
        # A kind of JPEG that cannot be unfolded to less.
        raise PictureRefused("the picture is too large")
    # Made small first: what comes after costs nothing then, and the picture is in memory only as often as it must.
    square = ImageOps.exif_transpose(_middle(_graded(picture), largest))
    square = _in_srgb(square, picture.info.get("icc_profile"))
    square = square.convert("RGBA" if square.has_transparency_data else "RGB")
    return {size: _webp(square if size == largest else _smaller(square, size)) for size in sizes}


def _graded(picture: Image.Image) -> Image.Image:
    """The picture in a mode that can be resized smoothly, and in 8 bits."""
    if picture.mode.startswith(("I", "F")):
        # 16 bits of grey; Pillow would cut off what is above 255.
        return picture.point(lambda value: value / 257).convert("L")
    if picture.mode in {"L", "RGB", "RGBA", "CMYK"} and "transparency" not in picture.info:
        return picture
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _middle(picture: Image.Image, size: int) -> Image.Image:
    side = min(picture.size)
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    box = (left, top, left + side, top + side)
    return picture.resize((size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=_GAP)


def _in_srgb(square: Image.Image, profile: bytes | None) -> Image.Image:
    """The square in the colours that a browser takes it for: the profile that says otherwise does not come along."""
    if not profile:
        return square
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if square.mode == "RGBA" else "RGB"
        changed = ImageCms.profileToProfile(square, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        # Of another kind of picture, or broken: browsers leave the colours alone then.
        return square
    return square if changed is None else changed


def _smaller(square: Image.Image, size: int) -> Image.Image:
    return square.resize((size, size), Image.Resampling.LANCZOS)


def _webp(square: Image.Image) -> bytes:
    # A picture of its own: what an image carries besides its pixels would be written along.
    bare = Image.frombytes(square.mode, square.size, square.tobytes())
    written = io.BytesIO()
    bare.save(written, "WEBP", quality=_QUALITY, method=4)
    return written.getvalue()
