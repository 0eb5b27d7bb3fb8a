"""What linters miss in the templates."""

from __future__ import annotations

import inspect
import json
import re
from importlib import import_module
from typing import Any

import pytest
from starlette.requests import Request

from api import files, server
from tests.templates import PARENT, listed, resources, statements, templates, walk

_SIZES = ("small", "medium", "large")


def _one(file: str, name: str) -> dict[str, Any]:
    properties: dict[str, Any] = templates()[file]["Resources"][name]["Properties"]
    return properties


# -- layers ----------------------------------------------------------------------------------------------------------------


def test_the_parent_gives_each_layer_what_it_asks_for_and_nothing_else() -> None:
    all_of_them = templates()
    layers = dict(_layers())
    assert set(layers) == set(all_of_them) - {PARENT, "artifacts.yaml"}
    for file, properties in layers.items():
        parameters = all_of_them[file]["Parameters"]
        given = properties.get("Parameters", {})
        required = {name for name, parameter in parameters.items() if "Default" not in parameter}
        assert required <= set(given) <= set(parameters), file


def test_what_the_parent_takes_from_a_layer_is_an_output_of_it() -> None:
    all_of_them = templates()
    parent = all_of_them[PARENT]
    files = {name: resource["Properties"]["TemplateURL"] for name, resource in parent["Resources"].items()}
    for value in walk(parent):
        if isinstance(value, dict) and "Fn::GetAtt" in value:
            layer, attribute = value["Fn::GetAtt"]
            kind, output = attribute.split(".")
            assert kind == "Outputs"
            assert output in all_of_them[files[layer]]["Outputs"], f"{layer}: {output}"


def _layers() -> list[tuple[str, dict[str, Any]]]:
    stacks = [resource for _, _, resource in resources("AWS::CloudFormation::Stack")]
    return [(stack["Properties"]["TemplateURL"], stack["Properties"]) for stack in stacks]


def test_every_size_is_in_every_table_of_sizes() -> None:
    tables = [(file, t["Mappings"]["Sizes"]) for file, t in templates().items() if "Sizes" in t.get("Mappings", {})]
    assert [file for file, _ in tables] == ["data.yaml", "nodes.yaml", "queue.yaml"]
    for file, table in tables:
        assert tuple(table) == _SIZES, file
        assert len({tuple(row) for row in table.values()}) == 1, file


# -- queue and functions ---------------------------------------------------------------------------------------------------


def test_a_dead_letter_queue_is_named_by_its_arn() -> None:
    # `!Ref` of a queue is its URL: CloudFormation takes it, SQS does not.
    targets = [
        properties["RedrivePolicy"]["deadLetterTargetArn"]
        for _, _, resource in resources("AWS::SQS::Queue")
        if "RedrivePolicy" in (properties := resource["Properties"])
    ]
    assert targets == [{"Fn::GetAtt": ["DeadLetters", "Arn"]}]


def test_where_an_arn_is_due_none_is_a_reference_that_gives_a_url_or_a_name() -> None:
    due = {"deadLetterTargetArn", "EventSourceArn", "Role", "SourceArn", "Destination", "DeliverLogsPermissionArn"}
    seen = set()
    for file, name, resource in resources():
        for value in walk(resource.get("Properties", {})):
            for key in due & set(value) if isinstance(value, dict) else ():
                if isinstance(value[key], dict):
                    seen.add(key)
                    assert "Ref" not in value[key], f"{file}: {name}: {key}"
    assert seen == due


def test_a_message_stays_hidden_for_six_times_what_its_function_may_take() -> None:
    for _, _, mapping in resources("AWS::Lambda::EventSourceMapping"):
        queue = _one("queue.yaml", mapping["Properties"]["EventSourceArn"]["Fn::GetAtt"][0])
        function = _one("queue.yaml", mapping["Properties"]["FunctionName"]["Ref"])
        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]


def test_the_refresh_takes_ten_messages_without_a_window_and_says_which_of_them_failed() -> None:
    mapping = _one("queue.yaml", "RefreshTrigger")
    assert mapping["BatchSize"] == 10
    assert mapping.get("MaximumBatchingWindowInSeconds", 0) == 0
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_queue_never_calls_more_refreshes_than_may_run() -> None:
    # More would be throttled, and each throttled call counts as a receive of its messages.
    assert (
        _one("queue.yaml", "RefreshTrigger")["ScalingConfig"]["MaximumConcurrency"]
        == _one("queue.yaml", "Refresh")["ReservedConcurrentExecutions"]
    )
    assert all(2 <= row["Refreshes"] <= 1000 for row in templates()["queue.yaml"]["Mappings"]["Sizes"].values())


