"""A server that is a shell which sleeps: how one is held, whatever it serves."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from infra.local.errors import LocalStackError, ServerFailed
from infra.local.process import Program
from infra.local.server import Server
from infra.local.watchdog import Watchdog

TIMEOUT = 10.0


class Sleeper(Server):
    name = "the sleeper"

    def __init__(self, folder: Path, watchdog: Watchdog | None = None, *, script: str = "exec sleep 600") -> None:
        super().__init__(folder, watchdog)
        self.script = script
        self.starts = 0

    def _start(self) -> None:
        self.starts += 1
        program = Program(
            name=self.name,
            command=("/bin/sh", "-c", self.script),
            environ={"PATH": "/usr/bin:/bin"},
            log=self.data_dir / "log",
        )
        self._begin(program).wait_until(lambda: "sleep 600" in self.script, TIMEOUT)


def test_it_runs_as_long_as_it_is_held(folder: Path) -> None:
    with Sleeper(folder) as server:
        pid = server.pid
        assert psutil.Process(pid).is_running()
        assert server.child.pid == pid
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("what", ["pid", "child"])
def test_one_that_does_not_run_has_no_process(folder: Path, what: str) -> None:
    with pytest.raises(LocalStackError, match="the sleeper is not running"):
        getattr(Sleeper(folder), what)


def test_one_that_runs_is_not_started_again_and_one_that_has_ended_is(folder: Path) -> None:
    with Sleeper(folder) as server:
        assert server.start() is server
        assert server.starts == 1
        first = server.pid
        os.kill(first, signal.SIGKILL)
        assert server.child.ends_within(TIMEOUT)
        server.start()
        assert server.starts == 2
        assert server.pid != first
    server.stop()


def test_what_does_not_start_leaves_nothing_running(folder: Path) -> None:
    server = Sleeper(folder, script="echo no; exit 3")
    with pytest.raises(ServerFailed, match="the sleeper did not start: no"):
        server.start()
    with pytest.raises(LocalStackError, match="not running"):
        _ = server.pid
    assert server._own_watchdog is None


def test_a_watchdog_that_was_given_guards_it_and_stays(folder: Path) -> None:
    with Watchdog() as watchdog:
        with Sleeper(folder, watchdog) as server:
            assert server._own_watchdog is None
            guard = process_of(watchdog)
        assert guard.is_running()


def test_without_one_it_is_guarded_by_one_of_its_own_that_goes_with_it(folder: Path) -> None:
    with Sleeper(folder) as server:
        guard = process_of(server._own_watchdog)
        assert guard.is_running()
    assert not guard.is_running()
    with server:
        assert process_of(server._own_watchdog).is_running()


def process_of(watchdog: Watchdog | None) -> psutil.Process:
    assert watchdog is not None
    assert watchdog._process is not None
    return psutil.Process(watchdog._process.pid)
