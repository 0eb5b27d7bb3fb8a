from __future__ import annotations

from hashlib import sha256

import pytest

from realtime.core.errors import FieldInvalid, PictureRefused
from realtime.core.pictures import MAX_BYTES, TYPES, Upload, check_type, upload_of

CONTENT = b"a picture"
DIGEST = sha256(CONTENT).hexdigest()
AT = 1_764_100_000_123
ANN = Upload("ann", DIGEST, AT)


def test_a_key_names_the_player_the_content_and_when_it_was_asked_for() -> None:
    assert ANN.key == f"uploads/ann/{AT}-{DIGEST}"
    assert upload_of(ANN.key) == ANN


def test_what_a_profile_names_is_relative_to_the_service() -> None:
    assert ANN.address == f"/pictures/ann/{DIGEST[:32]}/64.webp"
    assert ANN.made(256) == f"pictures/ann/{DIGEST[:32]}/256.webp"


@pytest.mark.parametrize(
    "key",
    [
        "",
        f"uploads/ann/{AT}-{DIGEST[:-1]}",
        f"uploads/ann/{AT}-{DIGEST.upper()}",
        f"uploads/../{AT}-{DIGEST}",
        f"uploads/a/b/{AT}-{DIGEST}",
        f"pictures/ann/{AT}-{DIGEST}",
        f"uploads/ann/{AT}-{DIGEST}\n",
        f"uploads/ann/{DIGEST}",
        f"uploads/ann/123-{DIGEST}",
    ],
)
def test_a_key_that_is_none_of_ours_is_refused(key: str) -> None:
    with pytest.raises(PictureRefused):
        upload_of(key)


@pytest.mark.parametrize("player", [".", "..", "..."])
def test_a_player_whose_id_would_be_a_step_in_an_address_has_no_picture(player: str) -> None:
    with pytest.raises(FieldInvalid):
        Upload(player, DIGEST, AT)


@pytest.mark.parametrize("digest", ["", DIGEST[1:], DIGEST.upper(), DIGEST + "0", f"{DIGEST}\n"])
def test_a_digest_is_64_hexadecimal_digits(digest: str) -> None:
    with pytest.raises(FieldInvalid):
        Upload("ann", digest, AT)


def test_only_the_announced_content_passes() -> None:
    ANN.check(CONTENT)
    for content in (b"", CONTENT + b"!"):
        with pytest.raises(PictureRefused):
            ANN.check(content)


def test_more_bytes_than_may_be_are_refused() -> None:
    content = bytes(MAX_BYTES + 1)
    with pytest.raises(PictureRefused, match="bytes"):
        Upload("ann", sha256(content).hexdigest(), AT).check(content)
    content = content[1:]
    Upload("ann", sha256(content).hexdigest(), AT).check(content)


def test_types_are_those_of_pictures() -> None:
    assert [check_type(one) for one in TYPES] == list(TYPES)
    for other in ("image/svg+xml", "text/html", "", None, ["image/png"]):
        with pytest.raises(FieldInvalid):
            check_type(other)
