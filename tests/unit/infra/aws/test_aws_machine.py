"""The script that a machine starts by, run with stand-ins for what it calls: in which order it does things, and what it says."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.templates import templates

if TYPE_CHECKING:
    from pathlib import Path

_CALLED = """#!/bin/bash
echo "{name} $*" >> "{log}"
{act}
"""
_ACTS = {
    # The metadata service and the node itself.
    "curl": '[[ "$*" == *api/token* ]] && echo a-token; [[ "$*" == *instance-id* ]] && echo i-1; exit 0',
    "docker": '[[ -e {folder}/broken-$1 ]] && exit 1; [[ "$1" == login ]] && cat > /dev/null; exit 0',
    "systemctl": "exit 0",
    "dnf": "exit 0",
    "sysctl": "exit 0",
    "sleep": "exit 0",
    "amazon-cloudwatch-agent-ctl": "exit 0",
    # The state that Auto Scaling tells comes from a file, a line a question; the last stays.
    "aws": '[[ "$2" == describe-auto-scaling-instances ]] || exit 0; head -1 {folder}/states; '
    "if [[ $(wc -l < {folder}/states) -gt 1 ]]; then sed -i 1d {folder}/states; fi",
}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


class Machine:
    """A folder in place of a machine's root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.log.touch()
        places = ("etc/sysctl.d", "etc/systemd/system", "usr/local/bin", "opt/aws/amazon-cloudwatch-agent/etc", "bin")
        for place in (*places, "opt/aws/amazon-cloudwatch-agent/bin"):
            (folder / place).mkdir(parents=True)
        for name, act in _ACTS.items():
            at = "opt/aws/amazon-cloudwatch-agent/bin" if name.startswith("amazon") else "bin"
            program = folder / at / name
            program.write_text(_CALLED.format(name=name, log=self.log, act=act.format(folder=folder)))
            program.chmod(0o755)

    def start(self) -> int:
        return self._run(self._filled(), check=False)

    def drain(self, *states: str) -> list[str]:
        """Run what waits for the end, with these states in turn; what was called from then on."""
        before = len(self.calls())
        (self.folder / "states").write_text("".join(f"{state}\n" for state in states))
        self._run((self.folder / "usr/local/bin/rankcast-drain").read_text())
        return self.calls()[before:]

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()

    def file(self, place: str) -> str:
        return (self.folder / place).read_text()

    def _run(self, script: str, check: bool = True) -> int:
        path = f"{self.folder}/bin:{os.defpath}"
        # `trap … ERR` and `set -e` are the script's own.
        return subprocess.run(["bash"], input=script, text=True, env={"PATH": path}, check=check, timeout=20).returncode

    def _filled(self) -> str:
        data = templates()["nodes.yaml"]["Resources"]["Template"]["Properties"]["LaunchTemplateData"]["UserData"]
        script = data["Fn::Base64"]["Fn::Sub"][0]
        values = {
            "Name": "rankcast",
            "DrainSeconds": "75",
            "Cidr": "10.64.0.0/16",
            "Image": f"1.ecr/rankcast@sha256:{'a' * 64}",
        }
        filled = re.sub(r"\$\{(?!!)([\w:]+)\}", lambda match: values.get(match[1], match[1].replace(":", "-")), script)
        for place in ("/etc/", "/usr/local/bin/", "/opt/aws/"):
            filled = re.sub(rf"(?<![\w.]){place}", f"{self.folder}{place}", filled)
        return filled.replace("${!", "${")


def order(calls: list[str], *parts: str) -> bool:
    """Whether these parts of calls come in this order."""
    rest = iter(calls)
    return all(any(part in call for call in rest) for part in parts)


def test_a_machine_migrates_serves_waits_until_it_is_ready_and_says_so(machine: Machine) -> None:
    assert machine.start() == 0
    calls = machine.calls()
    assert order(
        calls,
        "dnf install",
        "docker login",
        "docker pull --quiet 1.ecr/rankcast@sha256:",
        "rankcast migrate",
        "systemctl enable --now rankcast rankcast-drain",
        "http://127.0.0.1:8080/readyz",
        "signal-resource",
    ), calls
    signals = [call for call in calls if "signal-resource" in call]
    assert len(signals) == 1
    assert signals[0].endswith("--unique-id i-1 --status SUCCESS")
    assert "docker login --username AWS --password-stdin 1.ecr" in calls


@pytest.mark.parametrize("what", ["pull", "login", "run"])
def test_a_machine_that_cannot_start_says_so_and_the_update_stops_there(machine: Machine, what: str) -> None:
    (machine.folder / f"broken-{what}").touch()
    assert machine.start() != 0
    signals = [call for call in machine.calls() if "signal-resource" in call]
    assert [signal.rpartition(" ")[2] for signal in signals] == ["FAILURE"]


def test_the_node_is_told_its_window_within_what_the_balancer_waits(machine: Machine) -> None:
    machine.start()
    environ = dict(line.split("=", 1) for line in machine.file("etc/rankcast.env").splitlines())
    assert environ["RANKCAST_DRAIN_WINDOW"] == "60"
    assert environ["RANKCAST_TRUSTED_PROXIES"] == "10.64.0.0/16"
    assert not [name for name in environ if "PASSWORD" in name]


def test_a_leaving_machine_drains_before_the_hook_and_lets_go_only_in_it(machine: Machine) -> None:
    machine.start()
    calls = machine.drain("InService", "InService", "Terminating", "Terminating", "Terminating:Wait")
    meaningful = [call for call in calls if not call.startswith("sleep")]
    stop = meaningful.index("systemctl stop rankcast")
    assert all("describe-auto-scaling-instances --instance-ids i-1" in call for call in meaningful[:stop])
    assert stop == 3, "it stops at the first sign, while the balancer still passes on what there is"
    assert "complete-lifecycle-action" in meaningful[-1]
    assert meaningful[-1].endswith("--instance-id i-1 --lifecycle-action-result CONTINUE")
    assert len([call for call in meaningful if "complete-lifecycle-action" in call]) == 1
    assert meaningful.index(meaningful[-1]) == stop + 3, "not before the hook waits: nobody would hear it"


def test_the_container_can_change_nothing_but_its_own_connections(machine: Machine) -> None:
    machine.start()
    unit = machine.file("etc/systemd/system/rankcast.service")
    for flag in ("--read-only", "--cap-drop ALL", "--security-opt no-new-privileges", "--network host"):
        assert flag in unit
    assert re.search(r"ExecStop=.* stop --time 75 rankcast", unit)
