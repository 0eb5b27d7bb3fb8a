"""`rankcast deploy` against an emulator that provisions: change sets, progress, what is left alone, and what a dry run touches.

The stack here is small: a bucket, queues, a function of the real package, two layers. The real templates are made in
test_aws_stack.py, and read here by the dry run. The emulator works out no change sets of nested stacks, so what a change set of real
layers holds is not shown by these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.cli.main import cli
from infra.deploy import bundle
from infra.deploy.account import Account
from infra.deploy.deployment import Declined, Deployment, Wish
from infra.deploy.errors import AccountRefused, StackBusy, StackFailed
from infra.deploy.events import Event
from infra.deploy.site import Site, site
from infra.deploy.stack import Proposal
from infra.deploy.templates import Templates
from tests.emulators import REGION, Emulator

# The first of them has the functions packaged, which pip takes its time for.
pytestmark = pytest.mark.timeout(300)
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/rankcast@sha256:" + "a" * 64

PARENT = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Name: { Type: String }
  Domain: { Type: String }
  Image: { Type: String }
  Repository: { Type: String, Default: rankcast }
  CodeBucket: { Type: String }
  CodeKey: { Type: String }
  Wait: { Type: Number, Default: 20 }
  Machine: { Type: String, Default: provided }
Resources:
  Data:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: data.yaml
      Parameters: { Name: !Ref Name }
  Queue:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: queue.yaml
      Parameters: { Name: !Ref Name, Wait: !Ref Wait, CodeBucket: !Ref CodeBucket, CodeKey: !Ref CodeKey }
Outputs:
  SiteBucket: { Value: !GetAtt Data.Outputs.Site }
  Url: { Value: !Sub "https://${Domain}" }
"""
DATA = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters: { Name: { Type: String } }
Resources:
  Site:
    Type: AWS::S3::Bucket
    Properties: { BucketName: !Sub "${Name}-site" }
Outputs:
  Site: { Value: !Ref Site }
"""
QUEUE = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Name: { Type: String }
  Wait: { Type: Number }
  CodeBucket: { Type: String }
  CodeKey: { Type: String }
Resources:
  Refresh:
    Type: AWS::SQS::Queue
    Properties: { QueueName: !Sub "${Name}-refresh", ReceiveMessageWaitTimeSeconds: !Ref Wait }
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: sts:AssumeRole }]
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: !Sub "${Name}-refresh"
      Runtime: python3.13
      Handler: workers.refresh.handler
      Code: { S3Bucket: !Ref CodeBucket, S3Key: !Ref CodeKey }
      Role: !GetAtt Role.Arn
"""


@dataclass
class Recorder:
    """A Shell that agrees or not, and notes what it is told."""

    agrees: bool = True
    said: list[str] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def tell(self, text: str) -> None:
        self.said.append(text)

    def approves(self, proposal: Proposal) -> bool:
        self.proposals.append(proposal)
        return self.agrees

    @contextmanager
    def following(self, proposal: Proposal) -> Iterator[Callable[[Event], None]]:
        assert proposal is self.proposals[-1]
        yield self.events.append


@dataclass
class Place:
    """An account for a test, a deployment in which every call is noted, and templates that can be changed."""

    emulator: Emulator
    name: str
    packaging: Callable[[Path], bundle.Bundle]
    bodies: dict[str, str]
    site: Site
    calls: list[str] = field(default_factory=list)
    puts: list[str] = field(default_factory=list)

    def deployment(self, shell: Recorder, name: str | None = None, **parameters: str) -> Deployment:
        account = Account(REGION)
        account._session.events.register(
            "before-call", lambda model, **_: self.calls.append(f"{model.service_model.service_name}:{model.name}")
        )
        account._session.events.register(
            "provide-client-params.s3.PutObject", lambda params, **_: self.puts.append(params["Key"])
        )
        wish = Wish(
            name=name or self.name,
            parameters={"Domain": "scores.example"} | parameters,
            image=IMAGE,
            functions=self.packaging,
        )
        return Deployment(account, wish, shell, templates=Templates(self.bodies), interval=0.05)

    def stacks(self) -> set[str]:
        listed = self.emulator.client("cloudformation").list_stacks()["StackSummaries"]
        return {one["StackName"] for one in listed if one["StackStatus"] != "DELETE_COMPLETE"}

    def buckets(self) -> set[str]:
        return {one["Name"] for one in self.emulator.client("s3").list_buckets()["Buckets"]}


