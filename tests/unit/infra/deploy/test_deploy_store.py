from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.deploy.errors import AccountRefused
from infra.deploy.site import ASKED_ANEW, FOR_EVER, SiteFile
from infra.deploy.store import Store
from infra.deploy.templates import Packed
from tests.emulators import Emulator

_numbers = itertools.count(1)


@pytest.fixture
def s3(ministack: Emulator) -> Any:
    return ministack.client("s3")


@pytest.fixture
def store(s3: Any) -> Store:
    bucket = f"store-{next(_numbers)}"
    s3.create_bucket(Bucket=bucket)
    return Store(s3, bucket)


def body(s3: Any, store: Store, key: str) -> bytes:
    content: bytes = s3.get_object(Bucket=store.bucket, Key=key)["Body"].read()
    return content


def test_a_file_is_sent_once_under_a_name_that_is_its_contents(store: Store, s3: Any, tmp_path: Path) -> None:
    path = tmp_path / "functions.zip"
    path.write_bytes(b"one")
    assert store.put_file("functions/a.zip", path) is True
    path.write_bytes(b"two")
    assert store.put_file("functions/a.zip", path) is False
    assert body(s3, store, "functions/a.zip") == b"one"


def test_the_address_of_the_last_template_is_where_cloudformation_finds_it(store: Store, ministack: Emulator) -> None:
    template = 'AWSTemplateFormatVersion: "2010-09-09"\nResources: { Q: { Type: AWS::SQS::Queue } }\n'
    url = store.put_templates([Packed("templates/a.yaml", "x"), Packed("templates/b.yaml", template)])
    summary = ministack.client("cloudformation").get_template_summary(TemplateURL=url)
    assert summary["ResourceTypes"] == ["AWS::SQS::Queue"]


def test_of_a_site_what_never_changes_is_sent_once_and_the_rest_each_time(store: Store, s3: Any) -> None:
    def files(page: bytes) -> list[SiteFile]:
        return [
            SiteFile("web/v1/a.js", b"a" + page, "text/javascript", FOR_EVER),
            SiteFile("index.html", page, "text/html", ASKED_ANEW),
        ]

    told: list[str] = []
    for page in (b"1", b"2"):
        store.put_site(files(page), "v1", lambda file: told.append(file.key))
    assert body(s3, store, "index.html") == b"2"
    assert body(s3, store, "web/v1/a.js") == b"a1"
    assert s3.head_object(Bucket=store.bucket, Key="web/v1/a.js")["CacheControl"] == FOR_EVER
    assert told == ["web/v1/a.js", "index.html"] * 2


def test_a_version_of_the_site_goes_when_it_was_not_in_use_for_long(store: Store, s3: Any) -> None:
    def there() -> set[str]:
        return {one["Key"] for one in s3.list_objects_v2(Bucket=store.bucket)["Contents"]}

    for version in ("v1", "v2", "v1", "v3"):
        store.put_site([SiteFile(f"web/{version}/a.js", b"a", "text/javascript", FOR_EVER)], version, lambda _: None)
        assert store.mark(version) == []
    assert there() == {
        name for version in ("v1", "v2", "v3") for name in (f"deployed/{version}", f"web/{version}/a.js")
    }
    # Used once more, v2 is the last that was; the others have been out of use for longer than no time at all.
    assert sorted(store.mark("v2", kept=timedelta(seconds=-1))) == ["v1", "v3"]
    assert there() == {"deployed/v2", "web/v2/a.js"}
    assert store.mark("v2", kept=timedelta(seconds=-1)) == []


def test_a_bucket_that_there_is_not_is_named(s3: Any, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(AccountRefused, match=r"object k: NoSuchBucket"):
        Store(s3, "nowhere-at-all").put_file("k", tmp_path / "f")
