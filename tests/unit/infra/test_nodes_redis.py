"""What only Redis brings about; the rest is the contract's (`tests/contract/test_nodes.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.client_redis import BoundedRedis
from infra.nodes_redis import KEY, RedisNodes
from realtime.core.errors import RankingUnavailable
from realtime.core.ports import Node
from tests.harness import free_port

if TYPE_CHECKING:
    from infra.local.valkey import EmbeddedValkey

NODE = Node(id="a", kind="node", address="a:1", started=1.0, seen=2.0, numbers={})


async def test_what_cannot_be_read_is_nobody_and_is_cleared_away(valkey: EmbeddedValkey) -> None:
    redis = BoundedRedis(valkey.url, seconds=5.0)
    for name, told in (("junk", b"{"), ("list", b"[]"), ("other", b'{"seen": 2, "shoe": 44}')):
        await redis.hset(KEY, name, told)
    nodes = RedisNodes(redis, 5.0)
    await nodes.beat(NODE)
    assert await nodes.all(2.0) == [NODE]
    assert await redis.hkeys(KEY) == [b"a"]
    await redis.aclose()


async def test_where_nobody_beats_any_more_nothing_is_kept(valkey: EmbeddedValkey) -> None:
    redis = BoundedRedis(valkey.url, seconds=5.0)
    await RedisNodes(redis, 5.0).beat(NODE)
    assert 86_000 < await redis.ttl(KEY) <= 86_400
    await redis.aclose()


async def test_a_server_that_is_away_is_said_so() -> None:
    redis = BoundedRedis(f"redis://127.0.0.1:{free_port()}", seconds=1.0)
    nodes = RedisNodes(redis, 5.0)
    for act in (nodes.beat(NODE), nodes.leave("a"), nodes.all(2.0)):
        with pytest.raises(RankingUnavailable):
            await act
    await redis.aclose()
