from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import asyncpg

from tests.harness import PATIENCE

if TYPE_CHECKING:
    from tests.harness import Stack

PLAYERS = 120
BATCHES = 60


async def test_concurrent_batches_on_the_same_players_end_without_an_error_and_count_each_once(stack: Stack) -> None:
    chance = random.Random(11)
    async with stack.running(nodes=2) as nodes:
        document = {"columns": [{"name": "coins"}], "operator": "sum"}
        await nodes[0].http.put("/v1/boards/coins", json=document)
        await nodes[0].http.put("/v1/boards/other", json=document)
        expected = {f"p{number}": 0 for number in range(PLAYERS)}

        async def send() -> None:
            players = chance.sample(sorted(expected), 80)
            rows = [
                {"player": player, "score": chance.randrange(1, 100), "name": f"n{chance.randrange(3)}"}
                for player in players
            ]
            for row in rows:
                expected[str(row["player"])] += int(str(row["score"]))
            board = "coins"
            answer = await chance.choice(nodes).http.post(f"/v1/boards/{board}/scores/batch", json=rows)
            assert answer.status_code == 200, answer.text
            assert all("seq" in one for one in answer.json()["results"])
            elsewhere = await chance.choice(nodes).http.post("/v1/boards/other/scores/batch", json=rows)
            assert elsewhere.status_code == 200, elsewhere.text

        await asyncio.gather(*(send() for _ in range(BATCHES)))
        players = sorted(expected)
        connection = await asyncpg.connect(stack.settings.database_url, timeout=PATIENCE)
        try:
            rows = await connection.fetch("SELECT player, c1 FROM entry WHERE board_id = 1")
            deadlocks = await connection.fetchval(
                "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            )
        finally:
            await connection.close()
        assert {row["player"]: row["c1"] for row in rows} == {
            player: total for player, total in expected.items() if total
        }
        assert deadlocks == 0
        # One player's last score is not the last one of all.
        await stack.settled()
        seq = max(players)
        answer = await nodes[0].http.post("/v1/boards/coins/scores", json={"player": seq, "score": 0})
        after = f"{seq}:{answer.json()['seq']}"
        ranked = await nodes[1].http.post("/v1/boards/coins/ranks", params={"after": after}, json={"players": players})
        assert {one["player"]: one["score"] for one in ranked.json()["entries"]} == expected


async def test_two_copies_of_one_keyed_submission_at_once_count_once_for_a_sum(stack: Stack) -> None:
    async with stack.running(nodes=2) as nodes:
        await nodes[0].http.put("/v1/boards/coins", json={"columns": [{"name": "coins"}], "operator": "sum"})
        for number in range(30):
            answers = await asyncio.gather(
                *(
                    node.http.post(
                        "/v1/boards/coins/scores",
                        json={"player": "ada", "score": 5},
                        headers=stack.headers() | {"Idempotency-Key": f"buy-{number}"},
                    )
                    for node in nodes * 2
                )
            )
            assert {answer.status_code for answer in answers} == {200}
            assert {answer.text for answer in answers} == {answers[0].text}
            assert answers[0].json()["best"] == 5 * (number + 1)
