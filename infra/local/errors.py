"""What can go wrong with the one-machine stack: each error is one line that a person can act on.

LocalStackError
├── FolderInvalid     the data folder cannot be used: not writable, another version's, not ours
├── FolderBusy        another process works in it
├── PortTaken         somebody else listens there
├── ServerFailed      a server did not start
└── ChildDied         a server that had started ended by itself
"""

from __future__ import annotations

from typing import ClassVar

from realtime.core.errors import RankcastError


class LocalStackError(RankcastError):
    """The base of all."""

    code: ClassVar[str] = "local_stack"


class FolderInvalid(LocalStackError):
    """The data folder cannot be used as it is."""

    code: ClassVar[str] = "folder_invalid"


class FolderBusy(LocalStackError):
    """Another process works in the data folder."""

    code: ClassVar[str] = "folder_busy"


class PortTaken(LocalStackError):
    """Somebody else listens on the port."""

    code: ClassVar[str] = "port_taken"


class ServerFailed(LocalStackError):
    """A server did not start; the message carries its last word."""

    code: ClassVar[str] = "server_failed"


class ChildDied(LocalStackError):
    """A server that had started ended by itself."""

    code: ClassVar[str] = "child_died"
