"""Announcements within one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from realtime.core.model import BoardKey
    from realtime.core.ports import Channel


class MemoryBus:
    """The port `Bus`. What is published has been heard when `publish` returns."""

    def __init__(self) -> None:
        self._listeners: dict[tuple[BoardKey, Channel], tuple[Callable[[bytes], None], Callable[[], None]]] = {}

    async def subscribe(
        self, key: BoardKey, channel: Channel, heard: Callable[[bytes], None], lost: Callable[[], None]
    ) -> None:
        """See the port."""
        self._listeners[key, channel] = heard, lost

    async def unsubscribe(self, key: BoardKey, channel: Channel, heard: Callable[[bytes], None]) -> None:
        """See the port."""
        listener = self._listeners.get((key, channel))
        if listener is not None and listener[0] == heard:
            del self._listeners[key, channel]

    def publish(self, key: BoardKey, channel: Channel, announcement: bytes) -> None:
        """Say something on one of a board's channels."""
        if (key, channel) in self._listeners:
            heard, _ = self._listeners[key, channel]
            heard(announcement)

    def lose(self) -> None:
        """Tell every listener that it may have missed something, as a broken connection would."""
        for _, lost in list(self._listeners.values()):
            lost()
