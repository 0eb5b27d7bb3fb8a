"""Tokens at the real doors, REST and WebSocket: those of Cognito as the template makes it, forged ones, and keys that change."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.cognito import Cognito
from tests.forger import KEYED, UNKEYED, Forger, packed, unpacked
from tests.harness import Node, eventually
from tests.integration.held import HeldStack, HeldWatcher, problem, put_board, submit

if TYPE_CHECKING:
    from tests.emulators import Emulator

FORGED = UNKEYED | KEYED
# What cannot stand in a header at all reaches the node by the WebSocket alone.
_SENDABLE = re.compile(r"[!-~]([ -~]*[!-~])?")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def refusal(answer: httpx.Response) -> tuple[Any, ...]:
    """Everything of a refusal that a caller could tell it by, but for the sentence."""
    document = answer.json()
    assert set(document) == {"type", "title", "status", "code", "detail"}
    return (*problem(answer), document["type"], document["title"], answer.headers["www-authenticate"])


# -- forged --------------------------------------------------------------------------------------------------------------


async def test_every_forged_token_is_refused_with_the_same_problem_at_both_doors(
    held: HeldStack, tmp_path_factory: pytest.TempPathFactory, board: str
) -> None:
    forger = Forger(tmp_path_factory.mktemp("forger"), beyond=600)
    settings = {"issuer": forger.issuer.issuer, "jwks_url": forger.issuer.jwks_url}
    async with held.node(**settings) as node, HeldWatcher.talking(node.live_url) as watcher:
        node.http.headers = httpx.Headers(bearer(forger.issuer.token("admin")))
        await put_board(node, board, writes="player")
        scores, taken = f"/v1/boards/{board}/scores", []
        for case, make in FORGED.items():
            token = make(forger)
            said = await watcher.ask("error", op="auth", token=token)
            assert said["code"] == "unauthenticated", case
            if _SENDABLE.fullmatch(token):
                answer = await node.http.post(scores, json={"score": 1}, headers=bearer(token))
                taken.append(refusal(answer))
                assert token not in answer.text, case
        assert set(taken) == {(401, "unauthenticated", "about:blank", "Unauthorized", 'Bearer realm="rankcast"')}
        assert len(taken) > len(FORGED) - 6
        # Both doors are still open to one that is good, and nothing was written.
        assert (await node.http.get(f"/v1/boards/{board}")).status_code == 200
        good = forger.issuer.token("player", "E10")
        await watcher.ask("authenticated", op="auth", token=good)
        first = await node.http.post(scores, json={"score": 5}, headers=bearer(good))
        assert (first.status_code, first.json()["improved"]) == (200, True)


# -- Cognito -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cognito(ministack: Emulator) -> Cognito:
    return Cognito.make(ministack)


@pytest.fixture
async def node(held: HeldStack, cognito: Cognito) -> AsyncIterator[Node]:
    async with held.worker(), held.node(**cognito.settings) as node:
        node.http.headers = httpx.Headers(bearer(cognito.player(admin=True)["access_token"]))
        yield node


async def test_a_player_a_game_server_and_an_admin_of_cognito_may_what_they_are_for(
    node: Node, cognito: Cognito, board: str
) -> None:
    await put_board(node, board, writes="player")
    scores = f"/v1/boards/{board}/scores"
    player, server = cognito.player(), bearer(cognito.server_token())
    own = bearer(player["access_token"])

    mine = await node.http.post(scores, json={"score": 7}, headers=own)
    assert (mine.status_code, mine.json()["player"]) == (200, player["sub"])
    assert problem(await node.http.post(scores, json={"player": "bob", "score": 7}, headers=own)) == (403, "forbidden")
    assert (await node.http.post(scores, json={"player": "bob", "score": 9}, headers=server)).status_code == 200
    for nobody in (own, server):
        put = await node.http.put(f"/v1/boards/{board}", json={"columns": [{"name": "points"}]}, headers=nobody)
        assert problem(put) == (403, "forbidden")

    async with HeldWatcher.talking(node.live_url) as watcher:
        await watcher.ask("authenticated", op="auth", token=player["access_token"])
        await watcher.say(op="subscribe", id=1, board=board, view="player", player="me")
        assert (await watcher.told())["type"] == "subscribed"

        async def ranked() -> bool:
            frame = await watcher.told()
            return frame.get("type") == "rank" and frame["of"] == 2 and frame["rank"] == 2

        await eventually(ranked)


async def test_only_the_access_tokens_of_our_own_pool_and_clients_count(
    node: Node, cognito: Cognito, ministack: Emulator, board: str
) -> None:
    await put_board(node, board)
    top = f"/v1/boards/{board}/top"
    player = cognito.player()
    assert (await node.http.get(top, headers=bearer(player["access_token"]))).status_code == 200
    other = Cognito.make(ministack).player()["access_token"]
    header, payload, signature = unpacked(player["access_token"])
    # The id token is signed by a key that the pool publishes beside the other.
    async with httpx.AsyncClient(trust_env=False) as http:
        published = (await http.get(cognito.jwks_url)).text
    assert json.loads(unpacked(player["id_token"])[0])["kid"] in published
    refused = {
        "an id token": player["id_token"],
        "a refresh token": player["refresh_token"],
        "another pool's": other,
        "another pool's, claiming to be of ours": packed(header, payload, unpacked(other)[2]),
        "a player's that would be an admin": packed(
            header, json.dumps(json.loads(payload) | {"cognito:groups": ["rankcast-admins"]}).encode(), signature
        ),
        "none, with the key's name": packed(json.dumps(json.loads(header) | {"alg": "none"}).encode(), payload, b"x"),
    }
    answers = {case: refusal(await node.http.get(top, headers=bearer(token))) for case, token in refused.items()}
    assert len(set(answers.values())) == 1
    assert answers["an id token"][:2] == (401, "unauthenticated")
    async with HeldWatcher.talking(node.live_url) as watcher:
        for case, token in refused.items():
            assert (await watcher.ask("error", op="auth", token=token))["code"] == "unauthenticated", case


async def test_a_client_of_the_pool_that_is_not_listed_is_refused(
    held: HeldStack, cognito: Cognito, board: str
) -> None:
    settings = cognito.settings | {"client_ids": (cognito.player_client,)}
    async with held.node(**settings) as node:
        player, server = bearer(cognito.player()["access_token"]), bearer(cognito.server_token())
        assert problem(await node.http.get(f"/v1/boards/{board}", headers=player)) == (404, "board_unknown")
        assert problem(await node.http.get(f"/v1/boards/{board}", headers=server)) == (401, "unauthenticated")


async def test_a_token_says_who_until_when_and_nothing_else_is_believed(cognito: Cognito) -> None:
    """What the emulator's tokens look like: an access token has `client_id` and no `aud`, as the real ones."""
    claims = json.loads(base64.urlsafe_b64decode(cognito.server_token().split(".")[1] + "=="))
    assert claims["client_id"] == claims["sub"] == cognito.server_client
    assert "aud" not in claims
    assert claims["scope"] == "rankcast/scores"


# -- rotation ------------------------------------------------------------------------------------------------------------


async def test_after_a_rotation_new_tokens_are_taken_and_old_ones_stay_without_a_restart(
    held: HeldStack, tmp_path_factory: pytest.TempPathFactory, board: str
) -> None:
    """With the local issuer: the emulator's pools keep their keys. A node asks for keys again 5 s after the last time at the earliest."""
    issuer = Forger(tmp_path_factory.mktemp("rotating")).issuer
    async with (
        held.node(issuer=issuer.issuer, jwks_url=issuer.jwks_url) as node,
        HeldWatcher.talking(node.live_url) as watcher,
    ):
        node.http.headers = httpx.Headers(bearer(issuer.token("admin")))
        await put_board(node, board)
        old = issuer.token("server")
        issuer.rotate()
        new = issuer.token("server")
        assert unpacked(old)[0] != unpacked(new)[0]

        async def taken() -> bool:
            answer = await node.http.get(f"/v1/boards/{board}", headers=bearer(new))
            return answer.status_code == 200 or problem(answer) != (401, "unauthenticated")

        await eventually(taken)
        await watcher.ask("authenticated", op="auth", token=new)
        node.http.headers = httpx.Headers(bearer(old))
        await submit(node, board, "ann", 1)
