"""What the ranking in Redis promises beyond the port: its keys, the cached top, and what happens when it is away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.client_redis import BoundedRedis
from infra.ranking_redis import MARK_MS, RedisRanking, name
from infra.sentinel_redis import RedisSentinel
from realtime.core import record
from realtime.core.errors import RankingRefused, RankingUnavailable
from realtime.core.model import WINDOW, BoardKey
from tests.changes import COLUMNS, WIDTH, packed, renamed
from tests.changes import ranked as entry
from tests.contract.adapters import InRedis, whole
from tests.harness import free_port

if TYPE_CHECKING:
    from infra.local.valkey import EmbeddedValkey

KEY = BoardKey(7, 1)
EPOCH = 5
CACHE = name(KEY, "cache")
TOP_CACHE = 30
"""Seconds, as the adapter was told."""


@pytest.fixture
async def board(redis_ranked: InRedis) -> InRedis:
    await whole(redis_ranked, KEY, EPOCH)
    return redis_ranked


async def cached(board: InRedis) -> list[str]:
    packed_rows: Any = await board.redis.get(CACHE)
    return [row.player for row in record.rows(COLUMNS, record.unpack_array(packed_rows))]


async def fade(board: InRedis) -> int:
    """Let some of the cached top's time go by; when it ends now."""
    assert await board.redis.expire(CACHE, TOP_CACHE - 5)
    return await ends(board)


async def ends(board: InRedis) -> int:
    """When the cached top ends, in milliseconds of the server's clock: the same however late it is asked."""
    return int(await board.redis.pexpiretime(CACHE))


async def now(board: InRedis) -> int:
    seconds, micros = await board.redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def test_reading_the_top_fills_the_cache_for_30_seconds(board: InRedis) -> None:
    assert not await board.redis.exists(CACHE)
    before = await now(board)
    await board.ranking.top(KEY, COLUMNS)
    assert before <= await ends(board) - 1000 * TOP_CACHE <= await now(board)


async def test_a_change_of_the_top_renews_the_cache_and_its_time(board: InRedis) -> None:
    await board.ranking.apply(KEY, EPOCH, packed([entry("ada", 1, seq=1)]))
    assert await cached(board) == ["ada"]
    await fade(board)
    before = await now(board)
    await board.ranking.apply(KEY, EPOCH, packed([entry("bob", 2, seq=2)]))
    assert await cached(board) == ["bob", "ada"]
    assert before <= await ends(board) - 1000 * TOP_CACHE <= await now(board)


async def test_a_new_name_in_the_top_renews_the_cache(board: InRedis) -> None:
    await board.ranking.apply(KEY, EPOCH, packed([entry("ada", 1, seq=1)]))
    await board.ranking.top(KEY, COLUMNS)
    await board.ranking.apply(KEY, EPOCH, packed([renamed("ada", profile_seq=2, name="Ada")]))
    assert (await board.ranking.top(KEY, COLUMNS)).rows[0].name == "Ada"


async def test_neither_reading_nor_a_change_below_the_top_renews_the_cache(board: InRedis) -> None:
    await board.ranking.apply(KEY, EPOCH, packed([entry(f"p{n}", 1000 - n, seq=n + 1) for n in range(WINDOW + 5)]))
    faded = await fade(board)
    window = await board.ranking.top(KEY, COLUMNS)
    await board.ranking.apply(KEY, EPOCH, packed([entry("low", -1, seq=500)]))
    assert await ends(board) == faded
    below = await board.ranking.top(KEY, COLUMNS)
    assert (below.version, below.total, below.rows) == (window.version + 1, window.total + 1, window.rows)


async def test_a_swap_forgets_the_cached_top(board: InRedis) -> None:
    await board.ranking.apply(KEY, EPOCH, packed([entry("ada", 1, seq=1)]))
    await whole(board, KEY, EPOCH + 1, packed([entry("bob", 1, seq=2)]))
    assert [row.player for row in (await board.ranking.top(KEY, COLUMNS)).rows] == ["bob"]


async def test_all_keys_of_a_board_share_one_hash_tag(board: InRedis) -> None:
    await board.ranking.apply(KEY, EPOCH, packed([entry("ada", 1, seq=1)]))
    await board.ranking.mark(KEY, EPOCH + 1)
    await board.ranking.load(KEY, EPOCH + 1, WIDTH, packed([entry("ada", 1, seq=1)]))
    keys = {key.decode() for key in await board.redis.keys("*")}
    assert keys == {
        f"rc:{{7.1}}:{part}"
        for part in ("meta", "zset", "hash", "stream", "cache", "mark", "shadow-zset", "shadow-hash")
    }


async def test_members_all_have_the_score_zero(board: InRedis) -> None:
    await board.ranking.apply(KEY, EPOCH, packed([entry("ada", 2**62, seq=1), entry("bob", -(2**62), seq=2)]))
    assert [score for _, score in await board.redis.zrange(name(KEY, "zset"), 0, -1, withscores=True)] == [0, 0]


