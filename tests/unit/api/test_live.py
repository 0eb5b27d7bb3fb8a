from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.frames import Close

from realtime.core import closing, messages
from realtime.gateway.frame import Encoding
from tests.bare import BareNode, bare_node
from tests.wire import Wire, connected, opened, request

SETTINGS: dict[str, Any] = {
    "max_connections": 3,
    "max_per_address": 2,
    "origins": ("https://a.example", "https://b.example"),
    "trusted_proxies": ("127.0.0.0/8",),
}


@pytest.fixture
async def node() -> AsyncIterator[BareNode]:
    async with bare_node(**SETTINGS) as node:
        yield node


async def refused(node: BareNode, *headers: str) -> tuple[int, str, bytes]:
    """Status, code and head of a refusal."""
    async with connected(node.port) as wire:
        wire.send(request(*headers))
        status = await wire.status()
        problem = await wire.body()
        assert problem["status"] == status
        assert b"content-type: application/problem+json" in wire.head.lower()
        return status, problem["code"], wire.head.lower()


async def test_a_connection_is_welcomed_answered_and_forgotten(node: BareNode) -> None:
    async with opened(node.port) as wire:
        assert f"sec-websocket-protocol: {messages.SUBPROTOCOL}".encode() in wire.head.lower()
        wire.say('{"op":"ping"}')
        assert (await wire.message())["type"] == "pong"
        assert node.door.admitted == 1
    await node.hub.until(0)
    assert node.door.admitted == 0


async def test_a_client_may_name_no_subprotocol(node: BareNode) -> None:
    async with opened(node.port, "Sec-WebSocket-Protocol: ") as wire:
        assert b"sec-websocket-protocol" not in wire.head.lower()


async def test_another_subprotocol_is_refused_before_anything_is_said(node: BareNode) -> None:
    async with connected(node.port) as wire:
        wire.send(request("Sec-WebSocket-Protocol: rankcast.v9.json, other"))
        assert await wire.status() == 101
        assert await wire.closed() == Close(closing.SUBPROTOCOL.code, closing.SUBPROTOCOL.reason)
        wire.flush()
        assert await wire.frame() is None
    await node.hub.until(0)
    assert node.door.admitted == 0


async def test_compression_is_the_connections_encoding(node: BareNode) -> None:
    async with opened(node.port, "Sec-WebSocket-Extensions: permessage-deflate"):
        assert [connection.encoding for connection in node.hub.connections] == [Encoding.DEFLATED]


@pytest.mark.parametrize("origin", ["https://a.example", "https://b.example", ""])
async def test_pages_of_the_origins_in_the_list_and_programs_may_connect(node: BareNode, origin: str) -> None:
    async with opened(node.port, f"Origin: {origin}"):
        pass


@pytest.mark.parametrize("origin", ["https://c.example", "http://a.example", "null", "https://a.example.evil"])
async def test_pages_of_another_origin_may_not(node: BareNode, origin: str) -> None:
    assert (await refused(node, f"Origin: {origin}"))[:2] == (403, "origin_refused")
    assert node.door.admitted == 0


async def test_without_a_list_every_page_may() -> None:
    async with bare_node() as node, opened(node.port, "Origin: https://c.example"):
        pass


async def test_a_node_that_is_full_says_when_to_come_back(node: BareNode) -> None:
    wires = [await Wire.open(node.port, f"X-Forwarded-For: 10.0.0.{number}") for number in range(3)]
    status, code, head = await refused(node, "X-Forwarded-For: 10.0.0.9")
    assert (status, code) == (503, "overloaded")
    assert b"retry-after: 1" in head
    wires[0].close()
    await node.hub.until(2)
    wires.append(await Wire.open(node.port, "X-Forwarded-For: 10.0.0.9"))
    for wire in wires:
        wire.close()


async def test_one_address_takes_only_its_share(node: BareNode) -> None:
    wires = [await Wire.open(node.port, "X-Forwarded-For: 10.0.0.1") for _ in range(2)]
    status, code, head = await refused(node, "X-Forwarded-For: 10.0.0.1")
    assert (status, code) == (429, "address_limit")
    assert b"retry-after: 1" in head
    wires.append(await Wire.open(node.port, "X-Forwarded-For: 10.0.0.2"))
    for wire in wires:
        wire.close()
    await node.hub.until(0)
    wires = [await Wire.open(node.port, "X-Forwarded-For: 10.0.0.1") for _ in range(2)]
    for wire in wires:
        wire.close()


async def test_a_proxy_that_is_not_trusted_is_the_address() -> None:
    async with bare_node(**SETTINGS | {"trusted_proxies": ()}) as node:
        wires = [await Wire.open(node.port, f"X-Forwarded-For: 10.0.0.{number}") for number in range(2)]
        assert (await refused(node, "X-Forwarded-For: 10.0.0.9"))[1] == "address_limit"
        for wire in wires:
            wire.close()


async def test_a_node_that_leaves_says_so(node: BareNode) -> None:
    node.door.draining = True
    status, code, head = await refused(node)
    assert (status, code) == (503, "overloaded")
    assert b"retry-after: 1" in head
