"""Where a server's unix socket lies: in its own folder, unless the path would be too long for the system."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from infra.local.errors import FolderInvalid

if TYPE_CHECKING:
    from infra.local.process import Account

SOCKET_NAME = ".s.PGSQL.5432"
LONGEST = 100
"""Bytes of a socket's path that every system takes (macOS 104, Linux 108, with the closing zero)."""


def socket_folder(data_dir: Path, account: Account | None) -> Path:
    """A folder for the socket that belongs to the server's user alone, the same for each start over `data_dir`.

    Raises FolderInvalid when it cannot be made or is somebody else's.
    """
    if len(os.fsencode(data_dir / SOCKET_NAME)) <= LONGEST and "," not in str(data_dir):
        return data_dir
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"rankcast-{digest}"
    owner = account.uid if account else os.geteuid()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.lstat().st_uid == os.geteuid() and account is not None:
            os.chown(folder, account.uid, account.gid, follow_symlinks=False)
        found = folder.lstat()
    except OSError as error:
        raise FolderInvalid(f"the socket folder {folder} cannot be made: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or stat.S_IMODE(found.st_mode) != 0o700:  # noqa: PLR2004 - a mode
        raise FolderInvalid(f"the socket folder {folder} is somebody else's: move it away")
    return folder
