from __future__ import annotations

import base64
import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.pictures_s3 import S3Pictures
from infra.settings import Settings
from realtime.core.errors import PictureRefused, PicturesUnavailable
from realtime.core.pictures import MAX_BYTES, Upload
from tests.queues import CREDENTIALS

if TYPE_CHECKING:
    from tests.emulators import Emulator

ANN = Upload("ann", "ab" * 32, 1_764_100_000_123)
SETTINGS = Settings(
    database_url="", redis_url="", issuer="", jwks_url="", aws_region="eu-central-1", pictures_bucket="faces"
)
pytestmark = pytest.mark.usefixtures("credentials")


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


def policy(fields: Any) -> list[Any]:
    conditions: list[Any] = json.loads(base64.b64decode(fields["policy"]))["conditions"]
    return conditions


async def test_a_ticket_is_for_the_bucket_in_its_own_region_and_signed_as_every_region_takes_it() -> None:
    pictures = await S3Pictures.open(SETTINGS)
    ticket = await pictures.ticket(ANN, "image/png")
    pictures.close()
    # Sent on from another address a browser would not post again.
    assert ticket.url == "https://faces.s3.eu-central-1.amazonaws.com/"
    assert ticket.fields["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    assert "/eu-central-1/s3/" in ticket.fields["x-amz-credential"]
    conditions = policy(ticket.fields)
    assert ["content-length-range", 1, MAX_BYTES] in conditions
    assert {"Content-Type": "image/png"} in conditions
    assert {"key": ANN.key} in conditions
    assert {"bucket": "faces"} in conditions


@pytest.mark.parametrize("call", ["uploaded", "discard", "publish"])
async def test_where_s3_is_away_every_call_says_so(call: str) -> None:
    away = dataclasses.replace(SETTINGS, aws_endpoint="http://127.0.0.1:9", pictures_timeout=1.0)
    pictures = await S3Pictures.open(away)
    with pytest.raises(PicturesUnavailable, match="S3"):
        await (pictures.publish(ANN, {64: b"x"}) if call == "publish" else getattr(pictures, call)(ANN))
    pictures.close()


async def test_what_is_larger_than_any_ticket_allows_is_not_read(ministack: Emulator) -> None:
    s3 = ministack.client("s3")
    s3.create_bucket(Bucket="large")
    s3.put_object(Bucket="large", Key=ANN.key, Body=bytes(MAX_BYTES + 1))
    settings = dataclasses.replace(SETTINGS, pictures_bucket="large", aws_endpoint=ministack.url)
    pictures = await S3Pictures.open(settings)
    with pytest.raises(PictureRefused, match="at most"):
        await pictures.uploaded(ANN)
    pictures.close()
    s3.close()


async def test_a_bucket_that_is_not_there_is_an_outage_and_no_missing_upload(ministack: Emulator) -> None:
    settings = dataclasses.replace(SETTINGS, pictures_bucket="nowhere", aws_endpoint=ministack.url)
    pictures = await S3Pictures.open(settings)
    with pytest.raises(PicturesUnavailable, match="NoSuchBucket"):
        await pictures.uploaded(ANN)
    pictures.close()
