"""Stacks through change sets: what would change is shown before anything does, and followed while it does."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from infra.deploy.account import asking, refusal
from infra.deploy.errors import AccountRefused, StackBusy, StackFailed
from infra.deploy.events import Event, Follower

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROPOSAL_TIMEOUT: Final = 900.0
"""Seconds until CloudFormation must have worked out what a change would do."""
CHANGE_TIMEOUT: Final = 7200.0
"""Seconds that a change may take: a database of three machines takes half an hour, a distribution ten minutes."""

_NOTHING: Final = ("didn't contain changes", "no updates are to be performed", "no changes")
_STACK: Final = "AWS::CloudFormation::Stack"
_READY: Final = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
)


@dataclass(frozen=True, slots=True)
class State:
    """A stack as it stands."""

    name: str
    stack_id: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def exists(self) -> bool:
        """False for a name that was only proposed."""
        return self.status != "REVIEW_IN_PROGRESS"


@dataclass(frozen=True, slots=True)
class Template:
    """A template as CloudFormation is given it: TemplateURL or TemplateBody; `declared` are its parameters."""

    given: Mapping[str, str]
    declared: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one resource. `action` is Add, Modify, Remove, Import or Dynamic; `layer` the nested stack, empty for the parent."""

    action: str
    layer: str
    logical_id: str
    kind: str
    replaced: bool
    """Whether it is made anew: what it holds is then gone, unless the template retains it."""
    why: tuple[str, ...] = ()
    """The properties that differ."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change set that was worked out and not yet executed."""

    stack: str
    change_set: str
    creates: bool
    changes: tuple[Change, ...]