def test_functions_are_python_3_13_on_arm64_in_the_network_and_traced() -> None:
    functions = [resource["Properties"] for _, _, resource in resources("AWS::Lambda::Function")]
    assert len(functions) == 3
    for function in functions:
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["VpcConfig"]["SubnetIds"] == {"Ref": "Subnets"}
        assert function["Timeout"] <= 900


@pytest.mark.parametrize("name", ["Refresh", "Schedule", "Pictures"])
def test_each_handler_is_a_function_of_ours_that_lambda_can_call(name: str) -> None:
    module, _, function = _one("queue.yaml", name)["Handler"].rpartition(".")
    handler = getattr(import_module(module), function)
    assert not inspect.iscoroutinefunction(handler)
    inspect.signature(handler).bind({}, None)


# -- sizes -----------------------------------------------------------------------------------------------------------------


def test_node_types_are_such_as_their_engine_takes() -> None:
    for size, row in templates()["data.yaml"]["Mappings"]["Sizes"].items():
        # A Multi-AZ DB cluster runs on classes with local disks alone.
        assert re.fullmatch(r"db\.(c6gd|m6gd|r6gd|m6id|r6id|m8gd|r8gd)\.\w+", row["Database"]), size
        # Valkey came with the third generation of nodes; the first two are offered for Redis OSS.
        assert re.fullmatch(r"cache\.(t4g|m[678]g|r[678]g|c[78]gn)\.\w+", row["Cache"]), size
        assert row["Caches"] >= 2, "a failover needs somebody to fail over to"
        # CloudFormation demands a number of IOPS, and RDS takes none for less than this on gp3.
        assert 400 <= row["Storage"] <= 65536
        assert 12000 <= row["Iops"] <= 64000
    for size, row in templates()["nodes.yaml"]["Mappings"]["Sizes"].items():
        assert re.fullmatch(r"(t4g|[cmr][678]gn?)\.\w+", row["Machine"]), f"{size}: the image is for arm64"
        assert row["Target"] * 2 <= row["Limit"], f"{size}: a node takes the clients of one that leaves"


def test_engines_and_parameter_groups_are_of_one_version() -> None:
    data = templates()["data.yaml"]["Resources"]
    assert data["Database"]["Properties"]["EngineVersion"].split(".")[0] == "18"
    assert data["DatabaseParameters"]["Properties"]["Family"] == "postgres18"
    assert data["Cache"]["Properties"]["EngineVersion"].split(".")[0] == "8"
    assert data["CacheParameters"]["Properties"]["CacheParameterGroupFamily"] == "valkey8"
    assert data["CacheParameters"]["Properties"]["Properties"]["maxmemory-policy"] == "noeviction"


# -- secrets ---------------------------------------------------------------------------------------------------------------


def test_no_secret_is_written_down() -> None:
    for file, name, resource in resources():
        for value in walk(resource.get("Properties", {})):
            for key, entry in value.items() if isinstance(value, dict) else ():
                if (
                    re.search(r"Password$|AuthToken$|^SearchString$|^HeaderValue$", key)
                    and key != "ManageMasterUserPassword"
                ):
                    assert "{{resolve:secretsmanager:" in json.dumps(entry), f"{file}: {name}: {key}"
    for file, template in templates().items():
        named = [name for name in template.get("Parameters", {}) if re.search("password|token", name, re.IGNORECASE)]
        assert not named, file


def test_passwords_are_drawn_by_aws_and_links_are_encrypted() -> None:
    database = _one("data.yaml", "Database")
    assert database["ManageMasterUserPassword"] is True
    assert database["StorageEncrypted"] is True
    assert _one("data.yaml", "DatabaseParameters")["Parameters"]["rds.force_ssl"] == "1"
    cache = _one("data.yaml", "Cache")
    assert (cache["TransitEncryptionMode"], cache["AtRestEncryptionEnabled"]) == ("required", True)


# -- rights ----------------------------------------------------------------------------------------------------------------

_NO_NARROWER = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "ecr:GetAuthorizationToken",
    "autoscaling:DescribeAutoScalingInstances",
    # Only under a condition on the namespace, see below.
    "cloudwatch:PutMetricData",
    # For Lambda itself: the same policy denies them to the function's code.
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
}


