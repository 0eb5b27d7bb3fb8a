from __future__ import annotations

import io
import random

import pytest
from PIL import Image, ImageCms

from infra.picture_pillow import MAX_SIDE, squares
from realtime.core.errors import PictureRefused
from tests.images import (
    BLUE,
    EXECUTABLE,
    GREEN,
    RED,
    SECRET,
    SVG,
    animated,
    bomb,
    near,
    opened,
    picture,
    sideways,
)

SIZES = (64, 256)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_squares_of_every_size_are_made(kind: str) -> None:
    made = squares(picture(kind), SIZES)
    assert {size: opened(content).size for size, content in made.items()} == {64: (64, 64), 256: (256, 256)}
    assert {opened(content).format for content in made.values()} == {"WEBP"}
    assert near(opened(made[64]).convert("RGB").getpixel((32, 32)), RED)


def test_a_small_one_grows() -> None:
    assert opened(squares(picture(size=(1, 3)), SIZES)[256]).size == (256, 256)


def test_it_is_cut_from_the_middle() -> None:
    wide = Image.new("RGB", (900, 300), RED)
    wide.paste(BLUE, (300, 0, 600, 300))
    made = opened(squares(_png(wide), (64,))[64]).convert("RGB")
    assert near(made.getpixel((3, 32)), BLUE)
    assert near(made.getpixel((60, 32)), BLUE)


def test_a_photograph_is_turned_upright() -> None:
    made = opened(squares(sideways(), (64,))[64]).convert("RGB")
    assert near(made.getpixel((32, 8)), RED)
    assert near(made.getpixel((32, 56)), BLUE)


def test_nothing_but_pixels_comes_along() -> None:
    sent = sideways()
    assert SECRET.encode() in sent
    for content in squares(sent, SIZES).values():
        assert SECRET.encode() not in content
        made = opened(content)
        assert not made.getexif()
        assert not {"exif", "xmp", "icc_profile", "comment"} & made.info.keys()


def test_what_can_be_seen_through_stays_so() -> None:
    made = opened(squares(picture(colour=(*RED, 0)), (64,))[64])
    assert made.convert("RGBA").getpixel((32, 32))[3] == 0  # type: ignore[index]


def test_of_several_frames_the_first_is_taken() -> None:
    made = opened(squares(animated(), (64,))[64])
    assert getattr(made, "n_frames", 1) == 1
    assert near(made.convert("RGB").getpixel((32, 32)), GREEN)


@pytest.mark.parametrize("sent", [SVG, EXECUTABLE, b"", b"GIF89a", b"%PDF-1.7", b"<html>"], ids=str)
def test_what_is_no_picture_is_refused_whatever_it_is_called(sent: bytes) -> None:
    with pytest.raises(PictureRefused):
        squares(sent, SIZES)


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO", "PPM"])
def test_other_formats_are_not_even_tried(kind: str) -> None:
    with pytest.raises(PictureRefused, match="JPEG, PNG, WebP or GIF"):
        squares(picture(kind, (32, 32)), SIZES)


@pytest.mark.parametrize("side", [5_100, 18_000])
def test_a_bomb_is_refused_before_it_is_unfolded(side: int) -> None:
    sent = bomb(side)
    assert len(sent) < 100_000
    with pytest.raises(PictureRefused, match="too large"):
        squares(sent, SIZES)


def test_a_side_that_is_too_long_is_refused() -> None:
    with pytest.raises(PictureRefused, match="too large"):
        squares(picture("PNG", (MAX_SIDE + 1, 2)), SIZES)


def test_a_large_photograph_is_taken() -> None:
    assert opened(squares(picture("JPEG", (8_000, 6_000)), (64,))[64]).size == (64, 64)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_what_is_broken_is_refused_or_taken_but_never_breaks_us(kind: str) -> None:
    sent = picture(kind, (200, 150))
    chance = random.Random(7)
    for _ in range(60):
        broken = bytearray(sent)
        for _ in range(chance.randrange(1, 12)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try:
            made = squares(bytes(broken[: chance.randrange(20, len(broken) + 1)]), (64,))
        except PictureRefused:
            continue
        assert opened(made[64]).size == (64, 64)


def _png(made: Image.Image) -> bytes:
    written = io.BytesIO()
    made.save(written, "PNG")
    return written.getvalue()


def test_sixteen_bits_of_grey_are_as_bright_as_eight() -> None:
    for grey, seen in ((0, 0), (40_000, 156), (65_535, 255)):
        made = opened(squares(_png(Image.new("I;16", (90, 90), grey)), (64,))[64])
        assert near(made.convert("RGB").getpixel((32, 32)), (seen, seen, seen))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_of_a_png_is_read(mode: str) -> None:
    white = Image.new("RGB", (90, 90), (255, 255, 255)).convert(mode)
    assert near(opened(squares(_png(white), (64,))[64]).convert("RGB").getpixel((32, 32)), (255, 255, 255))


def test_four_inks_are_read() -> None:
    written = io.BytesIO()
    Image.new("CMYK", (90, 90), (0, 255, 255, 0)).save(written, "JPEG")
    assert near(opened(squares(written.getvalue(), (64,))[64]).convert("RGB").getpixel((32, 32)), (255, 0, 0))


def _red_is_blue() -> bytes:
    """A profile in which what is written as red is blue."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("colour", [RED, (*RED, 255)])
def test_colours_are_those_that_the_profile_means(colour: tuple[int, ...]) -> None:
    sent = picture("PNG", colour=colour, icc_profile=_red_is_blue())
    made = opened(squares(sent, (64,))[64])
    assert "icc_profile" not in made.info
    red, _, blue = made.convert("RGB").getpixel((32, 32))  # type: ignore[misc]
    assert (red < 60, blue > 200) == (True, True)


@pytest.mark.parametrize("profile", [b"x" * 200, b"\0", _red_is_blue()[:300]], ids=["noise", "nothing", "cut off"])
def test_a_broken_profile_changes_nothing(profile: bytes) -> None:
    made = opened(squares(picture("PNG", icc_profile=profile), (64,))[64])
    assert "icc_profile" not in made.info, "it does not come along either"
    assert near(made.convert("RGB").getpixel((32, 32)), RED)
