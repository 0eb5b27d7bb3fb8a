"""What a deployment would change, worked out by reading alone: a change set is a thing in the account, and a first one leaves a stack.

It compares templates and parameters, so it knows what differs and not what CloudFormation would make anew because of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.deploy.account import asking
from infra.deploy.stack import Change, State
from infra.deploy.templates import STACK, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.deploy.templates import Templates


def forecast(client: Any, state: State | None, templates: Templates, parent: str) -> list[Change]:
    """The changes of a stack and its layers, as far as templates tell. Raises AccountRefused."""
    deployed = {} if state is None or not state.exists else _deployed(client, state.stack_id)
    changes = list(_differences("", deployed, templates.parsed(parent)))
    nested = {} if not deployed else _nested(client, state.stack_id if state else "")
    for logical, file in templates.layers(parent).items():
        before = _deployed(client, nested[logical]) if logical in nested else {}
        changes += _differences(logical, before, templates.parsed(file))
    return changes


def changed_parameters(state: State | None, given: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Of what is given, what is another value than the stack has: before and after."""
    before = {} if state is None else state.parameters
    return {name: (before.get(name, ""), value) for name, value in given.items() if before.get(name) != value}


def _deployed(client: Any, stack: str) -> dict[str, Any]:
    with asking(f"template of {stack}"):
        body = client.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    return body if isinstance(body, dict) else parse(body)


def _nested(client: Any, stack: str) -> dict[str, str]:
    found: dict[str, str] = {}
    with asking(f"resources of {stack}"):
        for page in client.get_paginator("list_stack_resources").paginate(StackName=stack):
            for one in page["StackResourceSummaries"]:
                if one["ResourceType"] == STACK and one.get("PhysicalResourceId"):
                    found[one["LogicalResourceId"]] = one["PhysicalResourceId"]
    return found


def _differences(layer: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    was, will = before.get("Resources", {}), after.get("Resources", {})
    for logical, one in will.items():
        if logical not in was:
            yield Change("Add", layer, logical, one["Type"], replaced=False)
        elif why := _differing(was[logical], one):
            yield Change("Modify", layer, logical, one["Type"], replaced=False, why=why)
    for logical, one in was.items():
        if logical not in will:
            yield Change("Remove", layer, logical, one["Type"], replaced=False)


def _differing(was: Mapping[str, Any], will: Mapping[str, Any]) -> tuple[str, ...]:
    before, after = dict(was.get("Properties", {})), dict(will.get("Properties", {}))
    if will["Type"] == STACK:
        # An address there, a file here: the layer itself is compared.
        before.pop("TemplateURL", None)
        after.pop("TemplateURL", None)
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    names |= {name for name in was.keys() | will.keys() if name != "Properties" and was.get(name) != will.get(name)}
    return tuple(sorted(names))
