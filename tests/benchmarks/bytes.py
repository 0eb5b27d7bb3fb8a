"""What a viewer receives over a whole contest, version by version, against the whole top 100 sent again and again.

Every score of the large contest is a version of its own, waited for at two real viewers before the next: one that takes plain
frames and one that offered permessage-deflate. Counted are the bytes on the wire, frame headers included, with checks off and
no conflation; theirs are the bodies alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from realtime.core import messages
from realtime.core.model import WINDOW
from tests.benchmarks.audience import LIVE, audience, port_of
from tests.benchmarks.hot import hot_board
from tests.benchmarks.rig import Figure, full, rig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.audience import Audience
    from tests.benchmarks.hot import Hot

CONTEST = Path(__file__).parents[1] / "data" / "contest-online.events.ndjson"
DOCUMENT = {
    "columns": [{"name": "solved", "direction": "desc"}, {"name": "penalty", "direction": "asc"}],
    "operator": "best",
}
DEFLATE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


async def run() -> list[Figure]:
    async with (
        rig() as stack,
        hot_board(stack, "contest", document=DOCUMENT) as hot,
        stack.node(tick_ms=0, check_every=3600) as url,
        audience(port_of(url), 1, **LIVE, say=[hot.watch(WINDOW)]) as plain,
        audience(port_of(url), 1, **LIVE, say=[hot.watch(WINDOW)], extensions=DEFLATE) as deflated,
    ):
        lists = Lists()
        counted = [0, 0]
        for score in scores():
            await hot.apply([score])
            if await lists.changed(hot):
                for number, viewer in enumerate((plain, deflated)):
                    counted[number] += await received(viewer)
    ours = [
        ("deltas", "whenever the top changed", counted[0], lists.on_change, "≤ 0.025"),
        ("deltas", "on every score", counted[0], lists.on_score, "≤ 0.004"),
        ("deltas with permessage-deflate", "whenever the top changed", counted[1], lists.on_change, "≤ 0.02"),
    ]
    return [
        Figure(
            f"bytes to a viewer, {lists.scores:,} scores, {lists.changes:,} versions of the top: {what} : top-100 JSON {when}",
            f"{count / 1e6:.2f} MB",
            f"{beside / 1e6:.1f} MB",
            count / beside,
            target,
        )
        for what, when, count, beside, target in ours
    ]


class Lists:
    """What whole lists would have taken."""

    def __init__(self) -> None:
        self.scores = self.changes = self.on_change = self.on_score = self.size = 0
        self.rows: object = ()

    async def changed(self, hot: Hot) -> bool:
        """Count a score; whether the top is another one now."""
        window = await hot.window()
        self.scores += 1
        different = window.rows != self.rows
        if different:
            self.rows = window.rows
            topic = hot.watch(WINDOW)["view"]
            self.size = len(messages.snapshot(topic, window, WINDOW, hot.board.spec.ranks))
            self.changes += 1
            self.on_change += self.size
        self.on_score += self.size
        return different


def scores() -> Iterator[tuple[str, tuple[int, ...], bytes]]:
    for line in CONTEST.read_text().splitlines()[: full(10**6, 1500)]:
        event = json.loads(line)
        yield event["player"], (event["solved"], event["penalty"]), orjson.dumps({"name": event["name"]})


async def received(viewer: Audience) -> int:
    """Bytes of the one frame that a version made."""
    viewer.tell("expect 1")
    seen = await viewer.answer("got")
    if seen["uneven"]:
        raise RuntimeError(f"a version was to be one frame: {seen}")
    return int(seen["bytes"])
