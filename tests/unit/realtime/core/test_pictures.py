from __future__ import annotations

from hashlib import sha256

import pytest

from realtime.core.errors import FieldInvalid, PictureRefused
from realtime.core.pictures import MAX_BYTES, TYPES, Portrait, Upload, check_type, made_at, upload_of

CONTENT = b"a picture"
DIGEST = sha256(CONTENT).hexdigest()
AT = 1_764_100_000_123
ANN = Upload("ann", DIGEST, AT)


def test_a_key_names_the_player_the_content_and_when_it_was_asked_for() -> None:
    assert ANN.key == f"uploads/ann/{AT}-{DIGEST}"
    assert upload_of(ANN.key) == ANN


def test_what_a_profile_names_is_relative_to_the_service() -> None:
    assert ANN.address == f"/pictures/ann/{AT}-{DIGEST[:32]}/64.webp"
    assert ANN.made(256) == f"pictures/ann/{AT}-{DIGEST[:32]}/256.webp"


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


def test_what_is_made_says_when_it_was_asked_for_and_whose_it_is() -> None:
    assert made_at("ann", ANN.made(64)) == AT
    assert made_at("ann", ANN.address.removeprefix("/")) == AT
    for other in ("", ANN.key, f"pictures/ann/{DIGEST[:32]}/64.webp", "pictures/eve" + ANN.made(64)[12:]):
        assert made_at("ann", other) == -1


@pytest.mark.parametrize(
    ("known", "became"),
    [
        (Portrait(), "waiting"),
        (Portrait("/other", AT - 1, AT - 2, "no"), "waiting"),
        (Portrait(ANN.address, AT, AT + 5, "no"), "shown"),
        (Portrait("/other", AT - 1, AT, "no"), "refused"),
        (Portrait("/other", AT + 1, AT, "no"), "refused"),
        (Portrait("/other", AT + 1, 0, ""), "replaced"),
        (Portrait(None, AT + 1, 0, ""), "replaced"),
        (Portrait(None, 0, AT + 1, "no"), "replaced"),
    ],
    ids=str,
)
def test_what_became_of_an_upload_is_told_by_what_is_known_of_its_player(known: Portrait, became: str) -> None:
    assert known.became(ANN.address, AT) == became