class Stacks:
    """The stacks of one region. `interval`: seconds between two looks at what is under way."""

    def __init__(self, client: Any, *, interval: float = 3.0) -> None:
        self._client = client
        self._interval = interval

    def state(self, name: str) -> State | None:
        """A stack by its name, None when there is none. Raises AccountRefused."""
        try:
            with asking(f"stack {name}"):
                (found,) = self._client.describe_stacks(StackName=name)["Stacks"]
        except AccountRefused as error:
            if "does not exist" in refusal(error)[1]:
                return None
            raise
        if found["StackStatus"] == "DELETE_COMPLETE":
            return None
        return State(
            name=name,
            stack_id=found["StackId"],
            status=found["StackStatus"],
            parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", [])},
            outputs={one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])},
        )

    def propose(self, name: str, template: Template, parameters: Mapping[str, str]) -> Proposal | None:
        """Have a change worked out; None when there is nothing to change.

        parameters: what is given now. Of the others that the template declares, an update keeps what the stack has.
        Raises StackBusy, StackFailed where the template or a parameter is refused, AccountRefused.
        """
        state = self.state(name)
        if state is not None and state.exists and state.status not in _READY:
            raise StackBusy(f"stack {name} is {state.status}: {_way_out(state.status)}")
        creates = state is None or not state.exists
        kept = {} if state is None else state.parameters
        change_set = f"deploy-{uuid.uuid4().hex[:12]}"
        with asking(f"change of {name}"):
            self._client.create_change_set(
                StackName=name,
                ChangeSetName=change_set,
                ChangeSetType="CREATE" if creates else "UPDATE",
                IncludeNestedStacks=True,
                **template.given,
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
                Parameters=_members(parameters, template.declared, set() if creates else set(kept)),
            )
        described = self._worked_out(name, change_set)
        if described["Status"] != "FAILED":
            return Proposal(name, change_set, creates, tuple(self._changes(described, "")))
        self.discard(Proposal(name, change_set, creates, ()))
        reason = str(described.get("StatusReason", ""))
        if not any(words in reason.lower() for words in _NOTHING):
            raise StackFailed(f"the change of {name} is refused: {reason}")
        return None

    def discard(self, proposal: Proposal) -> None:
        """Forget a proposal, and the stack that was only proposed with it. Raises AccountRefused."""
        with asking(f"change of {proposal.stack}"):
            self._client.delete_change_set(StackName=proposal.stack, ChangeSetName=proposal.change_set)
            if proposal.creates:
                self._client.delete_stack(StackName=proposal.stack)

    def execute(self, proposal: Proposal, tell: Callable[[Event], None], *, timeout: float = CHANGE_TIMEOUT) -> State:
        """Make the change and return the stack as it then stands; `tell` hears every event, nested stacks' too.

        Raises StackFailed, naming what failed first; StackBusy when it takes longer than `timeout` seconds: it goes on then.
        """
        follower = Follower(self._client, proposal.stack)
        with asking(f"change of {proposal.stack}"):
            self._client.execute_change_set(StackName=proposal.stack, ChangeSetName=proposal.change_set)
        until = time.monotonic() + timeout
        while True:
            state = self.state(proposal.stack)
            for event in follower.news():
                tell(event)
            if state is None or not (state.status.endswith("_IN_PROGRESS")):
                break
            if time.monotonic() > until:
                raise StackBusy(
                    f"stack {proposal.stack} still is {state.status} after {timeout:.0f} s; it goes on by itself"
                )
            time.sleep(self._interval)
        if state is None or state.status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            status = "gone" if state is None else state.status
            raise StackFailed(f"stack {proposal.stack} is {status}: {follower.first_failure or 'it does not say why'}")
        return state

    def _worked_out(self, name: str, change_set: str) -> dict[str, Any]:
        until = time.monotonic() + PROPOSAL_TIMEOUT
        while True:
            with asking(f"change of {name}"):
                described: dict[str, Any] = self._client.describe_change_set(StackName=name, ChangeSetName=change_set)
            if described["Status"] in {"CREATE_COMPLETE", "FAILED"}:
                return described
            if time.monotonic() > until:
                raise StackBusy(f"the change of {name} was not worked out within {PROPOSAL_TIMEOUT:.0f} s")
            time.sleep(self._interval)

    def _changes(self, described: dict[str, Any], layer: str) -> list[Change]:
        found: list[Change] = []
        while True:
            for one in described.get("Changes", []):
                resource = one["ResourceChange"]
                if resource.get("ChangeSetId"):
                    with asking(f"change of {resource['LogicalResourceId']}"):
                        nested = self._client.describe_change_set(ChangeSetName=resource["ChangeSetId"])
                    found += self._changes(nested, f"{layer}{resource['LogicalResourceId']}")
                found.append(_change(resource, layer))
            if not described.get("NextToken"):
                return found
            with asking("the rest of a change"):
                described = self._client.describe_change_set(
                    ChangeSetName=described["ChangeSetId"], NextToken=described["NextToken"]
                )


def _change(resource: Mapping[str, Any], layer: str) -> Change:
    details = resource.get("Details", [])
    targets = {one.get("Target", {}).get("Name") or one.get("Target", {}).get("Attribute", "") for one in details}
    return Change(
        action=resource["Action"],
        layer=layer,
        logical_id=resource["LogicalResourceId"],
        kind=resource["ResourceType"],
        replaced=resource.get("Replacement") in {"True", "Conditional"} and resource["ResourceType"] != _STACK,
        why=tuple(sorted(filter(None, targets))),
    )


def _members(given: Mapping[str, str], declared: Mapping[str, Any], kept: set[str]) -> list[dict[str, Any]]:
    """Parameters as CloudFormation wants them. Raises StackFailed naming what is missing or unknown."""
    if unknown := sorted(set(given) - set(declared)):
        raise StackFailed(f"the template has no parameter {unknown[0]}")
    missing = [
        name for name, one in declared.items() if name not in given and name not in kept and "Default" not in one
    ]
    if missing:
        raise StackFailed(f"the first deployment needs {' and '.join(missing)}")
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()] + [
        {"ParameterKey": name, "UsePreviousValue": True} for name in declared if name in kept and name not in given
    ]


def _way_out(status: str) -> str:
    if status.endswith("_IN_PROGRESS"):
        return "wait until that has ended"
    if status == "UPDATE_ROLLBACK_FAILED":
        return "continue its rollback (aws cloudformation continue-update-rollback)"
    return "its making failed; delete it (aws cloudformation delete-stack) and deploy anew"
