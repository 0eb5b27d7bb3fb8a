from __future__ import annotations

from realtime.core.announcement import Origin
from realtime.gateway.pushing import untold


def test_where_nobody_wants_to_know_nothing_is_told() -> None:
    assert untold(Origin(1))() is None  # type: ignore[func-returns-value]
