"""What a follower makes of the pages that CloudFormation answers with; the emulator has one page at most."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from infra.deploy.events import Follower

START = datetime(2026, 1, 1, tzinfo=UTC)
STACK = "AWS::CloudFormation::Stack"


class Pages:
    """Events by stack, newest first, two a page."""

    def __init__(self) -> None:
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.read = 0

    def add(self, stack: str, logical: str, status: str, at: int, **more: str) -> None:
        kind = more.pop("kind", "AWS::SQS::Queue")
        number = sum(map(len, self.events.values()))
        event = {"EventId": f"{stack}-{number}", "StackId": f"id-{stack}", "LogicalResourceId": logical}
        event |= {"ResourceType": kind, "ResourceStatus": status} | more
        self.events.setdefault(stack, []).insert(0, event | {"Timestamp": START + timedelta(seconds=at)})

    def describe_stack_events(self, StackName: str, NextToken: str = "0") -> dict[str, Any]:  # noqa: N803 - as boto3 has it
        self.read += 1
        at = int(NextToken)
        rest = self.events[StackName][at:]
        more = {"NextToken": str(at + 2)} if len(rest) > 2 else {}
        return {"StackEvents": rest[:2], **more}


def heard(follower: Follower) -> list[tuple[str, str, str]]:
    return [(event.layer, event.logical_id, event.status) for event in follower.news()]


def test_what_was_before_is_no_news_and_what_comes_is_heard_once_in_its_order() -> None:
    pages = Pages()
    for number in range(5):
        pages.add("s", f"old{number}", "CREATE_COMPLETE", number)
    follower = Follower(pages, "s")
    assert heard(follower) == []
    for number in range(5):
        pages.add("s", f"new{number}", "UPDATE_COMPLETE", 10 + number)
    assert [logical for _, logical, _ in heard(follower)] == [f"new{number}" for number in range(5)]
    assert heard(follower) == []


def test_pages_are_read_only_as_far_as_there_is_news() -> None:
    pages = Pages()
    for number in range(20):
        pages.add("s", f"old{number}", "CREATE_COMPLETE", number)
    follower = Follower(pages, "s")
    pages.read = 0
    pages.add("s", "new", "UPDATE_COMPLETE", 30)
    assert len(heard(follower)) == 1
    assert pages.read == 1


def test_a_layer_is_met_through_the_parent_without_what_happened_in_it_long_ago() -> None:
    pages = Pages()
    pages.add("id-d", "Table", "CREATE_COMPLETE", 1)
    pages.add("s", "Data", "CREATE_COMPLETE", 1, kind=STACK, PhysicalResourceId="id-d")
    follower = Follower(pages, "s")
    pages.add("id-d", "Table", "UPDATE_COMPLETE", 1)
    pages.add("s", "Data", "UPDATE_COMPLETE", 1, kind=STACK, PhysicalResourceId="id-d")
    assert sorted(heard(follower)) == [("", "Data", "UPDATE_COMPLETE"), ("Data", "Table", "UPDATE_COMPLETE")]


def test_a_layer_that_was_taken_away_is_not_looked_at_and_a_new_one_is_heard_whole() -> None:
    pages = Pages()
    pages.add("s", "Old", "CREATE_COMPLETE", 1, kind=STACK, PhysicalResourceId="id-o")
    pages.add("s", "Old", "DELETE_COMPLETE", 2, kind=STACK, PhysicalResourceId="id-o")
    follower = Follower(pages, "s")
    pages.add("id-n", "Table", "CREATE_COMPLETE", 2)
    pages.add("s", "New", "CREATE_COMPLETE", 3, kind=STACK, PhysicalResourceId="id-n")
    assert heard(follower) == [("", "New", "CREATE_COMPLETE"), ("New", "Table", "CREATE_COMPLETE")]


def test_the_first_failure_is_the_one_that_no_other_caused() -> None:
    pages = Pages()
    pages.add("s", "s", "CREATE_IN_PROGRESS", 0, kind=STACK, PhysicalResourceId="id-s")
    follower = Follower(pages, "s")
    pages.add("s", "Data", "CREATE_IN_PROGRESS", 1, kind=STACK, PhysicalResourceId="id-d")
    pages.add("id-d", "Other", "CREATE_FAILED", 2, ResourceStatusReason="Resource creation cancelled")
    pages.add("id-d", "Table", "CREATE_FAILED", 2, ResourceStatusReason="no such type")
    pages.add("s", "Data", "CREATE_FAILED", 3, kind=STACK, ResourceStatusReason="Embedded stack id-d was not created")
    assert len(heard(follower)) == 4
    assert follower.first_failure == "Data/Table: no such type"
