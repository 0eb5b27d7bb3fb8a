"""Run by `watchdog.py` as a process of its own: ends what it was told to watch when its owner is gone.

It reads lines from its standard input, whose only writer is the owner: `watch PID SIGNAL SECONDS` and `forget PID`.
The input ends when the owner does, in whatever way. Then each watched process, the last one first, gets its signal, and
SIGKILL when it is still there after its seconds. Only the standard library is imported: it starts in milliseconds.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

PROBE = 0.02
"""Seconds between two looks at a process that cannot be waited for."""


class Watched:
    """One process, held by a descriptor where the system has them: a pid that was used again is never hit."""

    def __init__(self, pid: int, ending: int, seconds: float) -> None:
        self._pid = pid
        self._ending = ending
        self._seconds = seconds
        self._descriptor = os.pidfd_open(pid) if sys.platform == "linux" else None

    def end(self) -> None:
        """Signal the process, wait, and kill it when it stays."""
        try:
            self._send(self._ending)
            if not self._gone_after(self._seconds):
                self._send(signal.SIGKILL)
                self._gone_after(self._seconds)
        except ProcessLookupError:
            return

    def close(self) -> None:
        """Let go of the process."""
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _send(self, number: int) -> None:
        if sys.platform == "linux" and self._descriptor is not None:
            signal.pidfd_send_signal(self._descriptor, number)
        else:
            os.kill(self._pid, number)

    def _gone_after(self, seconds: float) -> bool:
        if self._descriptor is not None:
            return bool(select.select([self._descriptor], [], [], seconds)[0])
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            os.kill(self._pid, 0)
            time.sleep(PROBE)
        return False


def main() -> None:
    """Read orders until the owner is gone, then end what is still watched."""
    for name in ("SIGINT", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    watched: dict[int, Watched] = {}
    for line in sys.stdin:
        order, pid, *rest = line.split()
        known = watched.pop(int(pid), None)
        if known is not None:
            known.close()
        if order == "watch":
            try:
                watched[int(pid)] = Watched(int(pid), int(rest[0]), float(rest[1]))
            except ProcessLookupError:
                continue
    for process in reversed(watched.values()):
        process.end()


if __name__ == "__main__":
    main()
