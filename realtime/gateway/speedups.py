"""The node's two inner loops, in C where the extension was built and in Python where it was not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from realtime.core import tracker
from realtime.core.errors import SettingInvalid
from realtime.gateway import sending

try:
    from realtime.gateway import _speedups
except ImportError:  # built only where there is a compiler
    _speedups = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Speedups:
    """Which of the twins a process runs. They differ in speed alone."""

    name: Literal["c", "python"]
    send_frames: Callable[[array[int], int, int, bytes], list[tuple[int, int]]]
    tracker: type[tracker.Tracker]


def choose(wanted: str) -> Speedups:
    """The twin that the setting `speedups` asks for: `c`, `python`, or `auto`, which is C where it was built.

    Raises SettingInvalid for another word, and for `c` where the extension was not built.
    """
    if wanted not in ("auto", "c", "python"):
        raise SettingInvalid(f"speedups must be auto, c or python, not {wanted!r}")
    if wanted == "python" or (wanted == "auto" and _speedups is None):
        return Speedups("python", sending.send_frames, tracker.Tracker)
    if _speedups is None:
        raise SettingInvalid(
            "speedups is c, but the extension was not built: install again where there are a C compiler"
            " and Python's headers, or set it to auto"
        )
    return Speedups("c", _speedups.send_frames, _speedups.Tracker)
