"""Pictures in an S3 bucket: sent by presigned POST straight into it, shown by CloudFront out of it."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from infra.client_aws import AwsClient
from realtime.core.errors import PictureRefused, PicturesUnavailable
from realtime.core.pictures import MAX_BYTES, TICKET_SECONDS, Ticket, Upload, made_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.settings import Settings

_THREADS: Final = 4
_TRIES: Final = 3
_GONE: Final = ("NoSuchKey", "404")
NOT_SHOWN: Final = {"TagSet": [{"Key": "shown", "Value": "no"}]}
"""The tag by which the bucket's rule knows what may go."""
_MARKED: Final = 20
_FOR_GOOD: Final = "public, max-age=31536000, immutable"


class S3Pictures:
    """The port `Pictures` on a bucket."""

    def __init__(self, aws: AwsClient, bucket: str) -> None:
        self._aws = aws
        self._bucket = bucket

    @classmethod
    async def open(cls, settings: Settings) -> Self:
        """On the settings' bucket."""

        def client() -> AwsClient:
            return AwsClient.open(
                "s3",
                settings,
                threads=_THREADS,
                seconds=settings.pictures_timeout,
                tries=_TRIES,
                # Tickets are signed for the bucket's own region: a browser that is sent on elsewhere does not post again.
                signature_version="s3v4",
                s3={"addressing_style": "path" if settings.aws_endpoint else "virtual"},
            )

        return cls(await asyncio.to_thread(client), settings.pictures_bucket)

    async def ticket(self, upload: Upload, content_type: str) -> Ticket:
        """See the port. The type and the number of bytes are conditions that S3 holds the sender to."""
        with _wrapped():
            signed = await self._aws.call(
                "generate_presigned_post",
                Bucket=self._bucket,
                Key=upload.key,
                Fields={"Content-Type": content_type},
                Conditions=[{"Content-Type": content_type}, ["content-length-range", 1, MAX_BYTES]],
                ExpiresIn=TICKET_SECONDS,
            )
        return Ticket(signed["url"], signed["fields"])

    async def uploaded(self, upload: Upload) -> bytes | None:
        """See the port."""
        with _wrapped():
            answer = await self._got(upload.key)
            if answer is None:
                return None
            body = answer["Body"]
            try:
                if answer["ContentLength"] > MAX_BYTES:
                    raise PictureRefused(f"a picture has at most {MAX_BYTES} bytes")
                content: bytes = await asyncio.to_thread(body.read)
                return content
            finally:
                body.close()

    async def _got(self, key: str) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - see client_aws

        try:
            return await self._aws.call("get_object", Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _GONE:
                return None
            raise

    async def publish(self, upload: Upload, made: Mapping[int, bytes]) -> None:
        """See the port."""
        with _wrapped():
            for size, content in made.items():
                await self._aws.call(
                    "put_object",
                    Bucket=self._bucket,
                    Key=upload.made(size),
                    Body=content,
                    ContentType="image/webp",
                    CacheControl=_FOR_GOOD,
                )

    async def discard(self, upload: Upload) -> None:
        """See the port."""
        with _wrapped():
            await self._aws.call("delete_object", Bucket=self._bucket, Key=upload.key)

    async def retire(self, player: str, before: int) -> None:
        """See the port. What is marked goes by the bucket's rule, in a night."""
        with _wrapped():
            keys = [key for key in await self._keys(f"pictures/{player}/") if 0 <= made_at(player, key) < before]
            # The newest ones: those before them were marked when these were.
            for key in keys[-_MARKED:]:
                await self._aws.call("put_object_tagging", Bucket=self._bucket, Key=key, Tagging=NOT_SHOWN)

    async def _keys(self, prefix: str) -> list[str]:
        """In their order, which is that of time."""
        keys: list[str] = []
        more: dict[str, str] = {}
        while True:
            page = await self._aws.call("list_objects_v2", Bucket=self._bucket, Prefix=prefix, **more)
            keys += [one["Key"] for one in page.get("Contents", ())]
            if not page.get("IsTruncated"):
                return keys
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def close(self) -> None:
        """Let go of the connections."""
        self._aws.close()


@contextmanager
def _wrapped() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see client_aws

    try:
        yield
    except (BotoCoreError, ClientError, OSError, TimeoutError) as error:
        raise PicturesUnavailable(f"S3: {type(error).__name__}: {error}") from error
