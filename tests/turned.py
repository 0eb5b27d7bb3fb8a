"""A loop that never waits for a timer."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class TurnedLoop(asyncio.SelectorEventLoop):
    """Its time stands still while anything can run, and is turned on to the next timer when all wait.

    A test in which nothing is left to wait for fails at once.
    """

    def __init__(self) -> None:
        self._turned = 0.0
        super().__init__(_Selector(self._turn))

    def time(self) -> float:
        return self._turned

    def _turn(self, seconds: float) -> None:
        self._turned += seconds


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    def __init__(self, turn: Callable[[float], None]) -> None:
        super().__init__()
        self._turn = turn

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everything waits, and nothing is left that could happen")
            self._turn(max(0.0, timeout))
        return ready


async def settle() -> None:
    """Return when everything that can run has run."""
    await asyncio.sleep(1e-6)
