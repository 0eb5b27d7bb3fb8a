"""compose.yaml and nginx.conf beside it, against each other and against the code: there is no engine here that could start them."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.settings import PREFIX, Settings

INFRA = Path("infra")
FILE: dict[str, Any] = yaml.safe_load((INFRA / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = {name: one for name, one in SERVICES.items() if one.get("image") == "rankcast"}
NODES = {name: one for name, one in OURS.items() if name.startswith("node-")}


def address(service: str) -> str:
    return str(SERVICES[service]["networks"]["default"]["ipv4_address"])


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_two_nodes_a_worker_and_a_migration_run_the_one_image() -> None:
    assert set(OURS) == {"migrate", "keys", "node-1", "node-2", "worker"}
    assert FILE["x-image"]["build"] == {"context": "..", "dockerfile": "Dockerfile"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_what_a_service_is_told_is_a_setting(name: str) -> None:
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    assert set(OURS[name].get("environment", {})) <= known


def test_what_a_node_is_told_makes_settings() -> None:
    environ = {
        key: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for key, value in SERVICES["node-1"]["environment"].items()
    }
    settings = Settings.load(environ)
    assert settings.jwks_url.startswith("file:///var/lib/rankcast/keys/")
    assert settings.issuer == "https://rankcast.local/issuer"


def test_commands_are_there() -> None:
    for one in OURS.values():
        command = one.get("command", ["python", "-m", "api"])
        if command[:2] == ["python", "-m"]:
            assert find_spec(f"{command[2]}.__main__")
        else:
            assert "rankcast" in " ".join(command)


def test_nginx_asks_every_node_by_its_name_and_is_alone_believed() -> None:
    configuration = (INFRA / "nginx.conf").read_text()
    upstream = configuration.partition("upstream nodes {")[2].partition("}")[0]
    assert set(re.findall(r"server (\S+):8080", upstream)) == set(NODES)
    assert all(one["environment"]["RANKCAST_TRUSTED_PROXIES"] == address("nginx") for one in NODES.values())
    assert f"listen {SERVICES['nginx']['ports'][0].rpartition(':')[2]}" in configuration


def test_nobody_outside_is_let_in_unless_asked_for_and_only_by_nginx() -> None:
    assert [name for name, one in SERVICES.items() if one.get("ports")] == ["nginx"]
    assert SERVICES["nginx"]["ports"][0].startswith("${RANKCAST_BIND:-127.0.0.1}:")


def test_the_password_is_given_and_never_a_default() -> None:
    text = (INFRA / "compose.yaml").read_text()
    assert "${RANKCAST_PASSWORD:?" in text
    assert "${RANKCAST_PASSWORD:-" not in text


@pytest.mark.parametrize("name", sorted(NODES))
def test_a_node_that_stops_is_given_the_time_to_drain(name: str) -> None:
    node = NODES[name]
    assert seconds(node["stop_grace_period"]) > int(node["environment"]["RANKCAST_DRAIN_WINDOW"]) + 5


def test_live_connections_outlast_the_silence_between_two_pings() -> None:
    configuration = (INFRA / "nginx.conf").read_text()
    heartbeat = next(field.default for field in fields(Settings) if field.name == "heartbeat")
    for location in ("location = /v1/live {", "location ~ ^/v1/boards/[^/]+/live$ {"):
        block = configuration.partition(location)[2].partition("}")[0]
        for timeout in ("proxy_read_timeout", "proxy_send_timeout"):
            assert seconds(re.findall(rf"{timeout} (\S+);", block)[0]) >= 3 * heartbeat
        assert "proxy_buffering off;" in block


def test_nginx_takes_what_a_node_takes() -> None:
    configuration = (INFRA / "nginx.conf").read_text()
    megabytes = int(re.findall(r"client_max_body_size (\d+)m;", configuration)[0])
    body = next(field.default for field in fields(Settings) if field.name == "max_body")
    assert megabytes * 2**20 > max(body, 5 * 2**20)


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"postgres"}))
def test_a_service_is_closed(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


def test_no_image_is_whatever_is_newest() -> None:
    for name, one in SERVICES.items():
        if name not in OURS:
            assert re.fullmatch(r"[a-z/]+:\d[\d.]*", one["image"]), one["image"]


def test_nobody_starts_before_what_it_needs() -> None:
    for name in [*NODES, "worker"]:
        needs = {key: one["condition"] for key, one in SERVICES[name]["depends_on"].items()}
        assert needs["migrate"] == needs["keys"] == "service_completed_successfully"
        assert needs["valkey"] == "service_healthy"
    assert SERVICES["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    # Who is waited for to be healthy can be asked.
    for one in SERVICES.values():
        for key, need in one.get("depends_on", {}).items():
            if need["condition"] == "service_healthy" and key not in OURS:
                assert SERVICES[key]["healthcheck"]["test"]


def test_what_is_mounted_is_declared_and_every_address_is_in_the_network() -> None:
    mounted = {volume.partition(":")[0] for one in SERVICES.values() for volume in one.get("volumes", [])}
    assert {name for name in mounted if not name.startswith(".")} == set(FILE["volumes"])
    (network,) = FILE["networks"]["default"]["ipam"]["config"]
    prefix = network["subnet"].rpartition(".")[0]
    addresses = [one["networks"]["default"]["ipv4_address"] for one in SERVICES.values() if "networks" in one]
    assert all(one.startswith(prefix + ".") for one in addresses)
    assert len(set(addresses)) == len(addresses)


def test_nodes_and_worker_have_one_folder_of_pictures_which_the_image_lets_them_write_to() -> None:
    for name in [*NODES, "worker"]:
        folder = OURS[name]["environment"]["RANKCAST_PICTURES_FOLDER"]
        assert f"pictures:{folder}" in OURS[name]["volumes"]
        assert folder in Path("Dockerfile").read_text()


def test_valkey_refuses_rather_than_forgets() -> None:
    command = SERVICES["valkey"]["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
