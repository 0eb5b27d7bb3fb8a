"""The templates as the emulator takes them, and what it needs beforehand.

What ministack lacks, each a part that is not proven by creating the stack there:

- `MISSING`: types that it does not know. NAT gateway and its address, flow log, single security group rules, the association of
  the balancer with its firewall. They are left out, and so is what refers to them.
- the secret of a managed master password (`MasterUserSecret.SecretArn`): it makes none, `DATABASE_SECRET` stands for it.
- AWS's own public parameters: `MACHINE` stands for that of the machine image.
- alarms by metric math are left out.
- an update of a parent forgets the attributes of what did not change in a nested stack; so layers are updated one by one.
"""

from __future__ import annotations

import copy
import io
import zipfile
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.templates import templates, walk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.emulators import Emulator

MISSING: Final = frozenset(
    {
        "AWS::EC2::EIP",
        "AWS::EC2::FlowLog",
        "AWS::EC2::NatGateway",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::WAFv2::WebACLAssociation",
    }
)
LEFT_OUT: Final = frozenset(
    {"network.yaml: NodeDefault"} | {f"watching.yaml: Cache{kind}" for kind in ("Cpu", "Evictions", "Memory")}
)
"""What goes although its type is known: the route to the NAT gateway, and alarms by metric math."""
MACHINE: Final = "/rankcast/machine"
DATABASE_SECRET: Final = "rankcast/database"


def prepare(emulator: Emulator, bucket: str, code: bytes | None = None) -> dict[str, str]:
    """Make what the stack takes as given; the parameters of the parent. `code` is the functions' zip."""
    emulator.client("s3").create_bucket(Bucket=bucket)
    emulator.client("s3").put_object(Bucket=bucket, Key="code.zip", Body=code or _stub())
    emulator.client("ssm").put_parameter(Name=MACHINE, Type="String", Value="ami-0123456789abcdef0", Overwrite=True)
    secrets = emulator.client("secretsmanager")
    if DATABASE_SECRET not in {secret["Name"] for secret in secrets.list_secrets()["SecretList"]}:
        secrets.create_secret(Name=DATABASE_SECRET, SecretString='{"username": "rankcast", "password": "drawn"}')
    zones = emulator.client("route53")
    zone = zones.create_hosted_zone(Name="example.com", CallerReference=bucket)["HostedZone"]["Id"]
    return {
        "HostedZone": zone.rpartition("/")[2],
        "Image": f"000000000000.dkr.ecr.us-east-1.amazonaws.com/rankcast@sha256:{'a' * 64}",
        "CodeBucket": bucket,
        "CodeKey": "code.zip",
    }


def adapted(folder: Path) -> Path:
    """Write every template into `folder`, under its own name, without what the emulator lacks."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, template in adapted_templates().items():
        (folder / file).write_text(yaml.safe_dump(template, sort_keys=False, width=10_000))
    return folder


def adapted_templates() -> dict[str, dict[str, Any]]:
    """The same as data."""
    made = {file: _adapt(template) for file, template in templates().items()}
    made["nodes.yaml"]["Parameters"]["Machine"]["Default"] = MACHINE
    secret = {
        "Fn::Sub": f"arn:${{AWS::Partition}}:secretsmanager:${{AWS::Region}}:${{AWS::AccountId}}:secret:{DATABASE_SECRET}"
    }
    made["data.yaml"]["Outputs"]["DatabaseSecret"]["Value"] = secret
    return made


def _adapt(template: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(template)
    parts = made["Resources"]
    gone = {name for name, part in parts.items() if part["Type"] in MISSING}
    for name in list(parts):
        if name in gone or gone & _named(parts[name]) or "Metrics" in parts[name].get("Properties", {}):
            del parts[name]
    return made


def _named(part: dict[str, Any]) -> set[str]:
    """The logical names that a resource refers to."""
    found = set()
    for value in walk(part):
        if isinstance(value, dict) and "Ref" in value:
            found.add(value["Ref"])
        elif isinstance(value, dict) and "Fn::GetAtt" in value:
            found.add(value["Fn::GetAtt"][0])
    return found


def _stub() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("refresh", "schedule", "pictures"):
            archive.writestr(
                f"workers/{name}.py", "def handler(event, context):\n    return {'batchItemFailures': []}\n"
            )
    return packed.getvalue()
