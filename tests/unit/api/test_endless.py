from __future__ import annotations

import pytest

from api.endless import is_endless


@pytest.mark.parametrize(
    ("path", "endless"),
    [
        ("/v1/boards/arcade/live", True),
        ("/v1/boards/live/live", True),
        ("/v1/boards/live", False),
        ("/v1/boards/live/top", False),
        ("/v1/boards/arcade/players/live", False),
        ("/v1/boards/arcade/live/", False),
        ("/v1/players/live", False),
    ],
)
def test_server_sent_events_have_no_end(path: str, endless: bool) -> None:
    assert is_endless(path) is endless
