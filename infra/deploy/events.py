"""What happens in a stack and its layers, each event once, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from infra.deploy.account import asking

if TYPE_CHECKING:
    from collections.abc import Iterator

_STACK: Final = "AWS::CloudFormation::Stack"
_PAGES: Final = 50
"""Pages of events that one look reads at most: 5,000 events."""
# It failed only because something else had.
_FOLLOWED: Final = ("resource creation cancelled", "resource update cancelled", "embedded stack")


@dataclass(frozen=True, slots=True)
class Event:
    """One step of one resource. `layer` is the logical id of its nested stack, empty for the parent's own."""

    layer: str
    logical_id: str
    kind: str
    status: str
    reason: str

    @property
    def done(self) -> bool:
        """Whether the resource is where it was to go."""
        return self.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"}

    @property
    def failed(self) -> bool:
        """Whether this went wrong."""
        return self.status.endswith("_FAILED")


class Follower:
    """Reads a stack's events from now on. The layers are found by the parent's events about them."""

    def __init__(self, client: Any, stack: str) -> None:
        self._client = client
        self._layers = {stack: ""}
        self._seen: set[str] = set()
        self._known(stack)
        self.first_failure = ""
        """What failed and was no consequence of another failure, as a sentence; empty so far."""

    def _known(self, stack: str) -> None:
        """What has happened here and in the layers that are there is no news. Not by its time: two moments may bear the same."""
        gone: set[str] = set()
        for one in self._read(stack):
            self._seen.add(one["EventId"])
            layer = _layer_of(one, stack)
            if layer is None:
                continue
            if one["ResourceStatus"] == "DELETE_COMPLETE":
                gone.add(layer)
            elif layer not in gone and layer not in self._layers:
                self._layers[layer] = one["LogicalResourceId"]
                self._known(layer)

    def news(self) -> Iterator[Event]:
        """What happened since the last look, oldest first. Raises AccountRefused."""
        looked: set[str] = set()
        # A layer that is met on the way is looked at in the same go: this may be the last.
        while waiting := [one for one in self._layers.items() if one[0] not in looked]:
            for stack, layer in waiting:
                looked.add(stack)
                yield from self._news_of(stack, layer)

    def _news_of(self, stack: str, layer: str) -> Iterator[Event]:
        for one in reversed([one for one in self._read(stack) if one["EventId"] not in self._seen]):
            self._seen.add(one["EventId"])
            yield self._heard(one, stack, layer)

    def _heard(self, one: dict[str, Any], stack: str, layer: str) -> Event:
        reason = one.get("ResourceStatusReason", "")
        event = Event(layer, one["LogicalResourceId"], one["ResourceType"], one["ResourceStatus"], reason)
        met = _layer_of(one, stack)
        if met is not None:
            self._layers.setdefault(met, event.logical_id)
        if event.failed and not self.first_failure and not reason.lower().startswith(_FOLLOWED):
            self.first_failure = f"{'/'.join(filter(None, (layer, event.logical_id)))}: {reason or event.status}"
        return event

    def _read(self, stack: str) -> list[dict[str, Any]]:
        """Newest first, up to the first that is known."""
        found: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        for _ in range(_PAGES):
            with asking(f"events of {stack}"):
                page = self._client.describe_stack_events(StackName=stack, **token)
            found += page["StackEvents"]
            if not page.get("NextToken") or any(one["EventId"] in self._seen for one in page["StackEvents"]):
                break
            token = {"NextToken": page["NextToken"]}
        return found


def _layer_of(one: dict[str, Any], stack: str) -> str | None:
    """The nested stack that an event is about."""
    physical: str = one.get("PhysicalResourceId", "")
    # A stack speaks of itself as well, under its own id.
    if one["ResourceType"] != _STACK or physical in ("", one.get("StackId"), stack):
        return None
    return physical
