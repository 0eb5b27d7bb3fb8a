from __future__ import annotations

from typing import TYPE_CHECKING

from tests.harness import Watcher, without_rank

if TYPE_CHECKING:
    from tests.harness import Stack

BOARD = {
    "title": "Contest",
    "columns": [{"name": "solved", "direction": "desc"}, {"name": "penalty", "direction": "asc"}],
}


async def test_a_score_sent_to_one_node_is_pushed_by_the_other(stack: Stack) -> None:
    async with stack.running(nodes=2) as (first, second):
        assert (await first.http.put("/v1/boards/contest", json=BOARD)).status_code == 201
        async with Watcher.on(second.live_url, "contest", 10) as watcher:
            assert watcher.entries == []
            sent = await first.http.post(
                "/v1/boards/contest/scores", json={"player": "ada", "score": [3, 120], "name": "Ada"}
            )
            assert sent.status_code == 200, sent.text
            answer = sent.json()
            assert answer == {
                "player": "ada",
                "score": [3, 120],
                "best": [3, 120],
                "improved": True,
                "seq": answer["seq"],
            }
            await watcher.until(lambda watcher: len(watcher.entries) == 1)
            assert watcher.seen[-1]["type"] == "delta"
            after = f"ada:{answer['seq']}"
            for node in (first, second):
                top = await node.http.get("/v1/boards/contest/top", params={"after": after})
                assert top.status_code == 200, top.text
                assert without_rank(top.json()["entries"]) == watcher.entries
                assert top.json()["version"] == watcher.version
