"""A child process: started in a session of its own, watched over, and ended within a bound."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.local.errors import FolderInvalid, ServerFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from infra.local.watchdog import Watchdog

PROBE = 0.02
"""Seconds between two looks at a child that is starting."""
KILL_WAIT = 10.0
LOG_LIMIT = 8_000_000
"""Bytes past which a log starts anew when its process starts."""
LOG_TAIL = 16_384
"""Bytes of a log that are read to find a process's last word."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system user that a process runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run. `ending` is the signal that ends it cleanly; `patience` the seconds before the next, harder step."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    log: Path
    folder: Path | None = None
    account: Account | None = None
    ending: signal.Signals = signal.SIGTERM
    harder: signal.Signals | None = None
    patience: float = 10.0
    loud: tuple[str, ...] = field(default=())
    """Words from which on a line of the log tells why the program ended; without one it is the last line."""


class Child:
    """A running program. Its output goes to its log file."""

    def __init__(self, program: Program, watchdog: Watchdog) -> None:
        """Start it. Raises FolderInvalid when its log cannot be written, ServerFailed when it cannot be run."""
        self.program = program
        self._watchdog = watchdog
        self._log_start = 0
        self._process = self._spawn()
        watchdog.watch(self.pid, program.ending, program.patience)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """What it ended with (negative: the signal), or None while it runs."""
        return self._process.poll()

    def wait_until(self, ready: Callable[[], bool], timeout: float) -> None:
        """Return when `ready()` is true. Raises ServerFailed when the child ends or `timeout` seconds pass before."""
        until = time.monotonic() + timeout
        while not ready():
            if self.ends_within(PROBE):
                raise ServerFailed(f"{self.program.name} did not start: {self.last_word()}")
            if time.monotonic() > until:
                raise ServerFailed(f"{self.program.name} is not ready after {timeout:g} s: {self.last_word()}")

    def stop(self) -> None:
        """End it: first asked, then urged, then killed. Returns when it is gone."""
        for number in (self.program.ending, self.program.harder):
            if number is None or self.exit_code is not None:
                continue
            self._process.send_signal(number)
            self.ends_within(self.program.patience)
        self._process.kill()
        self._process.wait(KILL_WAIT)
        self._watchdog.forget(self.pid)

    def ask_to_end(self) -> None:
        """Send the first signal without waiting; `stop` waits."""
        self._process.send_signal(self.program.ending)

    def last_word(self) -> str:
        """The line of its log that tells most about its end, or how it ended when the log is silent."""
        lines = _tail(self.program.log, self._log_start)
        telling = [line[line.index(word) :] for line in lines for word in self.program.loud if word in line]
        if telling or lines:
            return (telling or lines)[-1]
        return "it is silent" if self.exit_code is None else describe_exit(self.exit_code)

    def epitaph(self) -> str:
        """Why it ended: the signal that ended it, or else its last word."""
        code = self.exit_code
        return describe_exit(code) if code is not None and code < 0 else self.last_word()

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end, at most `seconds`; whether it has ended."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _spawn(self) -> subprocess.Popen[bytes]:
        program, account = self.program, self.program.account
        try:
            program.log.parent.mkdir(parents=True, exist_ok=True)
            fresh = not program.log.exists() or program.log.stat().st_size > LOG_LIMIT
            log = program.log.open("wb" if fresh else "ab")
        except OSError as error:
            raise FolderInvalid(f"the log {program.log} cannot be written: {error.strerror}") from error
        with log:
            self._log_start = log.tell()
            try:
                return subprocess.Popen(  # noqa: S603 - the stack's own programs
                    program.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=program.folder,
                    env=dict(program.environ),
                    start_new_session=True,
                    user=account.uid if account else None,
                    group=account.gid if account else None,
                    extra_groups=() if account else None,
                )
            except OSError as error:
                raise ServerFailed(f"{program.name} cannot be run: {error}") from error


def describe_exit(code: int) -> str:
    """How a process ended, in words: `code` as Popen gives it."""
    if code >= 0:
        return f"it ended with status {code}"
    return f"it was ended by {signal.Signals(-code).name}"


def _tail(log: Path, start: int) -> list[str]:
    try:
        with log.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(start, end - LOG_TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]
