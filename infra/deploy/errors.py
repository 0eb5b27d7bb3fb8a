"""What can go wrong while deploying: each error is one line that a person can act on.

DeployError
├── ToolMissing       a program that packaging needs is not on this machine
├── PackagingFailed   a package could not be made
├── BundleTooLarge    the functions' package is larger than Lambda takes
├── AccountRefused    AWS refused a call, or could not be asked
├── StackBusy         the stack is being changed by somebody else, or is beyond an update
└── StackFailed       a change was begun and did not succeed
"""

from __future__ import annotations

from typing import ClassVar

from realtime.core.errors import RankcastError


class DeployError(RankcastError):
    """The base of all."""

    code: ClassVar[str] = "deploy"


class ToolMissing(DeployError):
    """A program that packaging needs is not on this machine."""

    code: ClassVar[str] = "tool_missing"


class PackagingFailed(DeployError):
    """A package could not be made; the message carries the tool's last word."""

    code: ClassVar[str] = "packaging_failed"


class BundleTooLarge(DeployError):
    """The functions' package is larger than Lambda takes."""

    code: ClassVar[str] = "bundle_too_large"


class AccountRefused(DeployError):
    """AWS refused a call, or could not be asked."""

    code: ClassVar[str] = "account_refused"


class StackBusy(DeployError):
    """The stack is being changed by somebody else, or is in a state that no update leaves."""

    code: ClassVar[str] = "stack_busy"


class StackFailed(DeployError):
    """A change was begun and did not succeed; the message says which part and why."""

    code: ClassVar[str] = "stack_failed"
