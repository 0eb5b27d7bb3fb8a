"""A server on this machine: started, watched over and stopped by whoever holds the object."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

from infra.local.errors import LocalStackError
from infra.local.process import Child
from infra.local.watchdog import Watchdog

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from infra.local.process import Program


class Server(ABC):
    """One process over the data in `data_dir`; it may be started again after it was stopped, or has ended by itself.

    When its owner dies without stopping it, the watchdog does: the one given, or else one of its own.
    """

    name: ClassVar[str]

    def __init__(self, data_dir: Path, watchdog: Watchdog | None) -> None:
        self.data_dir = data_dir.absolute()
        self._watchdog = watchdog
        self._own_watchdog: Watchdog | None = None
        self._child: Child | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def child(self) -> Child:
        """The server's process. Raises LocalStackError unless started."""
        if self._child is None:
            raise LocalStackError(f"{self.name} is not running")
        return self._child

    @property
    def pid(self) -> int:
        """Its process id. Raises LocalStackError unless started."""
        return self.child.pid

    def start(self) -> Self:
        """Start the server and return when it answers; does nothing when it is running.

        Raises FolderInvalid when the folder cannot be used, ServerFailed, with the server's last word, when it does not
        start, and what the kind of server adds; with nothing left running.
        """
        if self._child is not None and self._child.exit_code is None:
            return self
        self.stop()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server, cleanly where it lets us. Does nothing when it is not running."""
        child, self._child = self._child, None
        if child is not None:
            child.stop()
        own, self._own_watchdog = self._own_watchdog, None
        if own is not None:
            own.close()

    @abstractmethod
    def _start(self) -> None:
        """Begin the process and return when it answers. What fails here is stopped."""

    def _begin(self, program: Program) -> Child:
        """Start the process, under a watchdog."""
        watchdog = self._watchdog or self._own_watchdog
        if watchdog is None:
            watchdog = self._own_watchdog = Watchdog()
        self._child = Child(program, watchdog)
        return self._child
