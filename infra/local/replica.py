"""A streaming replica of the embedded PostgreSQL: a real standby, for reads and for failover."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.local.postgres import SUPERUSER, EmbeddedPostgres

if TYPE_CHECKING:
    from pathlib import Path


class EmbeddedReplica(EmbeddedPostgres):
    """A hot standby that streams from `primary`, which must be running when it is first started.

    It answers reads, and says `cannot execute … in a read-only transaction` to writes.
    """

    def __init__(self, primary: EmbeddedPostgres, data_dir: Path) -> None:
        super().__init__(data_dir, max_connections=primary.max_connections)
        self._primary = primary

    def populate(self, folder: Path) -> None:
        """Copy the running primary, with the log written meanwhile. Raises ServerFailed."""
        self.run_tool("pg_basebackup", "-D", str(folder), "-R", "-X", "stream", "-c", "fast", "-d", self._source())

    def server_options(self) -> dict[str, str]:
        """The primary's place is said anew at each start: its socket may have moved."""
        return {**super().server_options(), "primary_conninfo": self._source()}

    def _source(self) -> str:
        folder = str(self._primary.socket_dir).replace("\\", r"\\").replace("'", r"\'")
        return f"host='{folder}' user={SUPERUSER} application_name=replica"


def start_replica(primary: EmbeddedPostgres, data_dir: Path) -> EmbeddedReplica:
    """Start a replica of `primary` over `data_dir`, copying the primary into it when it is empty.

    Raises as EmbeddedPostgres.start does.
    """
    return EmbeddedReplica(primary, data_dir).start()
