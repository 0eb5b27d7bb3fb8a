"""What many connections watch together: its recent states, and each frame made once."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from realtime.core import delta, messages

if TYPE_CHECKING:
    from realtime.core.model import RankMode, Row
    from realtime.core.window import Window

STATES: Final = 512
"""Distinct states kept, so that whoever fell behind gets one merged delta."""


@dataclass(slots=True)
class Topic:
    """The first `limit` rows of a board. `window` is the newest; `shown` the version since which its rows are as they are."""

    name: str
    limit: int
    mode: RankMode
    window: Window | None = None
    shown: int = 0
    frames_made: int = 0
    _versions: list[int] = field(default_factory=list)
    _rows: list[tuple[Row, ...]] = field(default_factory=list)
    _frames: dict[int, bytes] = field(default_factory=dict)
    _snapshot: bytes | None = None

    def advance(self, window: Window, mode: RankMode) -> bool:
        """Take the next window; whether its rows differ for this topic, or an epoch began."""
        rows = window.rows[: self.limit]
        before = self.window
        self.window = window
        # A frame names the version and the total that it leads to: with the next version it is another one.
        self._snapshot, self._frames = None, {}
        if before is None or before.epoch != window.epoch or mode is not self.mode:
            self.mode = mode
            self._versions, self._rows = [], []
        elif before.rows is window.rows or self._rows[-1] == rows:
            return False
        self._versions.append(window.version)
        self._rows.append(rows)
        if len(self._versions) > STATES:
            del self._versions[0], self._rows[0]
        self.shown = window.version
        return True

    def frame(self, epoch: int, version: int) -> bytes | None:
        """What brings a watcher from there to the newest state; None if it shows the same. Made once for all."""
        window = self._newest()
        if epoch != window.epoch:
            return self.snapshot()
        if version >= self.shown:
            return None
        made = self._frames.get(version)
        if made is None:
            made = self._frames[version] = self._merged(window, version)
            self.frames_made += 1
        return made

    def _merged(self, window: Window, version: int) -> bytes:
        state = bisect_right(self._versions, version) - 1
        if state < 0:
            return self.snapshot()
        frame = messages.delta(self.name, window, version, delta.diff(self._rows[state], self._rows[-1]))
        whole = self.snapshot() if len(frame) > _WORTH_COMPARING else None
        return whole if whole is not None and len(whole) < len(frame) else frame

    def snapshot(self) -> bytes:
        """The whole list. Made once a version."""
        if self._snapshot is None:
            self._snapshot = messages.snapshot(self.name, self._newest(), self.limit, self.mode)
            self.frames_made += 1
        return self._snapshot

    def check(self) -> bytes:
        """Version, total and checksum of the newest state."""
        return messages.check(self.name, self._newest(), self.limit)

    def _newest(self) -> Window:
        if self.window is None:
            raise LookupError(f"{self.name} has no window yet")
        return self.window


_WORTH_COMPARING: Final = 1024