def test_no_right_is_given_by_a_wildcard() -> None:
    given = [entry for entry in statements() if entry[2]["Effect"] == "Allow"]
    assert len(given) > 30
    for file, name, statement in given:
        assert "NotAction" not in statement
        for action in listed(statement["Action"]):
            assert "*" not in action, f"{file}: {name}: {action}"


def test_resources_are_named_except_where_aws_knows_no_narrower_one() -> None:
    for file, name, statement in statements():
        if statement["Effect"] != "Allow" or "*" not in listed(statement["Resource"]):
            continue
        assert set(listed(statement["Action"])) <= _NO_NARROWER, f"{file}: {name}"
        if "cloudwatch:PutMetricData" in listed(statement["Action"]):
            assert statement["Condition"] == {"StringEquals": {"cloudwatch:namespace": "Rankcast/Host"}}


def test_what_lambda_needs_for_its_interfaces_is_denied_to_the_functions_own_code() -> None:
    for function in ("Refresh", "Schedule", "Pictures"):
        policy = _one("queue.yaml", f"{function}Rights")["PolicyDocument"]["Statement"]
        allowed = next(statement for statement in policy if statement["Sid"] == "Interfaces")
        denied = next(statement for statement in policy if statement["Effect"] == "Deny")
        assert allowed["Action"] == denied["Action"]
        arn = denied["Condition"]["ArnEquals"]["lambda:SourceFunctionArn"]["Fn::Sub"]
        assert arn.endswith(f":function:{_one('queue.yaml', function)['FunctionName']['Fn::Sub']}")


def test_only_services_take_roles_and_nobody_else_is_let_in() -> None:
    for file, name, resource in resources("AWS::IAM::Role"):
        for statement in resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
            assert list(statement["Principal"]) == ["Service"], f"{file}: {name}"
    for file, name, statement in statements():
        if statement.get("Principal") == "*":
            assert statement["Effect"] == "Deny", f"{file}: {name}"


def test_a_bucket_is_closed_to_the_public_and_to_plain_http() -> None:
    closed = {"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"}
    buckets = list(resources("AWS::S3::Bucket"))
    assert len(buckets) == 4
    for _, name, bucket in buckets:
        block = bucket["Properties"]["PublicAccessBlockConfiguration"]
        assert {key for key, value in block.items() if value is True} == closed, name
        assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain", name
    policies = list(resources("AWS::S3::BucketPolicy"))
    assert len(policies) == len(buckets)
    for _, name, policy in policies:
        sids = {statement["Sid"] for statement in policy["Properties"]["PolicyDocument"]["Statement"]}
        assert "OnlyTls" in sids, name


def test_cloudfront_reads_pictures_that_were_looked_at_and_no_upload() -> None:
    policy = _one("edge.yaml", "PicturePolicy")["PolicyDocument"]["Statement"]
    allowed = [statement for statement in policy if statement["Effect"] == "Allow"]
    assert [statement["Resource"]["Fn::Sub"].rpartition(":::")[2] for statement in allowed] == [
        "${Pictures}/pictures/*"
    ]
    assert "Distribution" in allowed[0]["Condition"]["StringEquals"]["aws:SourceArn"]["Fn::Sub"]


# -- the network -----------------------------------------------------------------------------------------------------------


def test_security_groups_are_open_along_the_drawn_arrows_and_nowhere_else() -> None:
    drawn = {
        ("world", "Balancer", 443),
        ("world", "Balancer", 80),
        ("Balancer", "Nodes", 8080),
        ("Nodes", "Database", 5432),
        ("Nodes", "Cache", 6379),
        ("Nodes", "Endpoints", 443),
        ("Nodes", "world", 443),
        ("Functions", "Database", 5432),
        ("Functions", "Cache", 6379),
        ("Functions", "Endpoints", 443),
        ("Functions", "world", 443),
    }
    inward: set[tuple[str, str, int]] = set()
    outward: set[tuple[str, str, int]] = set()
    for _, name, group in resources("AWS::EC2::SecurityGroup"):
        properties = group["Properties"]
        inward |= {(_peer(rule), name, _port(rule)) for rule in properties.get("SecurityGroupIngress", [])}
        rules = properties["SecurityGroupEgress"]
        assert rules, f"{name}: without a rule AWS lets everything out"
        outward |= {(name, _peer(rule), _port(rule)) for rule in rules if rule["CidrIp"] != "127.0.0.1/32"}
    for _, _, rule in resources("AWS::EC2::SecurityGroupIngress"):
        inward.add((_peer(rule["Properties"]), rule["Properties"]["GroupId"]["Ref"], _port(rule["Properties"])))
    for _, _, rule in resources("AWS::EC2::SecurityGroupEgress"):
        outward.add((rule["Properties"]["GroupId"]["Ref"], _peer(rule["Properties"]), _port(rule["Properties"])))
    assert inward == {arrow for arrow in drawn if arrow[1] != "world"}
    assert outward == {arrow for arrow in drawn if arrow[0] != "world"}


