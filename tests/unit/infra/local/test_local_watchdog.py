from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil

from infra.local.watchdog import Watchdog

TIMEOUT = 10.0
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)


def start(code: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def test_what_is_watched_ends_when_the_watchdogs_owner_lets_go() -> None:
    with start("import time; print('ready', flush=True); time.sleep(60)") as process:
        watchdog = Watchdog()
        watchdog.watch(process.pid, signal.SIGTERM, TIMEOUT)
        watchdog.close()
        assert process.wait(TIMEOUT) == -signal.SIGTERM


def test_what_does_not_end_in_time_is_killed() -> None:
    with start(STUBBORN) as process:
        watchdog = Watchdog()
        watchdog.watch(process.pid, signal.SIGTERM, 0.1)
        watchdog.close()
        assert process.wait(TIMEOUT) == -signal.SIGKILL


def test_what_was_forgotten_lives_on() -> None:
    with start(STUBBORN) as process:
        with Watchdog() as watchdog:
            watchdog.watch(process.pid, signal.SIGKILL, TIMEOUT)
            watchdog.forget(process.pid)
        assert process.poll() is None
        process.kill()


def test_a_process_that_is_gone_already_does_no_harm() -> None:
    with start("print('ready', flush=True)") as gone:
        pass
    with start("import time; print('ready', flush=True); time.sleep(60)") as process:
        with Watchdog() as watchdog:
            watchdog.watch(process.pid, signal.SIGTERM, TIMEOUT)
            watchdog.watch(gone.pid, signal.SIGTERM, TIMEOUT)
        assert process.wait(TIMEOUT) == -signal.SIGTERM


def test_closing_leaves_no_process() -> None:
    with Watchdog() as watchdog:
        with start("import time; print('ready', flush=True); time.sleep(60)") as process:
            watchdog.watch(process.pid, signal.SIGTERM, TIMEOUT)
            watchdog.forget(process.pid)
            process.kill()
        assert watchdog._process is not None
        pid = watchdog._process.pid
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid)


OWNER = """
import signal, subprocess, sys, time
from infra.local.watchdog import Watchdog
watched = [subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(2)]
watchdog = Watchdog()
for process in watched:
    watchdog.watch(process.pid, signal.SIGTERM, 5)
print(*[process.pid for process in watched], flush=True)
time.sleep(60)
"""


def test_everything_ends_when_the_owner_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as owner:
        watched = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
        os.kill(owner.pid, signal.SIGKILL)
    assert psutil.wait_procs(watched, timeout=TIMEOUT)[1] == []
