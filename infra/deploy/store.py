"""Packages into buckets. What a bucket has under a name made of its content's hash is not sent again."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from infra.deploy.account import asking, refusal
from infra.deploy.errors import AccountRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from infra.deploy.site import SiteFile
    from infra.deploy.templates import Packed

KEPT: Final = timedelta(days=30)
"""How long a page that was loaded before a deployment still finds the files that it names."""
_PAGES = 200
_AT_ONCE = 1000
_MARKS = "deployed/"


class Store:
    """One bucket. Every method raises AccountRefused."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def url(self, key: str) -> str:
        """Where CloudFormation reads an object."""
        return f"{self._client.meta.endpoint_url}/{self.bucket}/{key}"

    def has(self, key: str) -> bool:
        """Whether there is an object of this name."""
        try:
            with asking(f"object {key}"):
                self._client.head_object(Bucket=self.bucket, Key=key)
        except AccountRefused as error:
            # Without the right to list the bucket, one that is missing is answered 403.
            if refusal(error)[0] in {"404", "403", "NoSuchKey", "NotFound", "NoSuchBucket"}:
                return False
            raise
        return True

    def put_file(self, key: str, path: Path) -> bool:
        """Bring a file unless its name is there; whether it was sent."""
        if self.has(key):
            return False
        with asking(f"object {key}"), path.open("rb") as body:
            self._client.put_object(Bucket=self.bucket, Key=key, Body=body)
        return True

    def put_templates(self, templates: Iterable[Packed]) -> str:
        """Bring templates that are not there; the address of the last."""
        url = ""
        for one in templates:
            if not self.has(one.key):
                with asking(f"object {one.key}"):
                    self._client.put_object(
                        Bucket=self.bucket, Key=one.key, Body=one.body.encode(), ContentType="application/yaml"
                    )
            url = self.url(one.key)
        return url

    def put_site(self, files: Iterable[SiteFile], version: str, tell: Callable[[SiteFile], None]) -> None:
        """Bring the site's files in their order. Those of a version that is there are not sent again."""
        there = self._keys(f"web/{version}/")
        for file in files:
            if file.key not in there:
                with asking(f"object {file.key}"):
                    self._client.put_object(
                        Bucket=self.bucket,
                        Key=file.key,
                        Body=file.body,
                        ContentType=file.content_type,
                        CacheControl=file.cache_control,
                    )
            tell(file)

    def mark(self, version: str, kept: timedelta = KEPT) -> list[str]:
        """Note that a version of the site is the one in use; take away those that have not been for longer than `kept`.

        All times are the bucket's own. Returns the versions that went.
        """
        with asking(f"object {_MARKS}{version}"):
            self._client.put_object(Bucket=self.bucket, Key=f"{_MARKS}{version}", Body=b"")
        marks = sorted(self._objects(_MARKS), key=lambda one: (one["LastModified"], one["Key"] == _MARKS + version))
        gone = [
            one["Key"].removeprefix(_MARKS)
            for one, successor in pairwise(marks)
            if marks[-1]["LastModified"] - successor["LastModified"] > kept
        ]
        for old in gone:
            # The mark last: what was left half-way is found again.
            self._remove([*sorted(self._keys(f"web/{old}/")), f"{_MARKS}{old}"])
        return gone

    def _remove(self, keys: list[str]) -> None:
        for start in range(0, len(keys), _AT_ONCE):
            names = [{"Key": key} for key in keys[start : start + _AT_ONCE]]
            with asking(f"bucket {self.bucket}"):
                self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": names, "Quiet": True})

    def _keys(self, prefix: str) -> set[str]:
        return {one["Key"] for one in self._objects(prefix)}

    def _objects(self, prefix: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        for _ in range(_PAGES):
            with asking(f"bucket {self.bucket}"):
                page = self._client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, **token)
            found += page.get("Contents", [])
            if not page.get("IsTruncated"):
                break
            token = {"ContinuationToken": page["NextContinuationToken"]}
        return found