async def test_the_mark_of_a_rebuild_that_stops_runs_out_and_loading_keeps_it(board: InRedis) -> None:
    await board.ranking.mark(KEY, EPOCH + 1)
    mark = name(KEY, "mark")
    assert 0 < await board.redis.pttl(mark) <= MARK_MS
    await board.redis.pexpire(mark, MARK_MS // 2)
    before: Any = await board.redis.pexpiretime(mark)
    await board.ranking.load(KEY, EPOCH + 1, WIDTH, [])
    after: Any = await board.redis.pexpiretime(mark)
    assert after > before


async def test_a_rebuilt_board_leaves_nothing_of_its_rebuild(board: InRedis) -> None:
    await whole(board, KEY, EPOCH + 1, packed([entry("ada", 1, seq=1)]))
    assert not await board.redis.exists(*(name(KEY, part) for part in ("mark", "shadow-zset", "shadow-hash")))


async def test_stretches_that_overlap_or_touch_are_read_as_one(board: InRedis) -> None:
    await board.ranking.apply(KEY, EPOCH, packed([entry(f"p{n}", 1000 - n, seq=n + 1) for n in range(20)]))
    await board.redis.config_resetstat()
    await board.ranking.stretches(KEY, COLUMNS, [("p9", 2), ("p2", 1), ("p5", 1), ("p3", 1), ("p18", 1)])
    stats: Any = await board.redis.info("commandstats")
    assert stats["cmdstat_zrange"]["calls"] == 2


async def test_a_flushed_redis_does_not_pass_for_the_board(board: InRedis) -> None:
    await board.redis.flushall()
    assert not await board.ranking.holds(KEY, EPOCH)


async def test_a_redis_that_is_away_is_unavailable_to_every_call() -> None:
    redis = BoundedRedis(f"redis://127.0.0.1:{free_port()}/0", seconds=0.2)
    ranking = RedisRanking(redis, top_cache=30)
    sentinel = RedisSentinel(redis)
    try:
        for call in (
            ranking.apply(KEY, 1, []),
            ranking.mark(KEY, 1),
            ranking.load(KEY, 1, WIDTH, []),
            ranking.swap(KEY, 1, WIDTH),
            ranking.drop(KEY),
            ranking.holds(KEY, 1),
            ranking.position(KEY),
            ranking.ping(),
            ranking.top(KEY, COLUMNS),
            ranking.page(KEY, COLUMNS, 0, 1),
            ranking.around(KEY, COLUMNS, "ada", 1),
            ranking.standings(KEY, COLUMNS, ["ada"]),
            ranking.stretches(KEY, COLUMNS, [("ada", 1)]),
            ranking.places(KEY, [bytes(WIDTH)]),
            ranking.history(KEY, COLUMNS, 1, 1),
            ranking.seq(KEY, "ada"),
            sentinel.read(),
            sentinel.leave("mark"),
            sentinel.forget(),
        ):
            with pytest.raises(RankingUnavailable):
                await call
    finally:
        await redis.aclose()


async def test_the_sentinel_finds_the_mark_it_left_on_the_same_run(redis_ranked: InRedis) -> None:
    sentinel = RedisSentinel(redis_ranked.redis)
    found, run = await sentinel.read()
    assert found is None
    await sentinel.leave(run)
    assert await sentinel.read() == (run, run)
    await redis_ranked.redis.flushall()
    assert await sentinel.read() == (None, run)
    await sentinel.leave("another run")
    assert await sentinel.read() == ("another run", run)
    await sentinel.forget()
    assert await sentinel.read() == (None, run)


async def test_another_replication_id_is_another_run(valkey: EmbeddedValkey) -> None:
    redis = BoundedRedis(valkey.url, seconds=5.0)
    try:
        _, before = await RedisSentinel(redis).read()
        # A server that begins to follow another and is promoted writes a history of its own.
        await redis.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
        await redis.execute_command("REPLICAOF", "NO", "ONE")
        _, after = await RedisSentinel(redis).read()
        assert before.split("/")[0] == after.split("/")[0]
        assert before != after
    finally:
        await redis.aclose()


async def test_the_foreign_server_really_collates_otherwise(foreign_valkey: EmbeddedValkey) -> None:
    """Else the ranking's suite would prove nothing there."""
    redis = BoundedRedis(foreign_valkey.url, seconds=5.0)
    try:
        assert await redis.eval("return tostring('a' < 'B')", 0) == b"true"
    finally:
        await redis.aclose()


@pytest.mark.parametrize("part", ["meta", "zset", "hash"])
async def test_a_board_that_lost_any_of_its_keys_does_not_pass(board: InRedis, part: str) -> None:
    await board.ranking.apply(KEY, EPOCH, packed([entry("ann", 1, seq=1)]))
    await board.redis.delete(name(KEY, part))
    with pytest.raises(RankingUnavailable):
        await board.ranking.standings(KEY, COLUMNS, ["ann"])
    assert not await board.ranking.holds(KEY, EPOCH)


async def test_a_key_of_another_kind_is_refused_so_that_a_rebuild_replaces_it(board: InRedis) -> None:
    await board.redis.delete(name(KEY, "hash"))
    await board.redis.set(name(KEY, "hash"), "foreign")
    with pytest.raises(RankingRefused):
        await board.ranking.position(KEY)