def _peer(rule: dict[str, Any]) -> str:
    if "CidrIp" in rule:
        assert rule["CidrIp"] == "0.0.0.0/0"
        return "world"
    reference: str = next(
        rule[key]["Ref"] for key in ("SourceSecurityGroupId", "DestinationSecurityGroupId") if key in rule
    )
    return reference


def _port(rule: dict[str, Any]) -> int:
    assert rule["IpProtocol"] == "tcp"
    assert rule["FromPort"] == rule["ToPort"]
    port: int = rule["FromPort"]
    return port


def test_nothing_leads_out_of_the_inner_subnets() -> None:
    network = templates()["network.yaml"]["Resources"]
    default = {
        resource["Properties"]["RouteTableId"]["Ref"]
        for resource in network.values()
        if resource["Type"] == "AWS::EC2::Route"
    }
    tables = {
        resource["Properties"]["SubnetId"]["Ref"]: resource["Properties"]["RouteTableId"]["Ref"]
        for resource in network.values()
        if resource["Type"] == "AWS::EC2::SubnetRouteTableAssociation"
    }
    assert {table for subnet, table in tables.items() if subnet.startswith("Inner")} == {"InnerRoutes"}
    assert "InnerRoutes" not in default
    assert len(tables) == 9
    for part in ("Data", "Queue"):
        given = templates()[PARENT]["Resources"][part]["Properties"]["Parameters"]["Subnets"]
        assert given == {"Fn::GetAtt": ["Network", "Outputs.InnerSubnets"]}


def test_each_aws_api_that_a_policy_names_has_an_endpoint_in_the_network() -> None:
    endpoints = {
        resource["Properties"]["ServiceName"]["Fn::Sub"].removeprefix("com.amazonaws.${AWS::Region}.")
        for _, _, resource in resources("AWS::EC2::VPCEndpoint")
    }
    called = {
        action.split(":")[0]
        for file, _, statement in statements()
        if file in {"queue.yaml", "nodes.yaml"} and statement["Effect"] == "Allow" and "Principal" not in statement
        for action in listed(statement["Action"])
    }
    # Lambda itself makes interfaces, from outside.
    at = {"cloudwatch": "monitoring", "ecr": "ecr.api"}
    assert {at.get(service, service) for service in called - {"ec2"}} | {"ecr.dkr"} == endpoints


# -- nodes and the balancer ------------------------------------------------------------------------------------------------


def _attributes(name: str, kind: str) -> dict[str, Any]:
    return {entry["Key"]: entry["Value"] for entry in _one("edge.yaml", name)[kind]}


def test_the_balancer_waits_longer_than_the_ping_and_asks_for_readiness() -> None:
    assert _attributes("Balancer", "LoadBalancerAttributes")["idle_timeout.timeout_seconds"] == "120"
    assert _one("edge.yaml", "Nodes")["HealthCheckPath"] == "/readyz"


def test_a_leaving_node_has_sent_its_clients_away_before_the_balancer_cuts_them() -> None:
    drain = {"Ref": "DrainSeconds"}
    assert _attributes("Nodes", "TargetGroupAttributes")["deregistration_delay.timeout_seconds"] == drain
    script = _script()
    match = re.search(r"RANKCAST_DRAIN_WINDOW=\$\(\(\$\{DrainSeconds\} - (\d+)\)\)", script)
    assert match is not None
    spare = int(match[1])
    asked_every = max(int(seconds) for seconds in re.findall(r"sleep (\d+)", script))
    # What a shutdown may take beyond the window.
    assert spare >= asked_every + server._GRACE
    assert "docker stop --time ${DrainSeconds}" in script
    assert "TimeoutStopSec=${DrainSeconds}" in script
    shortest = templates()[PARENT]["Parameters"]["DrainSeconds"]["MinValue"]
    assert shortest > spare
    hook = _one("nodes.yaml", "Drain")
    assert (hook["LifecycleTransition"], hook["HeartbeatTimeout"]) == ("autoscaling:EC2_INSTANCE_TERMINATING", drain)
    assert f"--lifecycle-hook-name {hook['LifecycleHookName']} " in script


