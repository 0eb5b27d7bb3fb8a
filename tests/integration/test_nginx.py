"""nginx with the configuration of compose.yaml, in front of two real nodes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from realtime.core.messages import SUBPROTOCOL
from realtime.core.pictures import MAX_BYTES
from tests.harness import PATIENCE, Node, eventually, free_port, ready
from tests.integration.held import HeldStack, HeldWatcher, problem, put_board, submit

CONFIGURATION = Path("infra/nginx.conf")


def nginx() -> str:
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("nginx is missing: apt install nginx")
    return program


def configured(folder: Path, port: int, nodes: list[int]) -> Path:
    """The configuration for this machine: the nodes' names and the port are other ones, and /tmp is the test's."""
    text = CONFIGURATION.read_text()
    changed = text.replace("/tmp/", f"{folder}/").replace(  # noqa: S108 - the container's own
        "listen 8080", f"listen 127.0.0.1:{port} reuseport"
    )
    changed = changed.replace("/dev/stdout", f"{folder}/access.log")
    # As on a busy machine of eight cores: a worker each, connections go to all of them, and none knows what the others hold unless
    # they share it.
    changed = changed.replace("worker_processes auto", "worker_processes 8")
    for number, node in enumerate(nodes, 1):
        changed = changed.replace(f"server node-{number}:8080", f"server 127.0.0.1:{node}")
    assert "node-" not in changed.partition("upstream nodes")[2].partition("}")[0]
    path = folder / "nginx.conf"
    path.write_text(changed)
    return path


def check(command: list[str]) -> None:
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=20, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr


@contextlib.asynccontextmanager
async def front(folder: Path, nodes: list[Node]) -> AsyncIterator[str]:
    program, port = nginx(), free_port()
    configuration = configured(folder, port, [int(node.url.rpartition(":")[2]) for node in nodes])
    command = [program, "-p", str(folder), "-c", str(configuration)]
    check(command)
    # Its workers would be somebody else than we are, to whom the test's folder is closed; in the container they are not.
    directives = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    process = await asyncio.create_subprocess_exec(*command, "-g", directives, stderr=asyncio.subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        await ready(url)
        yield url
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), PATIENCE)


@contextlib.asynccontextmanager
async def running(stack: HeldStack, folder: Path, **changes: object) -> AsyncIterator[tuple[str, list[Node]]]:
    async with contextlib.AsyncExitStack() as opened:
        await opened.enter_async_context(stack.worker())
        settings = {"trusted_proxies": ("127.0.0.1",)} | changes
        nodes = [await opened.enter_async_context(stack.node(**settings)) for _ in range(2)]
        yield await opened.enter_async_context(front(folder, nodes)), nodes


async def test_a_score_that_comes_by_nginx_is_seen_by_a_viewer_that_came_by_nginx(
    held: HeldStack, board: str, tmp_path: Path
) -> None:
    async with running(held, tmp_path) as (url, nodes):
        await put_board(nodes[0], board)
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE, headers=held.headers()) as http:
            async with HeldWatcher.talking(url.replace("http", "ws") + "/v1/live") as watcher:
                await watcher.watch(board)
                answer = await http.post(f"/v1/boards/{board}/scores", json={"player": "ann", "score": 7})
                assert answer.status_code == 200
                await watcher.until(lambda one: [entry["player"] for entry in one.entries] == ["ann"])
            seen = await http.get(f"/v1/boards/{board}/top", params={"after": f"ann:{answer.json()['seq']}"})
            assert seen.json()["entries"][0]["player"] == "ann"


async def test_events_come_by_nginx_one_by_one_as_they_are_sent(held: HeldStack, board: str, tmp_path: Path) -> None:
    async with running(held, tmp_path) as (url, nodes):
        await put_board(nodes[0], board)
        query = {"view": "top", "limit": "10"}
        async with (
            asyncio.timeout(PATIENCE),
            httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http,
            http.stream("GET", f"/v1/boards/{board}/live", params=query) as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.aiter_lines()
            while not (await anext(lines)).startswith("data:"):
                pass
            await submit(nodes[1], board, "bob", 3)
            # Held back in a buffer, it would come with nothing to push it out.
            while "bob" not in await anext(lines):
                pass


async def test_what_a_client_says_of_its_own_address_is_not_believed(held: HeldStack, tmp_path: Path) -> None:
    async with running(held, tmp_path, max_per_address=1) as (url, nodes):
        del nodes
        live = url.replace("http", "ws") + "/v1/live"

        def coming(address: str) -> connect:
            return connect(
                live, subprotocols=[SUBPROTOCOL], additional_headers={"X-Forwarded-For": address}, proxy=None
            )

        async with contextlib.AsyncExitStack() as opened:
            refusals = []
            # One on each node at the most, whatever they say; the third finds both taken.
            for number in range(3):
                try:
                    await opened.enter_async_context(coming(f"203.0.113.{number}"))
                except InvalidStatus as refused:
                    refusals.append(refused.response.status_code)
            assert refusals == [429]


async def test_nodes_hold_the_same_number_of_viewers_whichever_worker_of_nginx_let_them_in(
    held: HeldStack, tmp_path: Path
) -> None:
    async with running(held, tmp_path) as (url, nodes), contextlib.AsyncExitStack() as opened:
        live = url.replace("http", "ws") + "/v1/live"

        async def asked_and_over() -> bool:
            return '"status":200' in (tmp_path / "access.log").read_text()

        # Whether it is ready was asked of a node: until nginx has noted the answer, that node has one more.
        await eventually(asked_and_over)
        for _ in range(16):
            await opened.enter_async_context(HeldWatcher.talking(live))
        assert [node.service.hub.connections for node in nodes] == [8, 8]


async def test_while_one_node_is_away_the_other_answers_for_both(held: HeldStack, board: str, tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as opened:
        staying = await opened.enter_async_context(held.node())
        leaving = contextlib.AsyncExitStack()
        gone = await leaving.enter_async_context(held.node())
        await put_board(staying, board)
        url = await opened.enter_async_context(front(tmp_path, [gone, staying]))
        await leaving.aclose()
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
            answers = [(await http.get(f"/v1/boards/{board}")).status_code for _ in range(10)]
        assert answers == [200] * 10


async def test_a_large_batch_fits_through_and_what_nobody_takes_ends_here(held: HeldStack, tmp_path: Path) -> None:
    async with running(held, tmp_path) as (url, nodes):
        del nodes
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE, headers=held.headers()) as http:
            fits = await http.post("/v1/boards/b/scores/batch", content=b"x" * 1_900_000)
            assert problem(fits) == (404, "board_unknown"), "refused by the node, which read it"
            over = await http.post("/v1/boards/b/scores/batch", content=b"x" * (7 * 2**20))
            assert (over.status_code, over.headers["content-type"]) == (413, "text/html")


async def test_a_picture_of_the_largest_size_goes_where_its_ticket_says_by_nginx(
    held: HeldStack, tmp_path: Path
) -> None:
    content = os.urandom(MAX_BYTES)
    async with running(held, tmp_path, pictures_folder=str(tmp_path / "pictures")) as (url, nodes):
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE, headers=held.headers("player", "ann")) as http:
            asked = {"content_type": "image/png", "sha256": sha256(content).hexdigest()}
            given = (await http.post("/v1/players/ann/image", json=asked)).json()
            # The address that the client came by, not the node's.
            assert given["url"] == f"{url}/v1/uploads"
            sent = await http.post(given["url"], data=given["fields"], files={"file": content})
            assert sent.status_code == 204, sent.text
        del nodes


async def test_the_numbers_of_a_node_stay_inside(held: HeldStack, tmp_path: Path) -> None:
    async with running(held, tmp_path) as (url, nodes), httpx.AsyncClient(timeout=PATIENCE) as http:
        assert (await http.get(f"{nodes[0].url}/metrics")).status_code == 200
        assert (await http.get(f"{url}/metrics")).status_code == 404
