"""Ends an owner's processes when the owner is killed and can no longer do it itself."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from infra.local.errors import LocalStackError

if TYPE_CHECKING:
    import signal
    from types import TracebackType

PROGRAM = Path(__file__).with_name("watchdog_process.py")
CLOSING = 10.0


class Watchdog:
    """A small process at the other end of a pipe; the pipe's end tells it that the owner is gone, even after `kill -9`.

    (A parent-death signal would hang on the thread that started the child, and exists on Linux alone.)
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def watch(self, pid: int, ending: signal.Signals, seconds: float) -> None:
        """From now on end `pid` when the owner is gone: with the signal, and with SIGKILL `seconds` later.

        Raises LocalStackError when the watchdog cannot be started or is gone.
        """
        if self._process is None:
            self._process = _start()
        try:
            self._write(f"watch {pid} {int(ending)} {seconds}\n")
        except OSError as error:
            raise LocalStackError("the watchdog process has ended: the stack cannot be guarded") from error

    def forget(self, pid: int) -> None:
        """The process has ended, or its life is no longer the owner's business."""
        with contextlib.suppress(OSError):
            self._write(f"forget {pid}\n")

    def close(self) -> None:
        """End the watchdog itself; what it still watches ends with it."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            process.communicate(timeout=CLOSING)
        process.kill()
        process.wait(CLOSING)

    def _write(self, order: str) -> None:
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.write(order)
        self._process.stdin.flush()


def _start() -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", "-S", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        raise LocalStackError(f"the watchdog process does not start: {error}") from error
