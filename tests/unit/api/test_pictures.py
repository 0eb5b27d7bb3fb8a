from __future__ import annotations

import asyncio
from contextlib import ExitStack
from hashlib import sha256
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from api import pictures, problems
from infra.pictures_folder import RECEIVED, WAITING_EACH, FolderPictures
from infra.settings import Settings
from realtime.core.errors import RankcastError
from realtime.core.identity import Principal, Role
from realtime.core.pictures import MAX_BYTES, SIZES, upload_of
from tests import documents

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SETTINGS = Settings(database_url="", redis_url="", issuer="", jwks_url="")
CONTENT = b"what it is nobody has looked at yet"


class Node:
    def __init__(self, folder: FolderPictures) -> None:
        self.folder = folder
        self.role = Role.SERVER
        self.service = SimpleNamespace(settings=SETTINGS, identity=self, pictures=folder, folder=folder)
        app = Starlette(
            routes=[
                Route("/v1/players/{player}/image", pictures.ticket, methods=["POST"]),
                Route("/v1/uploads", pictures.upload, methods=["POST"]),
                Route("/pictures/{player}/{upload}/{size}", pictures.picture),
            ],
            exception_handlers={RankcastError: problems.on_rankcast_error, HTTPException: problems.on_http_error},
        )
        app.state.service = self.service
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://node",
            headers={"Authorization": "Bearer x"},
            event_hooks={"response": [documents.check_answer]},
        )

    def known(self, _: str) -> Principal:
        return Principal("me", "c", self.role, 2**40)

    async def ticket(self, player: str = "ann", content: bytes = CONTENT) -> dict[str, Any]:
        asked = {"content_type": "image/png", "sha256": sha256(content).hexdigest()}
        answer = await self.http.post(f"/v1/players/{player}/image", json=asked)
        assert answer.status_code == 200, answer.text
        ticket: dict[str, Any] = answer.json()
        return ticket

    async def send(self, ticket: dict[str, Any], content: bytes = CONTENT) -> httpx.Response:
        return await self.http.post(ticket["url"], data=ticket["fields"], files={"file": ("me.png", content)})


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(FolderPictures(tmp_path))
    yield node
    await node.http.aclose()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_ticket_says_where_how_and_until_when(node: Node) -> None:
    ticket = await node.ticket()
    assert ticket["url"] == "http://node/v1/uploads"
    assert (ticket["expires_in"], ticket["max_bytes"]) == (300, MAX_BYTES)
    upload = upload_of(ticket["fields"]["key"])
    assert (upload.player, upload.digest) == ("ann", sha256(CONTENT).hexdigest())
    assert ticket["picture"] == upload.address


async def test_later_tickets_are_later_uploads(node: Node) -> None:
    first = upload_of((await node.ticket())["fields"]["key"])
    await asyncio.sleep(0.002)
    assert upload_of((await node.ticket())["fields"]["key"]).at > first.at


async def test_what_was_sent_waits_to_be_looked_at(node: Node) -> None:
    ticket = await node.ticket()
    assert (await node.send(ticket)).status_code == 204
    (upload,) = await node.folder.waiting(9)
    assert await node.folder.uploaded(upload) == CONTENT


async def test_a_player_may_only_for_itself_and_for_a_picture(node: Node) -> None:
    node.role = Role.PLAYER
    good = {"content_type": "image/png", "sha256": "0" * 64}
    assert (await node.http.post("/v1/players/me/image", json=good)).status_code == 200
    assert refusal(await node.http.post("/v1/players/ann/image", json=good)) == (403, "forbidden")
    for bad in ({**good, "content_type": "image/svg+xml"}, {**good, "sha256": 1}, {**good, "more": 1}, []):
        assert refusal(await node.http.post("/v1/players/me/image", json=bad)) == (400, "field_invalid")
    assert refusal(await node.http.post("/v1/players/m%20e/image", json=good)) == (400, "id_invalid")


async def test_a_file_without_a_ticket_is_not_even_read(node: Node) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        yield b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
        for _ in range(64):
            read += 1
            yield bytes(65_536)

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await node.http.post("/v1/uploads", content=body(), headers=kind)
    assert refusal(answer) == (403, "ticket_invalid")
    assert read <= 2


async def test_where_as_many_as_may_are_being_sent_one_more_is_put_off(node: Node) -> None:
    ticket = await node.ticket()
    with ExitStack() as room:
        for _ in range(RECEIVED):
            room.enter_context(node.folder.admit(ticket["fields"]))
        answer = await node.send(ticket)
        assert refusal(answer) == (503, "overloaded")
        assert "retry-after" in answer.headers
    assert (await node.send(ticket)).status_code == 204


async def test_a_refusal_gives_its_room_back(node: Node) -> None:
    ticket = await node.ticket()
    for _ in range(RECEIVED + 1):
        assert refusal(await node.send(ticket, b"")) == (400, "picture_invalid")
    assert (await node.send(ticket)).status_code == 204


async def test_a_player_with_enough_that_waits_is_put_off(node: Node) -> None:
    for n in range(WAITING_EACH):
        content = CONTENT + bytes([n])
        assert (await node.send(await node.ticket(content=content), content)).status_code == 204
    assert refusal(await node.send(await node.ticket())) == (429, "rate_limited")


async def test_what_was_made_is_shown_for_good_and_to_all(node: Node) -> None:
    ticket = await node.ticket()
    upload = upload_of(ticket["fields"]["key"])
    await node.folder.publish(upload, {size: f"of {size}".encode() for size in SIZES})
    answer = await node.http.get(ticket["picture"])
    assert (answer.status_code, answer.content) == (200, b"of 64")
    assert answer.headers.items() >= {name.lower(): value for name, value in pictures.SHOWN.items()}.items()
    assert (await node.http.get(ticket["picture"].replace("64.", "256."))).content == b"of 256"
    for other in ("65.webp", "64.png", "../secret", "64.webp%00"):
        assert (await node.http.get(ticket["picture"].replace("64.webp", other))).status_code == 404


async def test_a_node_of_a_service_with_a_bucket_takes_no_uploads(node: Node) -> None:
    node.service.folder = None
    assert refusal(await node.send(await node.ticket())) == (404, "pictures_off")
    node.service.pictures = None
    answer = await node.http.post("/v1/players/ann/image", json={"content_type": "image/png", "sha256": "0" * 64})
    assert refusal(answer) == (404, "pictures_off")
