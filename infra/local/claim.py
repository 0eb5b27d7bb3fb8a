"""One owner a folder: held by a lock on a file beside it, and given back by the system when the owner is gone."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from infra.local.errors import FolderBusy, FolderInvalid

if TYPE_CHECKING:
    from pathlib import Path


class Claim:
    """Holds the lock file `path` until `release` or the end of this process."""

    def __init__(self, path: Path, what: str) -> None:
        """Take it. Raises FolderBusy when another process has it, FolderInvalid when the file cannot be made."""
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FolderInvalid(f"{what} cannot be used: {error.strerror or error}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise FolderBusy(f"{what} is in use by another process") from error

    def release(self) -> None:
        """Let others have it. The file stays: removing it would let two owners hold two files of one name."""
        os.close(self._descriptor)