@pytest.fixture
def place(
    ministack: Emulator,
    packaging: Callable[[Path], bundle.Bundle],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Place:
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    real = Templates.load().bodies
    bodies = {"rankcast.yaml": PARENT, "data.yaml": DATA, "queue.yaml": QUEUE, "artifacts.yaml": real["artifacts.yaml"]}
    # The tree may be edited while this runs.
    frozen = site()
    monkeypatch.setattr("infra.deploy.deployment.site.site", lambda: frozen)
    return Place(ministack, f"d{abs(hash(request.node.name)) % 10**8}", packaging, bodies, frozen)


def test_a_first_deployment_makes_the_stack_and_brings_every_package(place: Place) -> None:
    shell = Recorder()
    state = place.deployment(shell).run()
    assert state.outputs["Url"] == "https://scores.example"
    assert [one.stack for one in shell.proposals] == [f"{place.name}-artifacts", place.name]
    assert all(one.creates for one in shell.proposals)
    assert {(one.action, one.logical_id) for one in shell.proposals[1].changes} == {("Add", "Data"), ("Add", "Queue")}
    # The layers' own events are heard as well.
    done = {(event.layer, event.logical_id) for event in shell.events if event.done}
    assert {("", "Data"), ("Data", "Site"), ("Queue", "Refresh"), ("Queue", "Function")} <= done

    function = place.emulator.client("lambda").get_function(FunctionName=f"{place.name}-refresh")["Configuration"]
    assert function["CodeSize"] == place.packaging(Path(place.emulator.log.parent)).size
    s3 = place.emulator.client("s3")
    page = s3.get_object(Bucket=f"{place.name}-site", Key="index.html")
    assert page["CacheControl"] == "no-cache"
    module = page["Body"].read().decode().partition('src="/')[2].partition('"')[0]
    assert s3.head_object(Bucket=f"{place.name}-site", Key=module)["CacheControl"].endswith("immutable")


def test_a_second_deployment_of_the_same_changes_nothing(place: Place) -> None:
    place.deployment(Recorder()).run()
    place.calls.clear()
    place.puts.clear()
    shell = Recorder()
    place.deployment(shell).run()
    assert shell.proposals == []
    assert "cloudformation:ExecuteChangeSet" not in place.calls
    # The pages and what is asked for anew each time; neither the package, nor a template, nor a file with a hash.
    asked_anew = {file.key for file in place.site.files if file.cache_control == "no-cache"}
    assert set(place.puts) == asked_anew | {f"deployed/{place.site.version}"}


def test_an_update_says_what_differs_keeps_what_was_chosen_and_touches_no_other_layer(place: Place) -> None:
    place.deployment(Recorder(), Wait="5").run()
    place.bodies["data.yaml"] = DATA.replace('"${Name}-site" }', '"${Name}-site", Tags: [{ Key: a, Value: b }] }')
    shell = Recorder()
    account = place.deployment(shell)
    state = account.run()
    (proposal,) = shell.proposals
    assert not proposal.creates
    assert [(one.action, one.logical_id) for one in proposal.changes] == [("Modify", "Data")]
    assert state.parameters["Wait"] == "5"
    assert {event.layer for event in shell.events} == {"", "Data"}


def test_a_change_that_is_not_wanted_leaves_no_trace(place: Place) -> None:
    with pytest.raises(Declined):
        place.deployment(Recorder(agrees=False)).run()
    assert not [name for name in place.stacks() if name.startswith(place.name)]


def test_a_change_that_fails_says_what_failed_first(place: Place) -> None:
    place.bodies["queue.yaml"] = QUEUE.replace("AWS::SQS::Queue", "AWS::SQS::Kettle")
    with pytest.raises(StackFailed, match=r"ROLLBACK_COMPLETE: Queue.*AWS::SQS::Kettle"):
        place.deployment(Recorder()).run()
    # Such a stack takes no update.
    with pytest.raises(StackBusy, match=r"is ROLLBACK_COMPLETE: its making failed; delete it"):
        place.deployment(Recorder()).run()


def test_a_parameter_that_is_missing_or_unknown_is_named(place: Place) -> None:
    place.bodies["rankcast.yaml"] = PARENT.replace("Wait: { Type: Number, Default: 20 }", "Wait: { Type: Number }")
    with pytest.raises(StackFailed, match="the first deployment needs Wait"):
        place.deployment(Recorder()).run()
    with pytest.raises(StackFailed, match="no parameter Colour"):
        place.deployment(Recorder(), Colour="blue", Wait="1").run()


def test_in_another_region_the_edge_is_made_in_the_one_that_cloudfront_wants(place: Place) -> None:
    place.bodies["global.yaml"] = DATA.replace(
        "Site: { Value: !Ref Site }", "CertificateArn: { Value: !Ref Site }\n  AclArn: { Value: !Ref Site }"
    ).replace("${Name}-site", "${Name}-edge")
    place.bodies["rankcast.yaml"] = PARENT.replace(
        "Parameters:\n",
        'Parameters:\n  EdgeCertificate: { Type: String, Default: "" }\n  EdgeAcl: { Type: String, Default: "" }\n',
        1,
    )
    account = Account("eu-central-1")
    shell = Recorder()
    wish = Wish(name=place.name, parameters={"Domain": "scores.example"}, image=IMAGE, functions=place.packaging)
    state = Deployment(account, wish, shell, templates=Templates(place.bodies), interval=0.05).run()
    assert [one.stack for one in shell.proposals] == [f"{place.name}-artifacts", f"{place.name}-global", place.name]
    assert state.parameters["EdgeCertificate"] == f"{place.name}-edge"
    made = place.emulator.client("cloudformation").describe_stacks(StackName=f"{place.name}-global")["Stacks"]
    assert made[0]["StackId"].split(":")[3] == "us-east-1"


def read_only(calls: list[str]) -> bool:
    return all(call.split(":")[1].startswith(("Describe", "Get", "Head", "List")) for call in calls)


def test_a_dry_run_touches_nothing_and_foresees_what_then_comes(place: Place) -> None:
    before = place.stacks(), place.buckets()
    foreseen = place.deployment(Recorder()).foresee()
    assert (place.stacks(), place.buckets()) == before
    assert read_only(place.calls), place.calls
    added = {(one.layer, one.logical_id) for one in foreseen.changes[place.name] if one.action == "Add"}
    assert added >= {("", "Data"), ("Data", "Site"), ("Queue", "Function")}

    place.deployment(Recorder()).run()
    place.bodies["queue.yaml"] = QUEUE.replace("Handler: workers.refresh.handler", "Handler: workers.other.handler")
    place.bodies["data.yaml"] = DATA.replace("Outputs:", "  More: { Type: AWS::SQS::Queue }\nOutputs:")
    place.calls.clear()
    foreseen = place.deployment(Recorder(), Wait="7").foresee()
    assert read_only(place.calls), place.calls
    assert foreseen.changes[f"{place.name}-artifacts"] == ()
    assert {(one.action, one.layer, one.logical_id, one.why) for one in foreseen.changes[place.name]} == {
        ("Modify", "Queue", "Function", ("Handler",)),
        ("Add", "Data", "More", ()),
    }
    assert foreseen.parameters["Wait"] == ("20", "7")
    assert "Image" not in foreseen.parameters


def test_the_command_shows_a_dry_run_of_the_real_templates_and_leaves_the_account_empty(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = place.stacks(), place.buckets()
    monkeypatch.setattr("infra.cli.deploy.Wish", partial(Wish, functions=place.packaging))
    arguments = ["deploy", "--dry-run", "--name", place.name, "--region", REGION, "--image", IMAGE]
    arguments += ["--domain", "scores.example", "--hosted-zone", "Z0123456789ABC"]
    result = CliRunner().invoke(cli, arguments, env={"COLUMNS": "160"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    for line in ("Network/Vpc", "Data/Database", "Queue/Refresh", "Edge/Distribution", "nothing was touched"):
        assert line in result.output
    assert (place.stacks(), place.buckets()) == before


def test_a_tag_is_no_digest() -> None:
    result = CliRunner().invoke(cli, ["deploy", "--image", "rankcast:latest"])
    assert result.exit_code == 2
    assert "a tag may be another image tomorrow" in result.output


def test_without_credentials_or_region_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AccountRefused, match="--region"):
        Account(None)
    with pytest.raises(AccountRefused, match="aws configure"):
        Account("eu-central-1").number()
