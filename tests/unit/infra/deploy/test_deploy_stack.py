"""Decisions about stacks that need no account; what CloudFormation makes of them is in tests/integration/test_deploy.py."""

from __future__ import annotations

from typing import Any

import pytest

from infra.deploy.errors import StackFailed
from infra.deploy.forecast import changed_parameters
from infra.deploy.stack import Change, Stacks, State, Template


class Answers:
    """Change sets as AWS answers with them: on several pages, with those of layers inside. The emulator has neither."""

    def __init__(self, described: dict[str, list[dict[str, Any]]]) -> None:
        self.described = described
        self.asked: dict[str, Any] = {}

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - as boto3 has it
        parameters = [
            {"ParameterKey": "Size", "ParameterValue": "small"},
            {"ParameterKey": "Gone", "ParameterValue": "x"},
        ]
        return {"Stacks": [{"StackId": StackName, "StackStatus": "UPDATE_COMPLETE", "Parameters": parameters}]}

    def create_change_set(self, **asked: Any) -> None:
        self.asked = asked

    def describe_change_set(self, ChangeSetName: str, StackName: str = "", NextToken: str = "0") -> dict[str, Any]:  # noqa: N803 - as boto3 has it
        pages = self.described.get(ChangeSetName) or self.described["parent"]
        at = int(NextToken)
        more = {"NextToken": str(at + 1)} if at + 1 < len(pages) else {}
        return {"Status": "CREATE_COMPLETE", "ChangeSetId": ChangeSetName, "StackName": StackName, **pages[at], **more}


def change(logical: str, action: str = "Modify", kind: str = "AWS::SQS::Queue", **more: Any) -> dict[str, Any]:
    return {
        "ResourceChange": {"Action": action, "LogicalResourceId": logical, "ResourceType": kind, "Details": [], **more}
    }


def test_every_page_and_every_layer_of_a_change_is_shown() -> None:
    nested = change("Data", kind="AWS::CloudFormation::Stack", ChangeSetId="nested", Replacement="Conditional")
    details = [{"Target": {"Attribute": "Properties", "Name": "Engine"}}, {"Target": {"Attribute": "Tags"}}]
    answers = Answers(
        {
            "parent": [{"Changes": [nested]}, {"Changes": [change("Topic", "Add", "AWS::SNS::Topic")]}],
            "nested": [{"Changes": [change("Table", Replacement="True", Details=details)]}],
        }
    )
    proposal = Stacks(answers, interval=0).propose("s", Template({"TemplateURL": "u"}, {"Size": {}}), {})
    assert proposal is not None
    assert set(proposal.changes) == {
        Change("Modify", "Data", "Table", "AWS::SQS::Queue", replaced=True, why=("Engine", "Tags")),
        # A layer is not made anew because something in it may be.
        Change("Modify", "", "Data", "AWS::CloudFormation::Stack", replaced=False),
        Change("Add", "", "Topic", "AWS::SNS::Topic", replaced=False),
    }


def test_an_update_keeps_what_was_chosen_unless_the_template_knows_it_no_more() -> None:
    answers = Answers({"parent": [{"Changes": []}]})
    declared = {"Size": {"Default": "small"}, "Nodes": {"Default": 2}, "Image": {}}
    Stacks(answers, interval=0).propose("s", Template({"TemplateURL": "u"}, declared), {"Image": "i"})
    assert answers.asked["Parameters"] == [
        {"ParameterKey": "Image", "ParameterValue": "i"},
        {"ParameterKey": "Size", "UsePreviousValue": True},
    ]
    assert answers.asked["IncludeNestedStacks"] is True
    assert answers.asked["ChangeSetType"] == "UPDATE"


def test_what_a_template_newly_wants_is_named() -> None:
    answers = Answers({"parent": [{"Changes": []}]})
    with pytest.raises(StackFailed, match="needs Zone"):
        Stacks(answers, interval=0).propose("s", Template({"TemplateURL": "u"}, {"Size": {}, "Zone": {}}), {})


def test_of_what_is_given_only_what_differs_is_a_change() -> None:
    state = State("s", "s", "CREATE_COMPLETE", {"Size": "small", "Image": "i"}, {})
    assert changed_parameters(state, {"Size": "medium", "Image": "i"}) == {"Size": ("small", "medium")}
    assert changed_parameters(None, {"Size": "small"}) == {"Size": ("", "small")}
