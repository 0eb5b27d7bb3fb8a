"""What linters miss in the templates: what belongs together and is written down twice."""

from __future__ import annotations

import inspect
import json
import re
from importlib import import_module
from typing import Any

import pytest

from tests.templates import PARENT, one, resources, templates, walk

_SIZES = ("small", "medium", "large")


# -- layers --------------------------------------------------------------------------------------------------------------


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


# -- queue and functions -------------------------------------------------------------------------------------------------


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
        queue = one("queue.yaml", mapping["Properties"]["EventSourceArn"]["Fn::GetAtt"][0])
        function = one("queue.yaml", mapping["Properties"]["FunctionName"]["Ref"])
        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]


def test_the_refresh_takes_ten_messages_without_a_window_and_says_which_of_them_failed() -> None:
    mapping = one("queue.yaml", "RefreshTrigger")
    assert mapping["BatchSize"] == 10
    assert mapping.get("MaximumBatchingWindowInSeconds", 0) == 0
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_queue_never_calls_more_refreshes_than_may_run() -> None:
    # More would be throttled, and each throttled call counts as a receive of its messages.
    assert (
        one("queue.yaml", "RefreshTrigger")["ScalingConfig"]["MaximumConcurrency"]
        == one("queue.yaml", "Refresh")["ReservedConcurrentExecutions"]
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
    module, _, function = one("queue.yaml", name)["Handler"].rpartition(".")
    handler = getattr(import_module(module), function)
    assert not inspect.iscoroutinefunction(handler)
    inspect.signature(handler).bind({}, None)


# -- sizes ---------------------------------------------------------------------------------------------------------------


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


# -- secrets -------------------------------------------------------------------------------------------------------------


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
    database = one("data.yaml", "Database")
    assert database["ManageMasterUserPassword"] is True
    assert database["StorageEncrypted"] is True
    assert one("data.yaml", "DatabaseParameters")["Parameters"]["rds.force_ssl"] == "1"
    cache = one("data.yaml", "Cache")
    assert (cache["TransitEncryptionMode"], cache["AtRestEncryptionEnabled"]) == ("required", True)


# -- identity ------------------------------------------------------------------------------------------------------------


def test_scopes_group_and_issuer_are_what_the_nodes_expect() -> None:
    from infra.settings import Settings

    scopes = one("identity.yaml", "Scopes")
    full = {f"{scopes['Identifier']}/{scope['ScopeName']}" for scope in scopes["Scopes"]}
    settings = Settings(database_url="", redis_url="", issuer="", jwks_url="")
    assert full == {settings.player_scope, settings.server_scope}
    assert one("identity.yaml", "Admins")["GroupName"] == settings.admin_group
    assert one("identity.yaml", "PlayerClient")["AllowedOAuthScopes"] == ["openid", settings.player_scope]
    assert one("identity.yaml", "ServerClient")["AllowedOAuthScopes"] == [settings.server_scope]


def test_players_come_by_code_without_a_secret_and_servers_by_credentials_withone() -> None:
    player, server = one("identity.yaml", "PlayerClient"), one("identity.yaml", "ServerClient")
    assert (player["AllowedOAuthFlows"], player["GenerateSecret"]) == (["code"], False)
    assert (server["AllowedOAuthFlows"], server["GenerateSecret"]) == (["client_credentials"], True)


# -- settings ------------------------------------------------------------------------------------------------------------


def test_every_variable_that_a_template_sets_is_a_setting() -> None:
    from dataclasses import fields

    from infra.settings import PREFIX, Settings

    settings = {PREFIX + field.name.upper() for field in fields(Settings)}
    for name in ("Refresh", "Schedule", "Pictures"):
        given = one("queue.yaml", name)["Environment"]["Variables"]
        assert set(given) <= settings, name
    script = one("nodes.yaml", "Template")["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"][0]
    nodes = set(re.findall(r"^(RANKCAST_\w+)=", script, re.MULTILINE))
    assert len(nodes) > 15
    assert nodes <= settings


# -- watching ------------------------------------------------------------------------------------------------------------


def test_every_alarm_tells_somebody_and_says_what_it_means() -> None:
    alarms = list(resources("AWS::CloudWatch::Alarm"))
    assert len(alarms) > 15
    for _, name, alarm in alarms:
        properties = alarm["Properties"]
        assert properties["AlarmActions"] == properties["OKActions"] == [{"Ref": "Alarms"}], name
        assert len(properties["AlarmDescription"]) > 20, name
        assert properties.get("DatapointsToAlarm", 0) <= properties["EvaluationPeriods"], name


def test_the_dashboard_is_json_and_names_only_what_it_is_given() -> None:
    body = one("watching.yaml", "Dashboard")["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]
    assert len(widgets) > 10
    parameters = set(templates()["watching.yaml"]["Parameters"])
    assert set(re.findall(r"\$\{(\w+)\}", body)) <= parameters
    for widget in widgets:
        assert widget["x"] + widget["width"] <= 24
