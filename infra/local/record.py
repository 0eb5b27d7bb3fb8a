"""`stack.json`: what a running stack tells everybody on this machine, and the next start after it was killed."""

from __future__ import annotations

import signal
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Self

import orjson
import psutil

from infra.local.errors import FolderInvalid
from infra.local.orphans import end_processes

if TYPE_CHECKING:
    from pathlib import Path

NAME = "stack.json"
SAME = 0.05
"""Seconds by which two readings of one process's start may differ; a later process of the same pid is further off."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A process, so named that another one which got its pid later is not taken for it. `started` is in Unix seconds."""

    name: str
    pid: int
    started: float

    @classmethod
    def of(cls, name: str, pid: int) -> Self:
        """The record of a running process. Raises psutil.NoSuchProcess when it is gone."""
        return cls(name, pid, psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """The process, None when it is gone."""
        try:
            process = psutil.Process(self.pid)
            return process if abs(process.create_time() - self.started) < SAME else None
        except psutil.Error:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRecord:
    """A stack: its supervisor, where its parts are reached, and the processes it started, in that order."""

    supervisor: Recorded
    ready: bool = False
    urls: tuple[str, ...] = ()
    database_url: str = ""
    redis_url: str = ""
    processes: tuple[Recorded, ...] = ()

    def with_process(self, name: str, pid: int) -> StackRecord:
        """The record with one more process."""
        return replace(self, processes=(*self.processes, Recorded.of(name, pid)))

    def write(self, folder: Path) -> None:
        """Replace `stack.json` in one step. Raises FolderInvalid."""
        fresh = folder / f"{NAME}.new"
        try:
            fresh.write_bytes(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2))
            fresh.replace(folder / NAME)
        except OSError as error:
            raise FolderInvalid(f"{folder / NAME} cannot be written: {error.strerror}") from error


def read_record(folder: Path) -> StackRecord | None:
    """What `stack.json` says, None when there is none or it is no record. Raises FolderInvalid when it cannot be read."""
    try:
        fields = orjson.loads((folder / NAME).read_bytes())
        return StackRecord(
            supervisor=Recorded(**fields["supervisor"]),
            ready=fields["ready"],
            urls=tuple(fields["urls"]),
            database_url=fields["database_url"],
            redis_url=fields["redis_url"],
            processes=tuple(Recorded(**each) for each in fields["processes"]),
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FolderInvalid(f"{folder / NAME} cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError):
        return None


def remove_record(folder: Path) -> None:
    """The stack has ended."""
    (folder / NAME).unlink(missing_ok=True)


def end_recorded(folder: Path) -> None:
    """End what a killed stack left running here, the last started first. Only for who holds the folder's claim."""
    record = read_record(folder)
    if record is None:
        return
    for recorded in reversed(record.processes):
        process = recorded.process()
        if process is not None:
            # PostgreSQL waits for its clients on SIGTERM, which are gone by now; on SIGINT it does not.
            end_processes([process], signal.SIGINT if recorded.name == "PostgreSQL" else signal.SIGTERM)
    remove_record(folder)
