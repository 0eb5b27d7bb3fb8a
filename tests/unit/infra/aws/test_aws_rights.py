"""Who may do what, and who may speak to whom."""

from __future__ import annotations

from typing import Any

from tests.templates import PARENT, listed, one, resources, statements, templates

# -- rights --------------------------------------------------------------------------------------------------------------

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


def test_resources_are_named_except_where_aws_knows_no_narrowerone() -> None:
    for file, name, statement in statements():
        if statement["Effect"] != "Allow" or "*" not in listed(statement["Resource"]):
            continue
        assert set(listed(statement["Action"])) <= _NO_NARROWER, f"{file}: {name}"
        if "cloudwatch:PutMetricData" in listed(statement["Action"]):
            assert statement["Condition"] == {"StringEquals": {"cloudwatch:namespace": "Rankcast/Host"}}


def test_what_lambda_needs_for_its_interfaces_is_denied_to_the_functions_own_code() -> None:
    for function in ("Refresh", "Schedule", "Pictures"):
        policy = one("queue.yaml", f"{function}Rights")["PolicyDocument"]["Statement"]
        allowed = next(statement for statement in policy if statement["Sid"] == "Interfaces")
        denied = next(statement for statement in policy if statement["Effect"] == "Deny")
        assert allowed["Action"] == denied["Action"]
        arn = denied["Condition"]["ArnEquals"]["lambda:SourceFunctionArn"]["Fn::Sub"]
        assert arn.endswith(f":function:{one('queue.yaml', function)['FunctionName']['Fn::Sub']}")


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
    policy = one("edge.yaml", "PicturePolicy")["PolicyDocument"]["Statement"]
    allowed = [statement for statement in policy if statement["Effect"] == "Allow"]
    assert [statement["Resource"]["Fn::Sub"].rpartition(":::")[2] for statement in allowed] == [
        "${Pictures}/pictures/*"
    ]
    assert "Distribution" in allowed[0]["Condition"]["StringEquals"]["aws:SourceArn"]["Fn::Sub"]


# -- the network ---------------------------------------------------------------------------------------------------------


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


def test_what_is_not_shown_any_more_goes_by_the_mark_that_is_put_on_it() -> None:
    from infra.pictures_s3 import NOT_SHOWN

    rules = {rule["Id"]: rule for rule in one("queue.yaml", "PictureBucket")["LifecycleConfiguration"]["Rules"]}
    rule = rules["not-shown"]
    assert (rule["TagFilters"], rule["Prefix"], rule["Status"]) == (NOT_SHOWN["TagSet"], "pictures/", "Enabled")
    # An earlier version of what is gone is gone, too, and its marker.
    assert rules["old-versions"]["ExpiredObjectDeleteMarker"] is True
    assert rules["old-versions"]["NoncurrentVersionExpiration"]["NoncurrentDays"] <= 7
    for file, name in (("queue.yaml", "PicturesRights"), ("nodes.yaml", "Rights")):
        statements = one(file, name)["PolicyDocument"]["Statement"]
        (marks,) = [one for one in statements if "s3:PutObjectTagging" in one["Action"]]
        assert marks["Resource"]["Fn::Sub"].endswith("/pictures/*"), name
        assert any(one["Action"] == "s3:ListBucket" for one in statements), name
