"""Ends servers that a dead owner left behind. Only for a folder whose claim we hold: nobody else's can be in it."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PATIENCE = 20.0
"""Seconds before a process that does not end is killed."""


def end_postgres_in(folder: Path) -> None:
    """End the PostgreSQL processes over `folder`, and remove the pid file of one that is gone.

    A stale pid file may name a process that came later; PostgreSQL would refuse to start beside it.
    """
    pid_file = folder / "postmaster.pid"
    if not pid_file.exists():
        return
    postmaster = _postmaster(pid_file)
    if postmaster is not None and _works_in(postmaster, folder):
        end_processes([postmaster], signal.SIGINT)
    # A killed postmaster's backends notice by themselves; one that hangs would hold the shared memory.
    end_processes([process for process in psutil.process_iter() if _works_in(process, folder)], signal.SIGQUIT)
    pid_file.unlink(missing_ok=True)


def end_processes(processes: Iterable[psutil.Process], ending: signal.Signals) -> None:
    """Signal all, wait, and kill those that stay. A process that is gone, or is another by now, is left alone."""
    there = list(processes)
    for process in there:
        with contextlib.suppress(psutil.Error):
            process.send_signal(ending)
    _gone, staying = psutil.wait_procs(there, timeout=PATIENCE)
    for process in staying:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(staying, timeout=PATIENCE)


def _postmaster(pid_file: Path) -> psutil.Process | None:
    try:
        return psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))
    except (OSError, ValueError, psutil.Error):
        return None


def _works_in(process: psutil.Process, folder: Path) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return process.name().startswith("postgres") and process.cwd() == str(folder.resolve())
    return False
