"""The templates, created and updated for real on the emulator; what it cannot do is named in tests/aws_stack.py."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.aws_stack import LEFT_OUT, MISSING, adapted_templates, prepare
from tests.emulators import Emulator, make_ministack
from tests.templates import PARENT, resources, templates

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(120)

_CAPABLE = ["CAPABILITY_IAM"]
_KEPT = {
    # What holds data: an update that made these anew would lose it.
    "AWS::RDS::DBCluster",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::Cognito::UserPool",
    "AWS::Cognito::UserPoolClient",
    "AWS::EC2::VPC",
    "AWS::EC2::Subnet",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::CloudFront::Distribution",
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::Lambda::Function",
}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One of its own: the stack's names are those of a whole account."""
    with make_ministack(tmp_path_factory.mktemp("account")) as emulator:
        yield emulator


@dataclass
class Layers:
    """The layers as stacks of their own, wired as the parent wires them."""

    account: Emulator
    given: dict[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def client(self) -> Any:
        return self.account.client("cloudformation")

    def apply(self, **changed: str) -> dict[str, str]:
        """Create or update every layer through a change set; the status of each."""
        parent = templates()[PARENT]
        defaults = {name: p["Default"] for name, p in parent["Parameters"].items() if "Default" in p}
        values = {name: str(value) for name, value in defaults.items()} | self.given | changed
        files = adapted_templates()
        statuses = {}
        for layer, resource in parent["Resources"].items():
            properties = resource["Properties"]
            parameters = {name: self._resolved(value, values) for name, value in properties["Parameters"].items()}
            statuses[layer] = self._apply(layer, files[properties["TemplateURL"]], parameters)
        return statuses

    def _resolved(self, value: Any, values: dict[str, str]) -> str:
        if "Ref" in value:
            return values[value["Ref"]]
        if "Fn::If" in value:
            # The emulator is us-east-1.
            assert value["Fn::If"][0] == "MakesGlobal"
            return self._resolved(value["Fn::If"][1], values)
        layer, attribute = value["Fn::GetAtt"]
        return self.outputs[layer][attribute.removeprefix("Outputs.")]

    def _apply(self, layer: str, template: dict[str, Any], parameters: dict[str, str]) -> str:
        name = f"{self.given['Name']}-{layer}"
        status = apply(self.client, name, template, parameters, "UPDATE" if layer in self.outputs else "CREATE")
        self.outputs[layer] = outputs(self.client, name)
        return status

    def physical(self) -> dict[str, str]:
        """The ids of what must not be made anew."""
        ids = {}
        for layer in self.outputs:
            for part in self.client.describe_stack_resources(StackName=f"{self.given['Name']}-{layer}")[
                "StackResources"
            ]:
                if part["ResourceType"] in _KEPT:
                    ids[f"{layer}.{part['LogicalResourceId']}"] = part["PhysicalResourceId"]
        return ids


def apply(client: Any, name: str, template: dict[str, Any], parameters: dict[str, str], kind: str) -> str:
    """Through a change set, as `rankcast deploy` does it; "unchanged", or the stack's status in the end."""
    change = f"change-{kind.lower()}"
    client.create_change_set(
        StackName=name,
        ChangeSetName=change,
        ChangeSetType=kind,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=_CAPABLE,
    )
    described = client.describe_change_set(StackName=name, ChangeSetName=change)
    if described["Status"] == "FAILED" and "contain changes" in described["StatusReason"]:
        client.delete_change_set(StackName=name, ChangeSetName=change)
        return "unchanged"
    assert described["Status"] == "CREATE_COMPLETE", described.get("StatusReason")
    client.execute_change_set(StackName=name, ChangeSetName=change)
    client.get_waiter(f"stack_{kind.lower()}_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    status: str = client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    return status


def outputs(client: Any, name: str) -> dict[str, str]:
    stack = client.describe_stacks(StackName=name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


# -- what the emulator lacks is exactly what we say it lacks -----------------------------------------------------------------


def test_the_emulator_knows_every_type_but_those_that_are_named(account: Emulator) -> None:
    client = account.client("cloudformation")
    unknown = set()
    for _, _, resource in resources():
        body = {"Resources": {"One": {"Type": resource["Type"]}}}
        try:
            client.validate_template(TemplateBody=json.dumps(body))
        except ClientError as error:
            unknown |= set(re.findall(r"AWS::\w+::\w+", str(error)))
    assert unknown == MISSING


def test_nothing_else_is_left_out_than_what_is_named() -> None:
    there = {f"{file}: {name}" for file, template in adapted_templates().items() for name in template["Resources"]}
    gone = {f"{file}: {name}" for file, name, resource in resources() if resource["Type"] not in MISSING} - there
    assert gone == LEFT_OUT


# -- the whole -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(account: Emulator) -> dict[str, str]:
    """The stack by its parent; its outputs."""
    given = prepare(account, "whole") | {"Domain": "play.example.com", "AlarmEmail": "a@b.example", "Name": "whole"}
    files = adapted_templates()
    for file, template in files.items():
        account.client("s3").put_object(Bucket="whole", Key=file, Body=json.dumps(template))
    for stack in files[PARENT]["Resources"].values():
        stack["Properties"]["TemplateURL"] = f"{account.url}/whole/{stack['Properties']['TemplateURL']}"
    client = account.client("cloudformation")
    assert apply(client, "whole", files[PARENT], given, "CREATE") == "CREATE_COMPLETE"
    return outputs(client, "whole")


def test_the_parent_creates_every_layer_and_says_where_things_are(whole: dict[str, str]) -> None:
    assert whole["Url"] == "https://play.example.com"
    assert set(whole) == set(templates()[PARENT]["Outputs"])


def test_the_queue_calls_the_refresh_which_knows_where_everything_is(account: Emulator, whole: dict[str, str]) -> None:
    queue = account.client("sqs")
    attributes = queue.get_queue_attributes(QueueUrl=whole["Queue"], AttributeNames=["All"])["Attributes"]
    dead = queue.get_queue_attributes(QueueUrl=whole["DeadLetters"], AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    assert json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"] == dead
    functions = account.client("lambda")
    assert {"whole-refresh", "whole-schedule", "whole-pictures"} <= {
        function["FunctionName"] for function in functions.list_functions()["Functions"]
    }
    mapping = functions.list_event_source_mappings(FunctionName="whole-refresh")["EventSourceMappings"][0]
    assert (mapping["EventSourceArn"], mapping["FunctionResponseTypes"]) == (
        attributes["QueueArn"],
        ["ReportBatchItemFailures"],
    )
    variables = functions.get_function_configuration(FunctionName="whole-refresh")["Environment"]["Variables"]
    assert variables["RANKCAST_QUEUE_URL"] == whole["Queue"]
    token = account.client("secretsmanager").get_secret_value(SecretId=variables["RANKCAST_REDIS_SECRET"])[
        "SecretString"
    ]
    # The emulator draws punctuation though told not to.
    assert len(json.loads(token)["password"]) == 64
    assert variables["RANKCAST_ISSUER"].endswith(whole["UserPool"])


def test_players_come_by_code_and_servers_with_a_secret(account: Emulator, whole: dict[str, str]) -> None:
    pools = account.client("cognito-idp")
    for key, flows in (("PlayerClient", ["code"]), ("ServerClient", ["client_credentials"])):
        made = pools.describe_user_pool_client(UserPoolId=whole["UserPool"], ClientId=whole[key])["UserPoolClient"]
        assert made["AllowedOAuthFlows"] == flows
        assert ("ClientSecret" in made) == (key == "ServerClient")


def test_buckets_are_closed_and_an_upload_calls_who_looks_at_it(account: Emulator, whole: dict[str, str]) -> None:
    buckets = account.client("s3")
    for bucket in (whole["SiteBucket"], whole["PicturesBucket"]):
        block = buckets.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        assert all(block.values()), bucket
    called = buckets.get_bucket_notification_configuration(Bucket=whole["PicturesBucket"])[
        "LambdaFunctionConfigurations"
    ]
    assert called[0]["LambdaFunctionArn"].endswith(":function:whole-pictures")


def test_the_live_path_comes_first_and_the_balancer_waits_longer_than_the_ping(
    account: Emulator, whole: dict[str, str]
) -> None:
    config = account.client("cloudfront").get_distribution(Id=whole["Distribution"])["Distribution"][
        "DistributionConfig"
    ]
    assert config["CacheBehaviors"]["Items"][0]["PathPattern"] == "/v1/*"
    balancers = account.client("elbv2")
    balancer = balancers.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    described = balancers.describe_load_balancer_attributes(LoadBalancerArn=balancer)["Attributes"]
    assert {"Key": "idle_timeout.timeout_seconds", "Value": "120"} in described


def test_the_group_has_its_way_out_and_its_two_ways_up(account: Emulator, whole: dict[str, str]) -> None:
    groups = account.client("autoscaling")
    group = groups.describe_auto_scaling_groups(AutoScalingGroupNames=[whole["Nodes"]])["AutoScalingGroups"][0]
    assert (group["MinSize"], group["MaxSize"], group["HealthCheckType"]) == (2, 10, "ELB")
    hooks = groups.describe_lifecycle_hooks(AutoScalingGroupName=whole["Nodes"])["LifecycleHooks"]
    assert [hook["LifecycleTransition"] for hook in hooks] == ["autoscaling:EC2_INSTANCE_TERMINATING"]
    policies = groups.describe_policies(AutoScalingGroupName=whole["Nodes"])["ScalingPolicies"]
    assert len(policies) == 2


def test_somebody_is_told_when_it_breaks(account: Emulator, whole: dict[str, str]) -> None:
    assert whole["Dashboard"] == "whole"
    alarms = account.client("cloudwatch").describe_alarms(AlarmNamePrefix="whole-")["MetricAlarms"]
    assert len(alarms) > 15
    assert all(alarm["AlarmActions"] for alarm in alarms)


def test_a_machine_starts_by_a_script_without_holes(account: Emulator, whole: dict[str, str]) -> None:
    """What user data comes to when CloudFormation has filled it in: no variable of its is left, and bash can read it."""
    versions = account.client("ec2")
    latest = versions.describe_launch_templates()["LaunchTemplates"][0]["LaunchTemplateId"]
    data = versions.describe_launch_template_versions(LaunchTemplateId=latest)["LaunchTemplateVersions"][0]
    script = base64.b64decode(data["LaunchTemplateData"]["UserData"]).decode()
    assert len(script) < 16_384
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert set(re.findall(r"\$\{?(\w+)", script)) == {"token", "instance", "image", "1"}, "bash's own variables alone"
    environ = re.search(r"cat > /etc/rankcast.env <<END\n(.*?)\nEND\n", script, re.DOTALL)
    assert environ is not None
    pairs = dict(line.split("=", 1) for line in environ[1].splitlines())
    assert all(pairs.values()), pairs
    assert pairs["RANKCAST_CLIENT_IDS"] == f"{whole['PlayerClient']},{whole['ServerClient']}"
    assert data["LaunchTemplateData"]["MetadataOptions"]["HttpTokens"] == "required"


# -- layer by layer ----------------------------------------------------------------------------------------------------------------


def test_every_layer_is_created_updated_and_left_alone_when_nothing_changed(account: Emulator) -> None:
    layers = Layers(account, prepare(account, "layers") | {"Domain": "two.example.com", "Name": "layers"})
    assert set(layers.apply().values()) == {"CREATE_COMPLETE"}
    before = layers.physical()
    assert len(before) > 25

    assert set(layers.apply().values()) == {"unchanged"}

    changed = layers.apply(
        Size="medium",
        DrainSeconds="150",
        RequestsPerAddress="5000",
        MaxNodes="20",
        Protected="false",
        AlarmEmail="a@b.example",
    )
    untouched = {layer for layer, status in changed.items() if status == "unchanged"}
    assert (untouched, set(changed.values())) == ({"Network"}, {"unchanged", "UPDATE_COMPLETE"})
    assert layers.physical() == before, "what holds data stays itself"

    caches = account.client("elasticache").describe_replication_groups(
        ReplicationGroupId=layers.outputs["Data"]["CacheId"]
    )
    assert caches["ReplicationGroups"][0]["CacheNodeType"] == "cache.m7g.large"
    targets = account.client("elbv2").describe_target_group_attributes(
        TargetGroupArn=layers.outputs["Edge"]["TargetGroup"]
    )
    assert {"Key": "deregistration_delay.timeout_seconds", "Value": "150"} in targets["Attributes"]
    groups = account.client("autoscaling")
    hook = groups.describe_lifecycle_hooks(AutoScalingGroupName="layers-nodes")["LifecycleHooks"][0]
    assert hook["HeartbeatTimeout"] == 150
    group = groups.describe_auto_scaling_groups(AutoScalingGroupNames=["layers-nodes"])["AutoScalingGroups"][0]
    assert group["MaxSize"] == 20
    mapping = account.client("lambda").list_event_source_mappings(FunctionName="layers-refresh")["EventSourceMappings"][
        0
    ]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 8}


def test_what_holds_data_outlives_its_stack(account: Emulator) -> None:
    layers = Layers(
        account, prepare(account, "gone") | {"Domain": "gone.example.com", "Name": "gone", "Protected": "false"}
    )
    layers.apply()
    pool = layers.outputs["Identity"]["Pool"]
    for layer in reversed(list(layers.outputs)):
        layers.client.delete_stack(StackName=f"gone-{layer}")
        layers.client.get_waiter("stack_delete_complete").wait(
            StackName=f"gone-{layer}", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    names = {bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]}
    assert {
        layers.outputs["Data"]["Site"],
        layers.outputs["Data"]["Logs"],
        layers.outputs["Queue"]["PictureBucket"],
    } <= names
    assert account.client("cognito-idp").describe_user_pool(UserPoolId=pool)["UserPool"]["Id"] == pool
    snapshots = account.client("rds").describe_db_cluster_snapshots()["DBClusterSnapshots"]
    assert layers.outputs["Data"]["DatabaseId"] in {snapshot["DBClusterIdentifier"] for snapshot in snapshots}


def test_what_the_deployment_is_put_into_is_made_first(account: Emulator) -> None:
    client = account.client("cloudformation")
    template = adapted_templates()["artifacts.yaml"]
    assert apply(client, "first-artifacts", template, {"Name": "first"}, "CREATE") == "CREATE_COMPLETE"
    told = outputs(client, "first-artifacts")
    assert account.client("s3").get_bucket_versioning(Bucket=told["ArtifactBucket"])["Status"] == "Enabled"
    assert told["RepositoryUri"].endswith("/first")
