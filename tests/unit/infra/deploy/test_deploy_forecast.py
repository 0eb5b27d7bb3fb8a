from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from infra.deploy.forecast import forecast
from infra.deploy.stack import Change, Stacks
from infra.deploy.templates import Templates, parse
from tests.emulators import Emulator

HEAD = 'AWSTemplateFormatVersion: "2010-09-09"\nResources:\n'
QUEUE = HEAD + "  Q: { Type: AWS::SQS::Queue, Properties: { DelaySeconds: 1 } }\n"
_numbers = itertools.count(1)


@pytest.fixture
def client(ministack: Emulator) -> Any:
    return ministack.client("cloudformation")


def made(client: Any, body: str) -> str:
    name = f"forecast-{next(_numbers)}"
    client.create_stack(StackName=name, TemplateBody=body)
    client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    return name


def foreseen(client: Any, name: str, body: str) -> list[Change]:
    return forecast(client, Stacks(client).state(name), Templates({"t.yaml": body}), "t.yaml")


def test_of_a_stack_that_there_is_not_everything_is_new(client: Any) -> None:
    assert foreseen(client, "never-made", QUEUE) == [Change("Add", "", "Q", "AWS::SQS::Queue", replaced=False)]


def test_of_a_stack_that_is_as_it_should_be_nothing_differs(client: Any) -> None:
    assert foreseen(client, made(client, QUEUE), QUEUE) == []


def test_it_does_not_matter_whether_the_account_has_json_or_yaml(client: Any) -> None:
    assert foreseen(client, made(client, json.dumps(parse(QUEUE))), QUEUE) == []


def test_what_differs_is_named_property_by_property(client: Any) -> None:
    other = (
        HEAD
        + "  Q: { Type: AWS::SQS::Queue, DeletionPolicy: Retain, Properties: { DelaySeconds: 2 } }\n  T: { Type: AWS::SNS::Topic }\n"
    )
    name = made(client, QUEUE)
    assert foreseen(client, name, other) == [
        Change("Modify", "", "Q", "AWS::SQS::Queue", replaced=False, why=("DelaySeconds", "DeletionPolicy")),
        Change("Add", "", "T", "AWS::SNS::Topic", replaced=False),
    ]
    assert foreseen(client, name, HEAD + "  T: { Type: AWS::SNS::Topic }\n") == [
        Change("Add", "", "T", "AWS::SNS::Topic", replaced=False),
        Change("Remove", "", "Q", "AWS::SQS::Queue", replaced=False),
    ]
