"""A picture on its way from a ticket to a live board, through a folder and through S3; and what is refused on that way."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.pictured import PicturedInS3
from tests.emulators import Emulator
from tests.harness import Node, Stack, Watcher, eventually
from tests.images import EXECUTABLE, RED, SVG, bomb, near, opened, picture, sideways
from tests.integration.held import HeldStack, HeldWatcher, problem, put_board, rank_all
from tests.queues import Context, Mapping, Queues, functions_on
from workers import pictures

PHOTO = picture("JPEG", (640, 480))
MADE = f"{'1' * 13}-{'0' * 32}"


@pytest.fixture
async def node(held: HeldStack, tmp_path: Path) -> AsyncIterator[Node]:
    """One machine: node and worker share a folder."""
    settings = dataclasses.replace(held.settings, pictures_folder=str(tmp_path / "pictures"), poll=0.05)
    stack = HeldStack(settings, held.issuer)
    async with stack.worker(), stack.node() as node:
        yield node


async def ticket(
    node: Node, content: bytes, player: str = "ann", content_type: str = "image/jpeg", **headers: str
) -> httpx.Response:
    asked = {"content_type": content_type, "sha256": sha256(content).hexdigest()}
    return await node.http.post(f"/v1/players/{player}/image", json=asked, headers=headers)


async def send(given: dict[str, Any], content: bytes, **changes: str) -> httpx.Response:
    """What a browser does with a ticket."""
    async with httpx.AsyncClient(timeout=20) as http:
        return await http.post(given["url"], data=given["fields"] | changes, files={"file": ("me", content)})


async def shown(watcher: Watcher, player: str) -> str:
    """The picture by which a live board shows a player, once it shows one."""

    def found() -> str | None:
        return next((one.get("picture") for one in watcher.entries if one["player"] == player), None)

    await watcher.until(lambda _: found() is not None)
    return str(found())


async def test_a_picture_comes_from_a_ticket_to_the_live_board(node: Node) -> None:
    await put_board(node, "arcade")
    await rank_all(node, "arcade", {"ann": 5, "bob": 3})
    async with HeldWatcher.talking(node.live_url) as watcher:
        await watcher.watch("arcade")
        given = (await ticket(node, PHOTO)).json()
        assert (await send(given, PHOTO)).status_code == 204
        address = await shown(watcher, "ann")
        assert address == given["picture"]
        answer = await node.http.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert near(opened(answer.content).convert("RGB").getpixel((32, 32)), RED)
    large = await node.http.get(address.replace("/64.", "/256."))
    assert opened(large.content).size == (256, 256)
    top = (await node.http.get("/v1/boards/arcade/top")).json()
    assert [one.get("picture") for one in top["entries"]] == [address, None]


async def test_a_second_picture_takes_the_place_of_the_first_under_another_address(node: Node) -> None:
    await put_board(node, "arcade")
    await rank_all(node, "arcade", {"ann": 5})
    addresses = []
    for content in (PHOTO, sideways()):
        given = (await ticket(node, content)).json()
        await send(given, content)

        async def taken(wanted: str = given["picture"]) -> bool:
            entries = (await node.http.get("/v1/boards/arcade/top")).json()["entries"]
            return bool(entries[0].get("picture") == wanted)

        await eventually(taken)
        addresses.append(given["picture"])
    assert len(set(addresses)) == 2
    assert [(await node.http.get(address)).status_code for address in addresses] == [200, 200]


async def test_a_picture_is_taken_away_for_all_to_see(node: Node) -> None:
    await put_board(node, "arcade")
    await rank_all(node, "arcade", {"ann": 5})
    async with HeldWatcher.talking(node.live_url) as watcher:
        await watcher.watch("arcade")
        given = (await ticket(node, PHOTO)).json()
        await send(given, PHOTO)
        await shown(watcher, "ann")
        profile = (await node.http.put("/v1/players/ann", json={"picture": None, "name": "Ann"})).json()
        assert (profile["name"], profile["picture"]) == ("Ann", None)
        await watcher.until(lambda watcher: watcher.entries[0].get("picture") is None)
    assert problem(await node.http.put("/v1/players/ann", json={"picture": "/x.png"})) == (400, "field_invalid")


async def test_of_two_pictures_that_wait_the_later_one_is_shown(held: HeldStack, tmp_path: Path) -> None:
    """The worker was away, and finds them in any order."""
    settings = dataclasses.replace(held.settings, pictures_folder=str(tmp_path / "pictures"), poll=0.05)
    stack = HeldStack(settings, held.issuer)
    async with stack.node() as node:
        await put_board(node, "arcade")
        last = ""
        for content in (sideways(), PHOTO, picture("PNG", (70, 70))):
            given = (await ticket(node, content)).json()
            assert (await send(given, content)).status_code == 204
            last = given["picture"]
        async with stack.worker():
            await rank_all(node, "arcade", {"ann": 5})

            async def all_are_looked_at() -> bool:
                return not list((tmp_path / "pictures" / "uploads").iterdir())

            await eventually(all_are_looked_at)
            profile = (await node.http.put("/v1/players/ann", json={"name": "Ann"})).json()
    assert profile["picture"] == last


@pytest.mark.parametrize(
    ("content", "name"),
    [(SVG, "svg"), (EXECUTABLE, "executable"), (bomb(18_000), "bomb"), (b"GIF89a", "broken")],
    ids=["svg", "executable", "bomb", "broken"],
)
async def test_what_is_no_picture_is_looked_at_and_thrown_away(
    node: Node, tmp_path: Path, content: bytes, name: str
) -> None:
    await put_board(node, name)
    await rank_all(node, name, {"ann": 5})
    given = (await ticket(node, content, content_type="image/png")).json()
    assert (await send(given, content)).status_code == 204
    # The next one is taken: whoever looks at them lives, and went in order.
    good = (await ticket(node, PHOTO, player="bob")).json()
    await send(good, PHOTO)

    async def both_are_looked_at() -> bool:
        return not list((tmp_path / "pictures" / "uploads").iterdir())

    await eventually(both_are_looked_at)
    assert (await node.http.get(good["picture"])).status_code == 200
    assert (await node.http.get(given["picture"])).status_code == 404
    entries = (await node.http.get(f"/v1/boards/{name}/top")).json()["entries"]
    assert entries[0].get("picture") is None


async def became(node: Node, given: dict[str, Any], player: str = "ann", **headers: str) -> httpx.Response:
    return await node.http.get(f"/v1/players/{player}/image", params={"picture": given["picture"]}, headers=headers)


async def test_who_sent_a_picture_is_told_what_became_of_it(node: Node, held: HeldStack) -> None:
    bad = (await ticket(node, EXECUTABLE, content_type="image/png")).json()
    token = held.headers("player", "ann")["Authorization"]

    async def is_(given: dict[str, Any], state: str) -> dict[str, Any] | None:
        answer = await became(node, given, Authorization=token)
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.json()["state"] == state else None

    assert await is_(bad, "waiting") == {"player": "ann", "picture": None, "state": "waiting"}
    await send(bad, EXECUTABLE)
    refused = await eventually(lambda: is_(bad, "refused"))
    why = refused["problem"]
    assert (why["status"], why["code"]) == (400, "picture_invalid")
    assert why["detail"] == "a picture is a JPEG, PNG, WebP or GIF"
    first = (await ticket(node, PHOTO)).json()
    await send(first, PHOTO)
    assert (await eventually(lambda: is_(first, "shown")))["picture"] == first["picture"]
    second = (await ticket(node, sideways())).json()
    await send(second, sideways())
    await eventually(lambda: is_(second, "shown"))
    assert await is_(first, "replaced")
    assert (await node.http.put("/v1/players/ann", json={"picture": None})).status_code == 200
    assert (await is_(second, "replaced")) == {"player": "ann", "picture": None, "state": "replaced"}


async def test_what_became_of_an_upload_is_told_to_who_may_send_one(node: Node, held: HeldStack) -> None:
    given = (await ticket(node, PHOTO)).json()
    assert problem(await became(node, given, Authorization="")) == (401, "unauthenticated")
    other = held.headers("player", "bob")["Authorization"]
    assert problem(await became(node, given, Authorization=other)) == (403, "forbidden")
    assert problem(await became(node, given, player="bob")) == (400, "query_invalid")
    assert problem(await became(node, {"picture": "/x"})) == (400, "query_invalid")


async def test_a_picture_that_is_taken_away_goes(node: Node, tmp_path: Path) -> None:
    given = (await ticket(node, PHOTO)).json()
    await send(given, PHOTO)

    async def shows() -> bool:
        return bool((await became(node, given)).json()["state"] == "shown")

    await eventually(shows)
    retired = tmp_path / "pictures" / "retired"
    assert list(retired.iterdir()) == []
    assert (await node.http.put("/v1/players/ann", json={"name": "Ann"})).status_code == 200
    assert list(retired.iterdir()) == []
    assert (await node.http.put("/v1/players/ann", json={"picture": None})).status_code == 200
    assert [one.name for one in retired.iterdir()] == [
        given["picture"].removeprefix("/pictures/").replace("/", "~", 1)[:-8]
    ]


async def test_other_content_than_was_announced_is_thrown_away(node: Node, tmp_path: Path) -> None:
    given = (await ticket(node, PHOTO)).json()
    assert (await send(given, sideways())).status_code == 204

    async def looked_at() -> bool:
        return not list((tmp_path / "pictures" / "uploads").iterdir())

    await eventually(looked_at)
    assert (await node.http.get(given["picture"])).status_code == 404


async def test_thirty_megabytes_are_refused_unread(node: Node) -> None:
    given = (await ticket(node, PHOTO)).json()
    assert problem(await send(given, bytes(30_000_000))) == (413, "body_too_large")


@pytest.mark.parametrize(
    "changes",
    [
        {"key": f"uploads/eve/{'1' * 13}-{'0' * 64}"},
        {"Content-Type": "text/html"},
        {"expires": "9999999999"},
        {"expires": "never"},
        {"signature": "0" * 64},
        {"signature": "é"},
    ],
    ids=str,
)
async def test_a_ticket_that_was_changed_is_none(node: Node, changes: dict[str, str]) -> None:
    given = (await ticket(node, PHOTO)).json()
    assert problem(await send(given, PHOTO, **changes)) == (403, "ticket_invalid")


async def test_a_form_that_is_none_is_refused(node: Node) -> None:
    given = (await ticket(node, PHOTO)).json()
    no_file = await node.http.post("/v1/uploads", files={"key": (None, given["fields"]["key"])})
    assert problem(no_file) == (400, "form_invalid")
    assert problem(await node.http.post("/v1/uploads", content=b"x")) == (400, "form_invalid")
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert problem(await node.http.post("/v1/uploads", content=b"--y", headers=broken)) == (400, "form_invalid")
    without = {"Content-Type": "multipart/form-data"}
    assert problem(await node.http.post("/v1/uploads", content=b"--y", headers=without)) == (400, "form_invalid")


async def test_a_player_has_a_picture_of_its_own_only(node: Node, held: HeldStack) -> None:
    token = held.headers("player", "ann")["Authorization"]
    assert (await ticket(node, PHOTO, Authorization=token)).status_code == 200
    assert problem(await ticket(node, PHOTO, player="bob", Authorization=token)) == (403, "forbidden")
    assert problem(await ticket(node, PHOTO, Authorization="")) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"content_type": "image/png"},
        {"content_type": "image/svg+xml", "sha256": "0" * 64},
        {"content_type": "image/png", "sha256": "0"},
        {"content_type": "image/png", "sha256": 7},
        {"content_type": "image/png", "sha256": "0" * 64, "size": 3},
        [],
    ],
    ids=str,
)
async def test_a_ticket_is_asked_for_with_type_and_digest(node: Node, document: object) -> None:
    assert problem(await node.http.post("/v1/players/ann/image", json=document)) == (400, "field_invalid")


@pytest.mark.parametrize(
    "path",
    [f"/pictures/ann/{MADE}/64.webp", f"/pictures/ann/{MADE}/..", "/pictures/ann/secret/64.webp"],
)
async def test_there_is_nothing_else_under_pictures(node: Node, path: str) -> None:
    assert (await node.http.get(path)).status_code == 404


async def test_a_service_without_pictures_says_so(held: HeldStack) -> None:
    async with held.node() as node:
        assert problem(await ticket(node, PHOTO)) == (404, "pictures_off")
        assert problem(await node.http.post("/v1/uploads")) == (404, "pictures_off")


# -- on AWS ----------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def kept() -> AsyncIterator[None]:
    """What the function keeps, closed at the end."""
    try:
        yield
    finally:
        await asyncio.to_thread(pictures.KEPT.close)


@pytest.fixture
async def bucket(ministack: Emulator, queues: Queues) -> AsyncIterator[str]:
    """A bucket that tells a queue of every upload, as it tells the function."""
    s3, sqs = ministack.client("s3"), ministack.client("sqs")
    name = f"pictures-of-{queues.name}"
    s3.create_bucket(Bucket=name)
    told = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=told, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rules = [{"Name": "prefix", "Value": "uploads/"}]
    tells = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"QueueConfigurations": [tells]})
    yield name
    s3.close()
    sqs.close()


async def uploaded(ministack: Emulator, bucket: str) -> dict[str, Any]:
    """The event that S3 tells of an upload."""
    sqs = ministack.client("sqs")
    url = sqs.get_queue_url(QueueName=bucket)["QueueUrl"]

    async def told() -> Any:
        for message in sqs.receive_message(QueueUrl=url).get("Messages", ()):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            event = json.loads(message["Body"])
            if event.get("Records"):
                return event
        return None

    found: dict[str, Any] = await eventually(told)
    sqs.close()
    return found


async def test_on_aws_it_goes_by_s3_a_function_and_the_queue(
    ministack: Emulator, queues: Queues, bucket: str, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued = functions_on(stack, queues, monkeypatch, pictures_bucket=bucket)
    async with queued.node() as node, kept(), Mapping(queues).running():
        await node.http.put("/v1/boards/arcade", json={"columns": [{"name": "score"}]})
        await node.http.post("/v1/boards/arcade/scores", json={"player": "ann", "score": 5})
        await queued.settled()
        async with Watcher.on(node.live_url, "arcade") as watcher:
            given = (await ticket(node, PHOTO)).json()
            assert given["url"].startswith(ministack.url)
            assert (await send(given, PHOTO)).is_success
            event = await uploaded(ministack, bucket)
            assert await asyncio.to_thread(pictures.handler, event, Context()) == {"shown": 1}
            assert await shown(watcher, "ann") == given["picture"]
            # Told twice, and of something else: nothing happens.
            event["Records"].append({"s3": {"object": {"key": "uploads/no+picture"}}})
            assert await asyncio.to_thread(pictures.handler, event, Context()) == {"shown": 0}
        s3 = ministack.client("s3")
        kept_there = PicturedInS3(None, s3, bucket)  # type: ignore[arg-type]
        made = await kept_there.kept(given["picture"][1:])
        assert made is not None
        assert opened(made).size == (64, 64)
        head = s3.head_object(Bucket=bucket, Key=given["picture"][1:])
        assert (head["ContentType"], "immutable" in head["CacheControl"]) == ("image/webp", True)
        assert s3.list_objects_v2(Bucket=bucket, Prefix="uploads/").get("KeyCount") == 0


@pytest.mark.parametrize(
    ("content", "taken"),
    [(SVG, True), (EXECUTABLE, True), (bomb(18_000), True), (bytes(30_000_000), False)],
    ids=["svg", "executable", "bomb", "30 MB"],
)
async def test_on_aws_what_is_no_picture_is_refused_at_the_bucket_or_thrown_away(
    ministack: Emulator, queues: Queues, bucket: str, stack: Stack, monkeypatch: pytest.MonkeyPatch,
    content: bytes, taken: bool,
) -> None:  # fmt: skip
    queued = functions_on(stack, queues, monkeypatch, pictures_bucket=bucket)
    async with queued.node() as node, kept():
        given = (await ticket(node, content, content_type="image/png")).json()
        assert (await send(given, content)).is_success is taken
        if taken:
            event = await uploaded(ministack, bucket)
            assert await asyncio.to_thread(pictures.handler, event, Context()) == {"shown": 0}
        listed = ministack.client("s3").list_objects_v2(Bucket=bucket)
        assert listed.get("KeyCount") == 0
