from __future__ import annotations

import pytest

from infra.pictures_memory import MemoryPictures
from realtime.core.errors import PicturesUnavailable, TicketInvalid
from realtime.core.pictures import Upload

ANN = Upload("ann", "ab" * 32, 1_764_100_000_123)


async def test_where_it_is_away_every_call_says_so() -> None:
    pictures = MemoryPictures(away=True)
    calls = (
        pictures.ticket(ANN, "image/png"),
        pictures.uploaded(ANN),
        pictures.publish(ANN, {64: b""}),
        pictures.discard(ANN),
    )
    for call in calls:
        with pytest.raises(PicturesUnavailable):
            await call
    assert (pictures.uploads, pictures.made) == ({}, {})


async def test_without_a_ticket_nothing_is_taken() -> None:
    pictures = MemoryPictures()
    with pytest.raises(TicketInvalid):
        pictures.take({"key": ANN.key, "Content-Type": "image/png"}, b"x")
