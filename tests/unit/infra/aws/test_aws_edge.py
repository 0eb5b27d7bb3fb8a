"""How viewers come to a node, and how a node leaves."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from api import files, server
from tests.templates import PARENT, one, resources, templates

# -- nodes and the balancer ----------------------------------------------------------------------------------------------


def _attributes(name: str, kind: str) -> dict[str, Any]:
    return {entry["Key"]: entry["Value"] for entry in one("edge.yaml", name)[kind]}


def test_the_balancer_waits_longer_than_the_ping_and_asks_for_readiness() -> None:
    assert _attributes("Balancer", "LoadBalancerAttributes")["idle_timeout.timeout_seconds"] == "120"
    assert one("edge.yaml", "Nodes")["HealthCheckPath"] == "/readyz"


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
    hook = one("nodes.yaml", "Drain")
    assert (hook["LifecycleTransition"], hook["HeartbeatTimeout"]) == ("autoscaling:EC2_INSTANCE_TERMINATING", drain)
    assert f"--lifecycle-hook-name {hook['LifecycleHookName']} " in script


def _script() -> str:
    script: str = one("nodes.yaml", "Template")["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"][0]
    return script


def test_machines_take_imdsv2_alone_and_images_by_digest() -> None:
    options = one("nodes.yaml", "Template")["LaunchTemplateData"]["MetadataOptions"]
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
    assert one("edge.yaml", "Secure")["DefaultActions"][0]["Type"] == "fixed-response"


# -- CloudFront ----------------------------------------------------------------------------------------------------------

_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
_ALL_VIEWER_EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"


def test_the_live_contract_goes_through_cloudfront_whole_and_uncached() -> None:
    config = one("edge.yaml", "Distribution")["DistributionConfig"]
    first = config["CacheBehaviors"][0]
    assert (first["PathPattern"], first["TargetOriginId"]) == ("/v1/*", "api")
    assert (first["CachePolicyId"], first["OriginRequestPolicyId"]) == (_DISABLED, _ALL_VIEWER_EXCEPT_HOST)
    assert set(first["AllowedMethods"]) == {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"}
    api = next(origin for origin in config["Origins"] if origin["Id"] == "api")["CustomOriginConfig"]
    assert api["OriginProtocolPolicy"] == "https-only"
    assert api["OriginReadTimeout"] > 25, "server-sent events are quiet for the heartbeat at most"


def test_files_and_pictures_are_read_with_origin_access_control_and_by_any_site() -> None:
    config = one("edge.yaml", "Distribution")["DistributionConfig"]
    for origin in config["Origins"]:
        assert ("OriginAccessControlId" in origin) == ("S3OriginConfig" in origin)
    behaviors = [config["DefaultCacheBehavior"], *config["CacheBehaviors"]]
    for behavior in behaviors:
        if behavior["TargetOriginId"] == "api":
            continue
        policy = one("edge.yaml", behavior["ResponseHeadersPolicyId"]["Ref"])["ResponseHeadersPolicyConfig"]
        assert policy["CorsConfig"]["AccessControlAllowOrigins"] == {"Items": ["*"]}
        assert policy["CorsConfig"]["AccessControlAllowCredentials"] is False
        assert policy["SecurityHeadersConfig"]["ContentTypeOptions"] == {"Override": True}


def test_a_picture_is_a_picture_wherever_it_is_shown() -> None:
    from api.pictures import SHOWN

    policy = one("edge.yaml", "PictureHeaders")["ResponseHeadersPolicyConfig"]
    said = {item["Header"]: item["Value"] for item in policy["CustomHeadersConfig"]["Items"]}
    said["Content-Security-Policy"] = policy["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    assert said.items() <= SHOWN.items()
    assert set(said) == {"Content-Security-Policy", "Cross-Origin-Resource-Policy"}


def test_who_looks_at_uploads_is_told_when_one_is_gone() -> None:
    # S3 answers 403 for a missing object to whoever may not list the bucket, and that would be tried again and again.
    rights = one("queue.yaml", "PicturesRights")["PolicyDocument"]["Statement"]
    (may,) = [one for one in rights if one["Action"] == "s3:ListBucket"]
    (uploads,) = [one for one in rights if one["Sid"] == "Uploads"]
    assert uploads["Resource"]["Fn::Sub"] == may["Resource"]["Fn::Sub"] + "/uploads/*"


def test_a_page_of_any_site_may_send_a_picture_for_which_it_has_a_ticket() -> None:
    (rule,) = one("queue.yaml", "PictureBucket")["CorsConfiguration"]["CorsRules"]
    assert (rule["AllowedMethods"], rule["AllowedOrigins"]) == (["POST"], ["*"])


@pytest.mark.parametrize("path", files.PAGES)
def test_a_page_from_the_bucket_may_do_what_a_page_of_a_node_may(path: str) -> None:
    # Two places say it: the nodes' own pages, and CloudFront for those in the bucket, which may ask the sign-in as well.
    config = one("edge.yaml", "Distribution")["DistributionConfig"]
    behavior = next(
        (one for one in config["CacheBehaviors"] if fnmatchcase(path, one["PathPattern"])),
        config["DefaultCacheBehavior"],
    )
    headers = one("edge.yaml", behavior["ResponseHeadersPolicyId"]["Ref"])["ResponseHeadersPolicyConfig"]
    policy = headers["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    said = policy["Fn::Sub"].replace(" ${SignIn}", "") if isinstance(policy, dict) else policy
    assert said == files.PAGES[path]


def test_certificate_and_acl_of_cloudfront_are_made_where_cloudfront_takes_them_from() -> None:
    scopes = {file: r["Properties"]["Scope"] for file, _, r in resources("AWS::WAFv2::WebACL")}
    assert scopes == {"global.yaml": "CLOUDFRONT", "edge.yaml": "REGIONAL"}
    parent = templates()[PARENT]
    assert parent["Conditions"]["MakesGlobal"] == {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}
    assert parent["Resources"]["Global"]["Condition"] == "MakesGlobal"
