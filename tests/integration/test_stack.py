"""`rankcast up` from outside: what it starts, what it says, and that nothing of it is left."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx
import psutil
import pytest

from infra.local.issuer import issuer_of
from infra.local.record import StackRecord, read_record
from tests.harness import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

# A few seconds where nothing else is to be done: some of these start a whole service twice.
pytestmark = pytest.mark.timeout(180)
RANKCAST = str(Path(sys.executable).parent / "rankcast")
TIMEOUT = 40.0
BOARD = {"title": "B", "columns": [{"name": "score"}]}
PATIENT = ("--set", f"after_timeout={TIMEOUT / 2}")
"""For reads that wait for the ranking, however long the worker takes to start."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rankcast-test-") as path:
        yield Path(path) / "data"


def two_ports() -> tuple[int, socket.socket]:
    """The first of two ports in a row, and what keeps the second as `free_port` keeps the first."""
    while True:
        port, kept = free_port(), socket.socket()
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            kept.bind(("127.0.0.1", port + 1))
        except OSError:
            kept.close()
            continue
        return port, kept


class Up:
    """`rankcast up` as somebody starts it, and everything that came of it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.port, self._kept = two_ports()
        command = [RANKCAST, "up", "--data-dir", str(folder), "--port", str(self.port), *arguments]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self.children: list[psutil.Process] = []

    def __enter__(self) -> Self:
        self.hears("Ctrl-C ends it")
        self.children = psutil.Process(self.process.pid).children(recursive=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=TIMEOUT)
        self._kept.close()

    def hears(self, words: str) -> None:
        """Return when it says so on standard output."""
        said = []
        for line in self.process.stdout:
            said.append(line)
            if words in line:
                return
        raise AssertionError(f"it never said {words!r}: {said} {self.process.stderr.read()}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def record(self) -> StackRecord:
        record = read_record(self.folder)
        assert record is not None
        return record

    def pid_of(self, name: str) -> int:
        return next(each.pid for each in self.record.processes if name in each.name)

    def end(self, number: int) -> tuple[int, str]:
        """Signal it; its exit code and what it said on standard error."""
        os.kill(self.process.pid, number)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, said

    def left(self) -> list[psutil.Process]:
        """What still runs of what it started."""
        return psutil.wait_procs(self.children, timeout=TIMEOUT)[1]

    def admin(self) -> httpx.Client:
        token = issuer_of(self.folder).token("admin")
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT, trust_env=False
        )


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([RANKCAST, *arguments], check=False, capture_output=True, text=True, timeout=TIMEOUT)


def one_line(said: str) -> str:
    """Everything on standard error, which must be one line of ours."""
    assert said.startswith("rankcast: "), said
    assert said.count("\n") == 1, said
    return said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_comes_up_and_a_request_to_end_leaves_nothing(folder: Path, number: int) -> None:
    with Up(folder, "--no-demo") as up:
        assert httpx.get(f"{up.url}/readyz", timeout=TIMEOUT, trust_env=False).status_code == 200
        assert up.record.ready
        assert up.record.urls == (up.url,)
        assert [each.name for each in up.record.processes] == [
            "PostgreSQL",
            "Valkey",
            "the refresh worker",
            f"the API node on port {up.port}",
        ]
        assert up.end(number) == (0, "")
        assert up.left() == []
        assert read_record(folder) is None


def test_ctrl_c_reaches_the_supervisor_alone_and_data_stays_for_the_next_start(folder: Path) -> None:
    with Up(folder, "--no-demo") as up:
        groups = set()
        for child in up.children:
            # A connection of PostgreSQL's is a process that may have ended since.
            with contextlib.suppress(ProcessLookupError):
                groups.add(os.getpgid(child.pid))
        assert len(groups) >= 4
        assert os.getpgid(up.process.pid) not in groups
        with up.admin() as admin:
            assert admin.put("/v1/boards/b", json=BOARD).status_code == 201
            assert admin.post("/v1/boards/b/scores", json={"player": "ann", "score": 5}).status_code == 200
        assert up.end(signal.SIGINT)[0] == 0
    with Up(folder, "--no-demo", *PATIENT) as up, up.admin() as admin:
        # The ranking is gone with Valkey; the read waits until it is there again.
        top = admin.get("/v1/boards/b/players/ann?after=ann:1").json()
        assert (top["rank"], top["score"]) == (1, 5)


@pytest.mark.parametrize("name", ["PostgreSQL", "Valkey", "the refresh worker", "the API node"])
def test_a_child_that_dies_ends_all_with_one_clear_line(folder: Path, name: str) -> None:
    with Up(folder, "--no-demo") as up:
        os.kill(up.pid_of(name), signal.SIGKILL)
        code, said = up.ended()
        assert code == 1
        assert "died: it was ended by SIGKILL" in one_line(said)
        assert name in said
        assert up.left() == []


def test_a_killed_supervisor_leaves_nothing_and_the_next_start_works(folder: Path) -> None:
    with Up(folder, "--no-demo") as up:
        os.kill(up.process.pid, signal.SIGKILL)
        up.process.wait(TIMEOUT)
        # At once: what is left of the first one is still ending.
        with Up(folder, "--no-demo") as next_up:
            assert httpx.get(f"{next_up.url}/readyz", timeout=TIMEOUT, trust_env=False).status_code == 200
        assert up.left() == []


def test_two_nodes_serve_one_board(folder: Path) -> None:
    with Up(folder, "--no-demo", "--nodes", "2", *PATIENT) as up, up.admin() as admin:
        first, second = up.record.urls
        assert (first, second) == (up.url, f"http://127.0.0.1:{up.port + 1}")
        assert admin.put(f"{first}/v1/boards/b", json=BOARD).status_code == 201
        seq = admin.post(f"{first}/v1/boards/b/scores", json={"player": "ann", "score": 5}).json()["seq"]
        answer = admin.get(f"{second}/v1/boards/b/players/ann?after=ann:{seq}")
        assert answer.json()["rank"] == 1


def test_the_demo_plays_a_contest_and_a_second_start_goes_on_with_it(folder: Path) -> None:
    with Up(folder, "--speed", "100000") as up:
        up.hears("the contest is over")
    with Up(folder, "--speed", "1") as up, up.admin() as admin:
        up.hears(f"board delete demo --data-dir {folder}, then start anew")
        assert admin.get("/v1/boards/demo/top").json()["total"] == 2353


def test_a_taken_port_is_one_clear_line(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run("up", "--data-dir", str(folder), "--port", str(port))
    assert done.returncode == 1
    assert one_line(done.stderr) == f"rankcast: port {port} is taken: choose another with --port\n"


def test_a_second_service_on_the_same_folder_is_one_clear_line(folder: Path) -> None:
    with Up(folder, "--no-demo") as up:
        done = run("up", "--data-dir", str(folder), "--port", str(free_port()))
        assert done.returncode == 1
        assert f"the data folder {folder} is in use by another process" in one_line(done.stderr)
        assert up.record.ready


def test_a_broken_data_folder_is_one_clear_line(folder: Path) -> None:
    (folder / "postgres").mkdir(parents=True)
    (folder / "postgres" / "PG_VERSION").write_text("16\n")
    done = run("up", "--data-dir", str(folder), "--port", str(free_port()))
    assert done.returncode == 1
    assert "was made by PostgreSQL '16', this is 18" in one_line(done.stderr)


def test_a_node_that_does_not_start_is_one_clear_line(folder: Path) -> None:
    done = run("up", "--data-dir", str(folder), "--port", str(free_port()), "--set", "host=192.0.2.1")
    assert done.returncode == 1
    assert "did not start" in one_line(done.stderr)
