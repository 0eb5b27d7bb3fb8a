"""What an X-Ray of an emulator was told."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulators import REGION
from tests.harness import eventually
from tests.queues import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.emulators import Emulator


class XRay:
    """What an emulator was told of traces."""

    def __init__(self, moto: Emulator) -> None:
        self._client = moto.client("xray")
        self.settings = {"traces": "xray", "traces_endpoint": moto.url, "aws_region": REGION}

    async def segments(
        self, trace: str, operations: set[str], several: Collection[str] = ()
    ) -> dict[str, dict[str, Any]]:
        """The documents of a trace by what they are of, once all of these are there. Of `several` there may be more than one."""

        async def found() -> dict[str, dict[str, Any]] | None:
            answer = await asyncio.to_thread(self._client.batch_get_traces, TraceIds=[trace])
            documents = [json.loads(one["Document"]) for trace in answer["Traces"] for one in trace["Segments"]]
            named = {one["annotations"]["operation"]: one for one in documents}
            once = [one["annotations"]["operation"] for one in documents]
            assert all(once.count(name) == 1 for name in named.keys() - set(several)), documents
            return named if named.keys() >= operations else None

        segments: dict[str, dict[str, Any]] = await eventually(found)
        return segments

    async def all(self) -> set[str]:
        now = int(time.time())
        answer = await asyncio.to_thread(self._client.get_trace_summaries, StartTime=now - 3600, EndTime=now + 3600)
        return {one["Id"] for one in answer["TraceSummaries"]}


@pytest.fixture
def xray(moto: Emulator, monkeypatch: pytest.MonkeyPatch) -> XRay:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return XRay(moto)


def new_trace() -> str:
    return f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"


def joined(segments: dict[str, dict[str, Any]], *chain: str) -> None:
    """Each is a child of the one before, began after it, and is of the same trace."""
    for above, below in itertools.pairwise(chain):
        assert segments[below]["parent_id"] == segments[above]["id"], (above, below)
        assert segments[below]["start_time"] >= segments[above]["start_time"]
    assert len({segments[one]["trace_id"] for one in chain}) == 1
    assert all(one["end_time"] >= one["start_time"] for one in segments.values())
