"""A picture the whole way on AWS: a ticket for a player of Cognito's, S3, the packaged function that S3 calls, SQS, Valkey, a viewer.

The bucket, what it tells and the functions are made from the template. What `test_aws.py` says of the emulator holds here.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import httpx
import pytest

from infra.deploy.bundle import Bundle
from tests.cloud import Cloud, Layer
from tests.emulators import make_ministack
from tests.harness import PATIENCE, Node, Stack, Watcher, eventually, ranked_top
from tests.images import BLUE, EXECUTABLE, RED, SVG, bomb, near, opened, picture, sideways

pytestmark = pytest.mark.timeout(240, func_only=True)
BOARD = "arcade"


@dataclass
class Way:
    """A node, and the account that it is in."""

    node: Node
    layer: Layer

    @property
    def s3(self) -> Any:
        return self.layer.emulator.client("s3")

    @property
    def bucket(self) -> str:
        return self.layer.outputs["PictureBucket"]

    async def ticket(self, player: str, content: bytes, content_type: str = "image/png") -> dict[str, Any]:
        asked = {"content_type": content_type, "sha256": sha256(content).hexdigest()}
        answer = await self.node.http.post(f"/v1/players/{player}/image", json=asked)
        assert answer.status_code == 200, answer.text
        ticket: dict[str, Any] = answer.json()
        return ticket

    async def send(self, ticket: dict[str, Any], content: bytes) -> int:
        """What a browser does with a ticket; the status that S3 answers."""
        async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as http:
            return (await http.post(ticket["url"], data=ticket["fields"], files={"file": content})).status_code

    def kept(self, prefix: str) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return [one["Key"] for one in found]

    async def looked_at(self) -> None:
        """Return when no upload waits any more."""

        async def none() -> bool:
            return not await asyncio.to_thread(self.kept, "uploads/")

        try:
            await eventually(none, 90)
        except TimeoutError:
            raise AssertionError(self.layer.emulator.log.read_text()[-3000:]) from None


@pytest.fixture
async def way(
    stack: Stack, functions: Bundle, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Way]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with make_ministack(tmp_path_factory.mktemp("cloud")) as emulator:
        cloud = await asyncio.to_thread(Cloud.make, emulator, functions)
        layer = await asyncio.to_thread(cloud.layer, stack.settings)
        told = dataclasses.replace(layer.settings, pictures_bucket=layer.outputs["PictureBucket"])
        await asyncio.to_thread(layer.tell, told)
        token = (await asyncio.to_thread(cloud.cognito.player, admin=True))["access_token"]
        async with dataclasses.replace(stack, settings=told).node() as node:
            node.http.headers["Authorization"] = f"Bearer {token}"
            assert (await node.http.put(f"/v1/boards/{BOARD}", json={"columns": [{"name": "points"}]})).is_success
            for player, score in (("ann", 5), ("bob", 3)):
                answer = await node.http.post(f"/v1/boards/{BOARD}/scores", json={"player": player, "score": score})
                assert answer.is_success

            async def ranked() -> bool:
                top = await ranked_top(node.http, BOARD)
                return top is not None and top["total"] == 2

            await eventually(ranked, 90)
            yield Way(node, layer)


async def test_a_picture_goes_from_a_ticket_by_s3_and_its_function_to_a_live_board_and_what_is_none_does_not(
    way: Way,
) -> None:
    async with Watcher.on(way.node.live_url, BOARD) as watcher:
        photograph = sideways()
        ticket = await way.ticket("ann", photograph, "image/jpeg")
        assert ticket["url"].startswith(way.layer.emulator.url)
        assert await way.send(ticket, photograph) == 204
        # The function starts, which takes longer than a frame is waited for.
        await way.looked_at()
        await watcher.until(lambda watcher: watcher.entries[0].get("picture") is not None)
        assert watcher.entries[0]["picture"] == ticket["picture"]
        made = opened(way.s3.get_object(Bucket=way.bucket, Key=ticket["picture"][1:])["Body"].read())
        assert made.size == (64, 64)
        assert not made.getexif()
        upright = made.convert("RGB")
        assert near(upright.getpixel((32, 8)), RED)
        assert near(upright.getpixel((32, 56)), BLUE)
        assert len(way.kept("pictures/")) == 2

        for content in (SVG, EXECUTABLE, bomb(9_000)):
            assert await way.send(await way.ticket("bob", content), content) == 204
        large = bytes(30_000_000)
        assert await way.send(await way.ticket("bob", large), large) == 400
        await way.looked_at()
        assert len(way.kept("pictures/")) == 2, "nothing was made of any of them"

        content = picture()
        ticket = await way.ticket("bob", content)
        assert await way.send(ticket, content) == 204
        await way.looked_at()
        await watcher.until(lambda watcher: watcher.entries[1].get("picture") is not None)
        assert [one["picture"] for one in watcher.entries][1] == ticket["picture"]
    sqs = way.layer.emulator.client("sqs")
    failures = sqs.get_queue_url(QueueName=way.layer.outputs["FailuresName"])["QueueUrl"]
    assert way.layer.attribute(failures, "ApproximateNumberOfMessages") == 0, "to refuse a picture is no failure"
