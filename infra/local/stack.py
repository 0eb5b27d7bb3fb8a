"""The whole service on one machine: PostgreSQL, Valkey, the refresh worker and API nodes as processes of their own."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Self

from infra.local.claim import Claim
from infra.local.errors import ChildDied, FolderInvalid, PortTaken
from infra.local.issuer import CLIENT_ID, LocalIssuer, issuer_of
from infra.local.postgres import EmbeddedPostgres
from infra.local.process import Child, Program
from infra.local.record import Recorded, StackRecord, end_recorded, remove_record
from infra.local.valkey import EmbeddedValkey
from infra.local.watchdog import Watchdog
from infra.migrations import migrate
from infra.settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

HOST = "127.0.0.1"
DATABASE = "rankcast"
READY_TIMEOUT = 60.0
"""Seconds until a node must be ready."""
ASK_TIMEOUT = 2.0
NODE_PATIENCE = 15.0
"""Seconds in which a node takes leave of its clients before it is killed."""
WORKER_PATIENCE = 10.0
ENVIRON = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
"""What our processes get besides their settings: nothing of the caller's environment changes what they do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to start: `nodes` API nodes on consecutive ports from `port`. `settings` replaces settings by field name."""

    data_dir: Path
    port: int = 8080
    nodes: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def ports(self) -> range:
        """The nodes' ports."""
        return range(self.port, self.port + self.nodes)


class Stack:
    """A running service. `tell` hears, in a few words, what is being started.

    Everything it starts ends with it, in order; when it is killed, the watchdog ends the rest.
    """

    def __init__(self, plan: Plan, tell: Callable[[str], None] | None = None) -> None:
        self.plan = replace(plan, data_dir=plan.data_dir.absolute())
        self._tell = tell or _say_nothing
        self._open = ExitStack()
        self._children: list[Child] = []
        self._nodes: list[Child] = []
        self._record = StackRecord(supervisor=Recorded.of("supervisor", os.getpid()))
        self._settings: Settings | None = None
        self._watchdog = Watchdog()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def urls(self) -> tuple[str, ...]:
        """Where the nodes are reached."""
        return tuple(f"http://{HOST}:{port}" for port in self.plan.ports)

    @property
    def issuer(self) -> LocalIssuer:
        """Signs the tokens that the nodes take. Raises SettingInvalid when its folder is broken."""
        return issuer_of(self.plan.data_dir)

    def start(self) -> Self:
        """Start all and return when every node is ready. Not to be called from within an event loop.

        Raises LocalStackError or another RankcastError, each one clear line, with nothing left running.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End all: the nodes, the worker, Valkey, PostgreSQL. A process that does not end in its time is killed."""
        for child in self._nodes:
            child.ask_to_end()
        self._nodes.clear()
        self._open.close()
        self._children.clear()

    def check(self) -> None:
        """Raise ChildDied when a process of ours has ended."""
        for child in self._children:
            if child.exit_code is not None:
                raise ChildDied(f"{child.program.name} died: {child.epitaph()} (its log: {child.program.log})")

    async def watch(self, every: float = 0.25) -> None:
        """Look at the processes every so many seconds until one dies: then raise ChildDied."""
        while True:
            self.check()
            await asyncio.sleep(every)

    def _start(self) -> None:
        folder = self.plan.data_dir
        _make(folder)
        claim = Claim(folder / "lock", f"the data folder {folder}")
        self._open.callback(claim.release)
        end_recorded(folder)
        self._open.callback(remove_record, folder)
        for port in self.plan.ports:
            check_port(port)
        self._open.callback(self._watchdog.close)
        self._start_stores(folder)
        issuer = self.issuer
        self._settings = self._make_settings(issuer)
        self._tell("migrating the database")
        asyncio.run(migrate(self._settings.database_url))
        self._tell("starting the refresh worker and the API" if self.plan.nodes == 1 else "starting the API nodes")
        self._start_services(folder, self._settings)
        self._note(replace(self._record, ready=True))

    def _start_stores(self, folder: Path) -> None:
        logs = folder / "logs"
        self._tell("starting PostgreSQL")
        postgres = EmbeddedPostgres(
            folder / "postgres",
            max_connections=100 + 20 * self.plan.nodes,
            log=logs / "postgres.log",
            watchdog=self._watchdog,
        )
        self._open.enter_context(postgres)
        self._note(self._record.with_process("PostgreSQL", postgres.pid))
        self._tell("starting Valkey")
        valkey = EmbeddedValkey(folder / "valkey", log=logs / "valkey.log", watchdog=self._watchdog)
        self._open.enter_context(valkey)
        self._note(self._record.with_process("Valkey", valkey.pid))
        self._note(
            replace(
                self._record,
                urls=self.urls,
                database_url=postgres.create_database(DATABASE),
                redis_url=valkey.url,
            )
        )
        self._children += [postgres.child, valkey.child]

    def _make_settings(self, issuer: LocalIssuer) -> Settings:
        chosen = {
            "database_url": self._record.database_url,
            "redis_url": self._record.redis_url,
            "issuer": issuer.issuer,
            "jwks_url": issuer.jwks_url,
            "client_ids": CLIENT_ID,
            "pictures_folder": str(self.plan.data_dir / "pictures"),
            "host": HOST,
            # All nodes leave at once: there is none to come back to.
            "drain_window": "1",
            **self.plan.settings,
        }
        return Settings.load({PREFIX + name.upper(): value for name, value in chosen.items()})

    def _start_services(self, folder: Path, settings: Settings) -> None:
        self._spawn("the refresh worker", "workers", settings, folder / "logs" / "worker.log", WORKER_PATIENCE)
        self._nodes += [
            self._spawn(
                f"the API node on port {port}",
                "api",
                replace(settings, port=port),
                folder / "logs" / f"node-{port}.log",
                NODE_PATIENCE,
            )
            for port in self.plan.ports
        ]
        for node, port in zip(self._nodes, self.plan.ports, strict=True):
            node.wait_until(partial(self._is_ready, port), READY_TIMEOUT)

    def _spawn(self, name: str, module: str, settings: Settings, log: Path, patience: float) -> Child:
        program = Program(
            name=name,
            command=(sys.executable, "-P", "-m", module),
            environ=ENVIRON | settings.environ(),
            log=log,
            folder=self.plan.data_dir,
            patience=patience,
            loud=("rankcast worker: ", "rankcast node: "),
        )
        child = Child(program, self._watchdog)
        self._open.callback(child.stop)
        self._children.append(child)
        self._note(self._record.with_process(name, child.pid))
        return child

    def _is_ready(self, port: int) -> bool:
        self.check()
        # Asked again and again: a client that reads the machine's certificates each time would take what the node needs to start.
        with closing(HTTPConnection(HOST, port, timeout=ASK_TIMEOUT)) as asking:
            try:
                asking.request("GET", "/readyz")
                return asking.getresponse().status == HTTPStatus.OK
            except (OSError, HTTPException):
                return False

    def _note(self, record: StackRecord) -> None:
        self._record = record
        record.write(self.plan.data_dir)


def check_port(port: int) -> None:
    """Raise PortTaken unless a node can listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        # As the node does: a port that waits out its old connections is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError as error:
            raise PortTaken(f"port {port} needs rights that this user lacks: choose another with --port") from error
        except (OSError, OverflowError) as error:
            raise PortTaken(f"port {port} is taken: choose another with --port") from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderInvalid(f"the data folder {folder} cannot be made: {error.strerror}") from error


def _say_nothing(_: str) -> None:
    return