def _script() -> str:
    script: str = _one("nodes.yaml", "Template")["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"][0]
    return script


def test_machines_take_imdsv2_alone_and_images_by_digest() -> None:
    options = _one("nodes.yaml", "Template")["LaunchTemplateData"]["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 1)
    pattern = templates()[PARENT]["Parameters"]["Image"]["AllowedPattern"]
    assert re.fullmatch(pattern, f"1.dkr.ecr.eu-central-1.amazonaws.com/rankcast@sha256:{'a' * 64}")
    assert not re.fullmatch(pattern, "1.dkr.ecr.eu-central-1.amazonaws.com/rankcast:latest")


def test_an_update_replaces_nodes_one_by_one_and_leaves_their_number_to_scaling() -> None:
    group = templates()["nodes.yaml"]["Resources"]["Nodes"]
    update = group["UpdatePolicy"]["AutoScalingRollingUpdate"]
    assert (update["MaxBatchSize"], update["WaitOnResourceSignals"]) == (1, True)
    assert update["MinInstancesInService"] == group["Properties"]["MinSize"]
    assert "DesiredCapacity" not in group["Properties"]
    parameters = templates()[PARENT]["Parameters"]
    assert (parameters["MinNodes"]["Default"], parameters["MaxNodes"]["Default"]) == (2, 10)


def test_the_group_grows_by_connections_of_a_node_as_well_as_by_cpu() -> None:
    policies = [
        p["Properties"]["TargetTrackingConfiguration"] for _, _, p in resources("AWS::AutoScaling::ScalingPolicy")
    ]
    custom = [p["CustomizedMetricSpecification"] for p in policies if "CustomizedMetricSpecification" in p]
    assert [(m["Namespace"], m["MetricName"], m["Statistic"]) for m in custom] == [
        ("Rankcast", "Connections", "Average")
    ]
    assert [d["Name"] for d in custom[0]["Dimensions"]] == ["AutoScalingGroupName"]
    predefined = [p["PredefinedMetricSpecification"] for p in policies if "PredefinedMetricSpecification" in p]
    assert predefined == [{"PredefinedMetricType": "ASGAverageCPUUtilization"}]


def test_the_balancer_passes_on_the_api_and_keeps_metrics_inside() -> None:
    rules = [r["Properties"] for _, _, r in resources("AWS::ElasticLoadBalancingV2::ListenerRule")]
    forwarded = {
        path
        for rule in rules
        if rule["Actions"][0]["Type"] == "forward"
        for path in rule["Conditions"][0]["PathPatternConfig"]["Values"]
    }
    assert forwarded == {"/v1/*", "/healthz", "/openapi.json", "/asyncapi.json"}
    assert _one("edge.yaml", "Secure")["DefaultActions"][0]["Type"] == "fixed-response"


# -- CloudFront ------------------------------------------------------------------------------------------------------------

_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
_ALL_VIEWER_EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"


def test_the_live_contract_goes_through_cloudfront_whole_and_uncached() -> None:
    config = _one("edge.yaml", "Distribution")["DistributionConfig"]
    first = config["CacheBehaviors"][0]
    assert (first["PathPattern"], first["TargetOriginId"]) == ("/v1/*", "api")
    assert (first["CachePolicyId"], first["OriginRequestPolicyId"]) == (_DISABLED, _ALL_VIEWER_EXCEPT_HOST)
    assert set(first["AllowedMethods"]) == {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"}
    api = next(origin for origin in config["Origins"] if origin["Id"] == "api")["CustomOriginConfig"]
    assert api["OriginProtocolPolicy"] == "https-only"
    assert api["OriginReadTimeout"] > 25, "server-sent events are quiet for the heartbeat at most"


def test_files_and_pictures_are_read_with_origin_access_control_and_by_any_site() -> None:
    config = _one("edge.yaml", "Distribution")["DistributionConfig"]
    for origin in config["Origins"]:
        assert ("OriginAccessControlId" in origin) == ("S3OriginConfig" in origin)
    behaviors = [config["DefaultCacheBehavior"], *config["CacheBehaviors"]]
    for behavior in behaviors:
        if behavior["TargetOriginId"] == "api":
            continue
        policy = _one("edge.yaml", behavior["ResponseHeadersPolicyId"]["Ref"])["ResponseHeadersPolicyConfig"]
        assert policy["CorsConfig"]["AccessControlAllowOrigins"] == {"Items": ["*"]}
        assert policy["CorsConfig"]["AccessControlAllowCredentials"] is False
        assert policy["SecurityHeadersConfig"]["ContentTypeOptions"] == {"Override": True}


async def test_a_page_from_the_bucket_may_do_what_a_page_of_a_node_may() -> None:
    # Two places say it: the nodes' own pages, and CloudFront for those in the bucket, which may ask the sign-in as well.
    policy = _one("edge.yaml", "Pages")["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]["ContentSecurityPolicy"]
    page = await files.page(Request({"type": "http", "method": "GET", "path": "/", "headers": []}))
    said = policy["ContentSecurityPolicy"]["Fn::Sub"].replace(" ${SignIn}", "")
    assert said == page.headers["content-security-policy"]


def test_certificate_and_acl_of_cloudfront_are_made_where_cloudfront_takes_them_from() -> None:
    scopes = {file: r["Properties"]["Scope"] for file, _, r in resources("AWS::WAFv2::WebACL")}
    assert scopes == {"global.yaml": "CLOUDFRONT", "edge.yaml": "REGIONAL"}
    parent = templates()[PARENT]
    assert parent["Conditions"]["MakesGlobal"] == {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}
    assert parent["Resources"]["Global"]["Condition"] == "MakesGlobal"


# -- identity --------------------------------------------------------------------------------------------------------------


def test_scopes_group_and_issuer_are_what_the_nodes_expect() -> None:
    from infra.settings import Settings

    scopes = _one("identity.yaml", "Scopes")
    full = {f"{scopes['Identifier']}/{scope['ScopeName']}" for scope in scopes["Scopes"]}
    settings = Settings(database_url="", redis_url="", issuer="", jwks_url="")
    assert full == {settings.player_scope, settings.server_scope}
    assert _one("identity.yaml", "Admins")["GroupName"] == settings.admin_group
    assert _one("identity.yaml", "PlayerClient")["AllowedOAuthScopes"] == ["openid", settings.player_scope]
    assert _one("identity.yaml", "ServerClient")["AllowedOAuthScopes"] == [settings.server_scope]


def test_players_come_by_code_without_a_secret_and_servers_by_credentials_with_one() -> None:
    player, server = _one("identity.yaml", "PlayerClient"), _one("identity.yaml", "ServerClient")
    assert (player["AllowedOAuthFlows"], player["GenerateSecret"]) == (["code"], False)
    assert (server["AllowedOAuthFlows"], server["GenerateSecret"]) == (["client_credentials"], True)


# -- settings --------------------------------------------------------------------------------------------------------------


def test_every_variable_that_a_template_sets_is_a_setting() -> None:
    from dataclasses import fields

    from infra.settings import PREFIX, Settings

    settings = {PREFIX + field.name.upper() for field in fields(Settings)}
    for name in ("Refresh", "Schedule", "Pictures"):
        given = _one("queue.yaml", name)["Environment"]["Variables"]
        assert set(given) <= settings, name
    nodes = set(re.findall(r"^(RANKCAST_\w+)=", _script(), re.MULTILINE))
    assert len(nodes) > 15
    assert nodes <= settings


# -- watching --------------------------------------------------------------------------------------------------------------


def test_every_alarm_tells_somebody_and_says_what_it_means() -> None:
    alarms = list(resources("AWS::CloudWatch::Alarm"))
    assert len(alarms) > 15
    for _, name, alarm in alarms:
        properties = alarm["Properties"]
        assert properties["AlarmActions"] == properties["OKActions"] == [{"Ref": "Alarms"}], name
        assert len(properties["AlarmDescription"]) > 20, name
        assert properties.get("DatapointsToAlarm", 0) <= properties["EvaluationPeriods"], name


def test_the_dashboard_is_json_and_names_only_what_it_is_given() -> None:
    body = _one("watching.yaml", "Dashboard")["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]
    assert len(widgets) > 10
    parameters = set(templates()["watching.yaml"]["Parameters"])
    assert set(re.findall(r"\$\{(\w+)\}", body)) <= parameters
    for widget in widgets:
        assert widget["x"] + widget["width"] <= 24
