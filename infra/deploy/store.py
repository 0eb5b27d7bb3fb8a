"""Packages into buckets. What a bucket has under a name made of its content's hash is not sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.deploy.account import asking, refusal
from infra.deploy.errors import AccountRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from infra.deploy.site import SiteFile
    from infra.deploy.templates import Packed

_PAGES = 200


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

    def _keys(self, prefix: str) -> set[str]:
        keys: set[str] = set()
        token: dict[str, str] = {}
        for _ in range(_PAGES):
            with asking(f"bucket {self.bucket}"):
                page = self._client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, **token)
            keys |= {one["Key"] for one in page.get("Contents", [])}
            if not page.get("IsTruncated"):
                break
            token = {"ContinuationToken": page["NextContinuationToken"]}
        return keys
