"""What a browser is shown of an upload: small squares in WebP, with nothing of the original in them but its pixels.

Who uploads is not trusted: only four formats are tried, how much a picture unfolds to is known before it is unfolded, and metadata
(where a photograph was taken) does not come along.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageOps, UnidentifiedImageError

from realtime.core.errors import PictureRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PIXELS: Final = 25_000_000
"""A picture that unfolds to more is refused: 100 MB of memory."""
MAX_PHOTO: Final = 200_000_000
"""Likewise for a JPEG, which can be unfolded to an eighth of its sides."""
MAX_SIDE: Final = 20_000

_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
_QUALITY: Final = 82


def squares(content: bytes, sizes: Sequence[int]) -> dict[int, bytes]:
    """WebP by the pixels of its sides, cut from the middle of the picture, upright, the first frame of several.

    Takes up to some hundred milliseconds and 250 MB. Raises PictureRefused.
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
    upright = ImageOps.exif_transpose(picture)
    shown = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    square = ImageOps.fit(shown, (largest, largest), Image.Resampling.LANCZOS)
    return {size: _webp(square if size == largest else _smaller(square, size)) for size in sizes}


def _smaller(square: Image.Image, size: int) -> Image.Image:
    return square.resize((size, size), Image.Resampling.LANCZOS)


def _webp(square: Image.Image) -> bytes:
    # A picture of its own: what an image carries besides its pixels would be written along.
    bare = Image.frombytes(square.mode, square.size, square.tobytes())
    written = io.BytesIO()
    bare.save(written, "WEBP", quality=_QUALITY, method=4)
    return written.getvalue()
