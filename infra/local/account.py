"""Which system user PostgreSQL runs as: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

from infra.local.errors import FolderInvalid, LocalStackError
from infra.local.process import Account

if TYPE_CHECKING:
    from pathlib import Path

NAME = "pgserver"
FALLBACK = "nobody"
USERADD_TIMEOUT = 30.0


def server_account(folder: Path) -> Account | None:
    """The account for a server whose data is in `folder`: None means ours, which is right for anybody but root.

    For root it is the owner of the data that is there already, else the user `pgserver`, which is created when missing.
    Raises LocalStackError when there is no such user and none can be made.
    """
    if os.geteuid() != 0:
        return None
    if folder.exists() and folder.stat().st_uid != 0:
        owner = folder.stat()
        return Account(_name_of(owner.st_uid), owner.st_uid, owner.st_gid)
    entry = _find(NAME) or _create() or _find(FALLBACK)
    if entry is None:
        raise LocalStackError(f"PostgreSQL does not run as root, and a user {NAME} cannot be created")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def open_the_way(path: Path) -> None:
    """Let every user pass through (not list) the folders above `path`, those that we own: the server's user must.

    Raises FolderInvalid where that is not possible.
    """
    for folder in path.parents:
        mode = folder.stat().st_mode
        if mode & stat.S_IXOTH:
            continue
        try:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
        except OSError as error:
            raise FolderInvalid(f"the server's user cannot pass through {folder}: {error.strerror}") from error


def _find(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _create() -> pwd.struct_passwd | None:
    useradd = shutil.which("useradd", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if useradd is None:
        return None
    command = (useradd, "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", NAME)
    try:
        subprocess.run(  # noqa: S603 - a fixed command
            command, check=False, capture_output=True, timeout=USERADD_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalStackError(f"the user {NAME} cannot be created: {error}") from error
    return _find(NAME)
